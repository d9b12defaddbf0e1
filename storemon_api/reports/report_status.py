"""Map Dagster's run statuses to report statuses. No I/O."""

from enum import StrEnum
from typing import assert_never


class ReportStatus(StrEnum):
    """Values of `status` in responses."""

    RUNNING = "Running"
    COMPLETE = "Complete"
    FAILED = "Failed"


class RunStatus(StrEnum):
    """Every run status of Dagster, by Dagster's names."""

    QUEUED = "QUEUED"
    NOT_STARTED = "NOT_STARTED"
    MANAGED = "MANAGED"
    STARTING = "STARTING"
    STARTED = "STARTED"
    SUSPENDED = "SUSPENDED"
    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    CANCELING = "CANCELING"
    CANCELED = "CANCELED"


def run_status(name: str) -> RunStatus | None:
    """Return the status named `name`; None for one that a newer Dagster added.

    A run with an unknown status counts as not ended.
    """
    try:
        return RunStatus(name)
    except ValueError:
        return None


def report_status(run: RunStatus) -> ReportStatus:
    """Return the report status of a run status."""
    match run:
        case (
            RunStatus.QUEUED
            | RunStatus.NOT_STARTED
            | RunStatus.MANAGED
            | RunStatus.STARTING
            | RunStatus.STARTED
            | RunStatus.SUSPENDED
            | RunStatus.CANCELING
        ):
            return ReportStatus.RUNNING
        case RunStatus.SUCCESS:
            return ReportStatus.COMPLETE
        case RunStatus.FAILURE | RunStatus.CANCELED:
            return ReportStatus.FAILED
        case _:
            assert_never(run)


def failure_sentence(run: RunStatus | None, run_id: str) -> str:
    """Return the error message of a report whose run ended with this status.

    `None` is a run that Dagster does not know. A successful run that left a report waiting has a
    message too; the caller decides whether to use it.
    """
    if run is None:
        reason = "its run was lost before it finished"
    elif run is RunStatus.CANCELED:
        reason = "its run was cancelled"
    elif report_status(run) is ReportStatus.COMPLETE:
        reason = "its run ended without creating it"
    else:
        reason = "its run failed"
    return (
        f"The report could not be created: {reason}, after several attempts. "
        f"Request a new report. Operators find the cause in Dagster, run {run_id}."
    )
