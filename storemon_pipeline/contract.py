"""What the pipeline, the API and their supervisor share: names.

Imports no other module of storemon.
"""

CODE_LOCATION = "storemon"
REPOSITORY = "__repository__"
REFRESH_JOB = "refresh_job"
REPORT_JOB = "report_job"
REBUILD_DAY_JOB = "rebuild_day_job"
ALERT_JOB = "alert_job"
STATEMENT_JOB = "statement_job"
RETENTION_JOB = "retention_job"
STATUS_MODEL_JOB = "status_model_job"
POLL_PLAN_JOB = "poll_plan_job"

DAGSTER_TOKEN_VARIABLE = "STOREMON_DAGSTER_TOKEN"  # noqa: S105 - a name, not a token
"""The environment variable with the token by which the service's processes reach Dagster's UI."""

REQUESTED_TAG = "storemon/requested"
"""On report runs that were launched for waiting requests. A run without this tag makes a report of
its own when none waits."""

REQUEST_IDS_TAG = "storemon/request_ids"
"""On report runs: the HTTP requests that waited when the run was launched, the oldest first."""
