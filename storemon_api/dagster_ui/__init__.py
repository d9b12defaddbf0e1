"""The guarded Dagster UI: Dagster's webserver behind the access control of the API."""
