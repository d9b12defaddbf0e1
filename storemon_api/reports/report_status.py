"""What Dagster's run statuses mean for a report. Asks Dagster nothing and stores nothing."""

from enum import StrEnum
from typing import assert_never


class ReportStatus(StrEnum):
    """The only three words that a client reads as `status`."""

    RUNNING = "Running"
    COMPLETE = "Complete"
    FAILED = "Failed"


class RunStatus(StrEnum):
    """Every status that Dagster gives a run, by Dagster's own names."""

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
    """Return the status that Dagster calls `name`; None for one that came after this map.

    A run in such a status has not ended as far as anyone here can tell.
    """
    try:
        return RunStatus(name)
    except ValueError:
        return None


def report_status(run: RunStatus) -> ReportStatus:
    """Return what a run in this status says to a client that waits for its report."""
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
    """Return why a report was not made, for its owner, when its run ended in this status.

    `None` stands for a run that Dagster does not know. A run that succeeded and still left a
    report waiting gets a sentence too: the caller decides whether it is ever shown.
    """
    if run is None:
        reason = "the run that computes it was lost before it was done"
    elif run is RunStatus.CANCELED:
        reason = "the run that computes it was cancelled"
    elif report_status(run) is ReportStatus.COMPLETE:
        reason = "the run that computes it ended without it"
    else:
        reason = "the run that computes it failed"
    return (
        f"The report was not made: {reason}, at the last of several attempts. "
        f"Please trigger a new one; the operator finds the cause in Dagster under run {run_id}."
    )
