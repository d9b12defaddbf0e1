"""The map from Dagster's run statuses to the three words of the interface."""

import dagster as dg
import pytest

from storemon_api.reports.report_status import (
    ReportStatus,
    RunStatus,
    failure_sentence,
    report_status,
    run_status,
)


def test_every_status_of_dagster_is_mapped() -> None:
    assert {status.value for status in RunStatus} == {
        status.value for status in dg.DagsterRunStatus
    }


@pytest.mark.parametrize(
    ("run", "report"),
    [
        ("QUEUED", "Running"),
        ("NOT_STARTED", "Running"),
        ("MANAGED", "Running"),
        ("STARTING", "Running"),
        ("STARTED", "Running"),
        ("SUSPENDED", "Running"),
        ("CANCELING", "Running"),
        ("SUCCESS", "Complete"),
        ("FAILURE", "Failed"),
        ("CANCELED", "Failed"),
    ],
)
def test_a_run_status_becomes_a_word_of_the_interface(run: str, report: str) -> None:
    assert report_status(RunStatus(run)) == ReportStatus(report)


def test_a_status_that_is_not_known_is_none() -> None:
    assert run_status("PONDERING") is None


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (RunStatus.FAILURE, "failed"),
        (RunStatus.CANCELED, "was cancelled"),
        (RunStatus.SUCCESS, "ended without creating it"),
        (None, "was lost before it finished"),
    ],
)
def test_the_error_of_a_failure_is_a_sentence_with_the_run(
    run: RunStatus | None, words: str
) -> None:
    sentence = failure_sentence(run, "4711")
    assert f"its run {words}" in sentence
    assert "4711" in sentence
