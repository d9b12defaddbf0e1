"""The names that the pipeline and the API share. Imports nothing."""

CODE_LOCATION = "storemon"
REPOSITORY = "__repository__"
REFRESH_JOB = "refresh_job"
REPORT_JOB = "report_job"
