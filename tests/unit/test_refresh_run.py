"""Following a refresh whose run fails: a retry by Dagster, or a run launched in its place."""

import itertools
import time
from dataclasses import dataclass, field

import pytest

from storemon_pipeline.dagster_graphql import DagsterGraphQL, RunEvents, RunProgress
from storemon_pipeline.service.refresh_run import RefreshFollower


@dataclass
class StandInDagster(DagsterGraphQL):
    """A Dagster that answers with the status and `will_retry` that a test gives each run."""

    runs: dict[str, tuple[str, bool | None]]
    retries: dict[str, str] = field(default_factory=dict)
    launched: list[str] = field(default_factory=list)

    def launch_run(self, job: str, **_: object) -> str:
        del job
        self.launched.append(list(self.runs)[len(self.launched)])
        return self.launched[-1]

    def run_progress(self, run_id: str) -> RunProgress | None:
        status, will_retry = self.runs[run_id]
        return RunProgress(status=status, steps=(), will_retry=will_retry)

    def run_events(self, run_id: str, *, after: str | None = None) -> RunEvents:
        del run_id, after
        return RunEvents(messages=(), cursor=None)

    def retry_of(self, run_id: str) -> str | None:
        return self.retries.get(run_id)

    def run_failure(self, run_id: str) -> str | None:
        return f"{run_id} failed"


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each look at the clock pass a second."""
    clock = itertools.count()
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))


def followed(client: StandInDagster, *, checks: int = 60) -> RefreshFollower:
    follower = RefreshFollower(client)
    for _ in range(checks):
        if not follower.is_ended:
            follower.check()
    return follower


@pytest.mark.usefixtures("seconds")
def test_the_retry_of_a_failed_run_is_followed() -> None:
    client = StandInDagster(
        {"first": ("FAILURE", True), "retry": ("SUCCESS", None)}, retries={"first": "retry"}
    )
    follower = followed(client)
    assert (follower.is_ended, follower.failure) == (True, None)
    assert (follower.run_id, client.launched) == ("retry", ["first"])


@pytest.mark.usefixtures("seconds")
def test_a_run_is_launched_in_place_of_a_retry_that_never_comes() -> None:
    client = StandInDagster({"first": ("FAILURE", True), "second": ("SUCCESS", None)})
    follower = followed(client)
    assert (follower.is_ended, follower.failure) == (True, None)
    assert client.launched == ["first", "second"]


@pytest.mark.usefixtures("seconds")
def test_a_run_is_launched_when_dagster_takes_its_promise_back() -> None:
    client = StandInDagster({"first": ("FAILURE", True), "second": ("SUCCESS", None)})
    follower = RefreshFollower(client)
    follower.check()
    follower.check()
    client.runs["first"] = ("FAILURE", False)
    while not follower.is_ended:
        follower.check()
    assert (follower.failure, client.launched) == (None, ["first", "second"])


@pytest.mark.usefixtures("seconds")
@pytest.mark.parametrize("verdict", [False, None])
def test_a_failure_that_dagster_does_not_retry_ends_it(verdict: bool | None) -> None:  # noqa: FBT001
    client = StandInDagster({"first": ("FAILURE", verdict)})
    follower = followed(client)
    assert (follower.is_ended, follower.failure) == (True, "first failed")
    assert client.launched == ["first"]
