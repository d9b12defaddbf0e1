"""Every address says the same when old polls, or all, are in the lake alone."""

import gzip
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from api_server import NO_DATABASE, serve
from asked_reports import request
from databases import Databases
from stored import at, execute, fetch, load, load_hours, load_zones, stored_polls, stored_runs
from storemon_api.app import create_app
from storemon_api.settings import ApiSettings
from storemon_pipeline.channels.keep_rule import keep_channel_rule
from storemon_pipeline.commands.cli import app
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.database.connections import create_engine
from storemon_pipeline.dispute_packs.pack_file import read_pack
from storemon_pipeline.domain.channels import ChannelRule
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.figures.fit_status_model import fit_first_status_model
from storemon_pipeline.figures.refresh_daily import refresh_daily
from storemon_pipeline.figures.refresh_uptime import refresh_uptime
from storemon_pipeline.ingestion.push_schedules import push_rows
from storemon_pipeline.lake.describe_stores import LakeDiffersError
from storemon_pipeline.lake.follow_database import import_database, refresh_lake
from storemon_pipeline.lake.move_polls import move_polls
from storemon_pipeline.lake_files.data_files import make_bucket
from storemon_pipeline.lake_files.lake_folder import LakeFolder
from storemon_pipeline.lake_files.manifest import Kind, commit, read_contents, read_manifest
from storemon_pipeline.reports.make_reports import make_waiting_reports
from storemon_pipeline.retention.enforce import drop_old_data
from storemon_pipeline.retention.restore_from_lake import RestoredPollsDifferError, restore_polls
from storemon_pipeline.schedules.weekly_intervals import refresh_intervals

NOW: Final = datetime(2023, 4, 1, tzinfo=UTC)
DAYS: Final = timedelta(days=1)
STORES: Final = ("A", "B", "é", "new")
HOURS: Final = 30 * 24
"""The polls begin on Monday 23 January."""

OLD: Final = {"from": "2023-01-24T00:00:00Z", "to": "2023-01-31T00:00:00Z"}
LOADED: Final = frozenset({"seconds", "evaluated_at", "computed_at", "report_url"})
"""What differs between two answers to the same question; the URL has the server's port."""

QUESTIONS: Final[dict[str, list[dict[str, str]]]] = {
    "/api/get_report": [{"report_id": "{report}"}],
    "/get_report": [{"report_id": "{report}"}],
    "/reports/{report_id}/diff": [{"against": "{first}"}],
    "/stores/{store_id}/timeline": [{}, OLD],
    "/stores/{store_id}/uptime": [{}, {"by": "week"}, OLD | {"by": "hour"}],
    "/stores/{store_id}/incidents": [{}, OLD],
    "/stores/{store_id}/explain": [
        {},
        {"as_of": "2023-01-28T12:34:56Z", "window": "week", "policy": "previous"},
    ],
    "/stores/{store_id}/budget": [{"objective": "99"}],
    "/stores/{store_id}/dispute-pack": [{"start": "{outage}"}],
    "/stores": [{}, {"sort": "lost", "order": "desc"}],
    "/incidents": [{}, OLD],
    "/fleet/uptime": [
        {},
        OLD | {"by": "hour"},
        {"by": "month"},
        {"by": "week", "split": "group"},
        {"from": "2023-01-25", "to": "2023-02-02"},
    ],
    "/fleet/comparison": [
        {"period": "last-week"},
        {
            "from": "2023-02-01",
            "to": "2023-02-03",
            "earlier_from": "2023-01-25",
            "earlier_to": "2023-01-27",
            "store_id": "A",
        },
    ],
    "/fleet/store-days": [{"store_id": "A"}],
    "/fleet/reasons": [{"from": "2023-01-24", "to": "2023-01-31"}],
    "/poll-plan": [{"polls_per_hour": "3"}],
    "/statement": [{"period": "2023-W04"}, {"period": "2023-01"}],
    "/statement.{extension}": [{"period": "2023-W04"}],
    "/statement/dispute-pack": [{"period": "2023-W04"}],
}
"""What an address is asked; without any, nothing."""

OF_THE_MOMENT: Final = {"/healthz", "/readyz", "/metrics", "/events"}
NONE_HERE: Final = {"/statements/{statement_id}", "/statements/{statement_id}.{extension}"} | {
    "/statements/{statement_id}/changes"
}
"""There are no sent statements."""


def every_get() -> list[str]:
    app = create_app(ApiSettings(database_url=SecretStr(NO_DATABASE)), known_keys=())
    return [path for path, methods in app.openapi()["paths"].items() if "get" in methods]


def status(hour: int, number: int) -> str:
    return "down" if (hour + number) % 31 <= number else "up"


@pytest.fixture
def rule() -> ChannelRule | None:
    """The rule of channels, in a test that asks for storefronts."""
    return None


with_and_without_storefronts = pytest.mark.parametrize(
    "rule",
    [
        None,
        ChannelRule.SHARE,
        pytest.param(ChannelRule.ANY_UP, marks=pytest.mark.slow),
        pytest.param(ChannelRule.ALL_UP, marks=pytest.mark.slow),
    ],
)


def add_storefronts(url: str, rule: ChannelRule) -> None:
    """Three of A besides its own id, one of "new"; their ids are before, between and after."""
    keep_channel_rule(url, rule, now=NOW)
    polled = (("zz", 1), ("AA", 2), ("0", 0))
    load(
        url,
        *(
            f"{front_id} {hour}:{30 + number} {status(hour, number)}"
            for front_id, number in polled
            for hour in range(100 * number, HOURS)
        ),
        file_path="fronts.csv",
    )
    rows = [
        {"store_id": store_id, "channel": channel, "channel_store_id": front_id}
        for store_id, channel, front_id in (
            ("A", "uber", "zz"),
            ("A", "doordash", "AA"),
            ("A", "never polled", "B1"),
            ("new", "uber", "0"),
        )
    ]
    push_rows(url, Source.CHANNELS, rows, now=NOW, patience=DAYS)


@pytest.fixture
def url(database_url: str, rule: ChannelRule | None) -> str:
    """A database with hourly polls of 30 days, hours, zones and everything that follows."""
    load(
        database_url,
        *(
            f"{store_id} {hour}:{7 * number:02} {status(hour, number)}"
            for number, store_id in enumerate(STORES)
            for hour in range(300 * (store_id == "new"), HOURS)
        ),
    )
    load_hours(database_url, *(f"A,{day},09:00,17:00,always" for day in range(6)))
    load_zones(database_url, "A,Europe/Berlin", "B,UTC")
    if rule is not None:
        add_storefronts(database_url, rule)
    with bulk_transaction(database_url, is_writing_polls=True) as bulk:
        refresh_intervals(bulk)
    fit_first_status_model(database_url, fitted_at=NOW)
    refresh_uptime(database_url, refreshed_at=NOW)
    refresh_daily(database_url)
    return database_url


@pytest.fixture
def client(url: str) -> Iterator[httpx.Client]:
    with serve(url) as client:
        yield client


def drop(url: str, lake: LakeFolder | None) -> int:
    dropped = drop_old_data(url, keep_polls=7 * DAYS, keep_reports=900 * DAYS, now=NOW, lake=lake)
    return dropped.poll_partitions


def reports(url: str) -> dict[str, str]:
    """Two reports of an instant whose polls will be dropped, between which a poll came."""
    engine = create_engine(url, application_name="test", pool_size=1)
    made = {}
    for name in ("first", "report"):
        made[name] = request(engine, as_of=at("150:00"))
        make_waiting_reports(url, run_id=name, is_manual=False)
        load(url, f"A {149 + len(made)}:17 down", file_path="late.csv")
    engine.dispose()
    return made


def answers(client: httpx.Client, known: dict[str, str]) -> dict[str, Any]:
    """What every address says to every question."""
    names = known | {"store_id": "A", "report_id": known["report"], "extension": "csv"}
    said: dict[str, Any] = {}
    for path in every_get():
        if path in OF_THE_MOMENT | NONE_HERE:
            continue
        for question in QUESTIONS.get(path, [{}]):
            asked = {name: value.format(**names) for name, value in question.items()}
            answer = client.get(path.format(**names), params=asked)
            assert answer.status_code == 200, (path, asked, answer.text)
            said[f"{path} {asked}"] = content(answer)
    return said


def content(answer: httpx.Response) -> Any:  # noqa: ANN401 - the body of any answer
    match answer.headers["Content-Type"].partition(";")[0]:
        case "application/json":
            return plain(answer.json())
        case "application/zip":
            # The rest says when it was made.
            files = read_pack(answer.content).files
            return {
                name: gzip.decompress(file) for name, file in files.items() if name.endswith(".gz")
            }
        case _:
            return answer.text


def plain(body: Any) -> Any:  # noqa: ANN401 - as above
    if isinstance(body, dict):
        return {name: plain(value) for name, value in body.items() if name not in LOADED}
    return [plain(value) for value in body] if isinstance(body, list) else body


@with_and_without_storefronts
def test_every_address_says_the_same_when_old_polls_are_in_the_lake_alone(
    url: str, lake: LakeFolder, client: httpx.Client, rule: ChannelRule | None
) -> None:
    known = reports(url)
    outages = client.get("/stores/A/incidents", params=OLD).json()["incidents"]
    known["outage"] = outages[0]["start"]
    before = answers(client, known)
    timeline = before[f"/stores/{{store_id}}/timeline {OLD}"]
    if rule is None:
        assert [poll["at"] for poll in timeline["polls"]][:2] == [
            "2023-01-24T00:00:00Z",
            "2023-01-24T01:00:00Z",
        ]
        assert len(timeline["polls"]) == 7 * 24 + 1 + 2
    else:
        # The storefront that is polled from the hour 100 on has 92 more up to the hour 192.
        assert len(timeline["polls"]) == 7 * 24 + 1 + 2 + 92
    polls = count_polls(url)
    assert drop(url, lake) == 2
    assert count_polls(url) < polls
    assert read_manifest(lake).polls == polls
    after = answers(client, known)
    assert after.keys() == before.keys()
    differ = [question for question, said in before.items() if after[question] != said]
    assert differ == []


def count_polls(url: str) -> int:
    return int(fetch(url, "SELECT count(*) AS polls FROM store_status")[0]["polls"])


def all_answers(url: str, known: dict[str, str]) -> dict[str, Any]:
    """As `answers`, of a server of its own, so that no answer was computed before."""
    with serve(url) as client:
        return answers(client, known)


def different(
    one: dict[str, Any], other: dict[str, Any], rule: ChannelRule | None = None
) -> list[str]:
    """What is answered differently.

    The likely range of a store with several storefronts, which is flagged, depends by seconds on
    the first instant that is read: days in the lake are computed from there on.
    """
    assert one.keys() == other.keys()
    differ = [question for question, said in one.items() if other[question] != said]
    return [
        question
        for question in differ
        if rule is None
        or not question.startswith("/fleet/")
        or without_ranges(one[question]) != without_ranges(other[question])
    ]


def without_ranges(body: Any) -> Any:  # noqa: ANN401 - as above
    if isinstance(body, dict):
        return {
            name: without_ranges(value)
            for name, value in body.items()
            if not name.startswith("likely_") and name not in ("lowest_points", "highest_points")
        }
    return [without_ranges(value) for value in body] if isinstance(body, list) else body


def load_more(url: str) -> None:
    """Later and late polls, corrections, a new store and other hours."""
    load(url, *(f"A {hour}:00 down" for hour in range(HOURS, HOURS + 5)), file_path="later.csv")
    load(url, *(f"B {hour}:07 up" for hour in range(HOURS, HOURS + 9)), "zz 700:00 down")
    load(url, "A 40:30 down", "B 41:07 down", "é 42:14 down", file_path="late.csv")
    load_hours(url, *(f"A,{day},08:00,20:00,2023-02-06T00:00:00Z" for day in range(7)))
    with bulk_transaction(url, is_writing_polls=True) as bulk:
        refresh_intervals(bulk)
    refresh(url)


def refresh(url: str) -> None:
    refresh_uptime(url, refreshed_at=NOW)
    refresh_daily(url)


@with_and_without_storefronts
def test_every_address_says_the_same_when_all_polls_are_in_the_lake(
    url: str, lake: LakeFolder, databases: Databases, rule: ChannelRule | None
) -> None:
    known = reports(url)
    refresh(url)
    with serve(url) as client:
        outages = client.get("/stores/A/incidents", params=OLD).json()["incidents"]
    known["outage"] = outages[0]["start"]
    with databases.copied(url) as moved:
        move_polls(moved, lake, stores_per_bucket=3)
        stayed = all_answers(url, known)
        assert different(stayed, all_answers(moved, known), rule) == []
        # The questions are about something.
        assert stayed["/fleet/store-days {'store_id': 'A'}"]["total"] == 31
        assert stayed[f"/incidents {OLD}"]["total"] > 10
        for one in (url, moved):
            load_more(one)
        later = all_answers(url, known)
        assert different(later, stayed) != []
        assert different(later, all_answers(moved, known), rule) == []
        restore_polls(moved)
        refresh(moved)
        assert different(later, all_answers(moved, known), rule) == []


def test_what_needs_no_poll_is_answered_while_the_lake_of_all_polls_cannot_be_read(
    url: str, lake: LakeFolder, tmp_path: Path
) -> None:
    move_polls(url, lake)
    (tmp_path / "lake").rename(tmp_path / "elsewhere")
    with serve(url) as client:
        for path in ("/stores", "/stores/A/uptime", "/fleet/uptime", "/incidents"):
            answer = client.get(path)
            assert (path, answer.status_code, answer.json()["type"]) == (
                *(path, 503),
                "urn:problem-type:storemon:lake-unavailable",
            )
        for path in ("/reports", "/closures", "/alerts"):
            assert client.get(path).status_code == 200, path
        (tmp_path / "elsewhere").rename(tmp_path / "lake")
        with client.stream("GET", "/events") as events:
            assert next(line for line in events.iter_lines() if line.startswith("data: "))
        assert client.get("/stores").json()["total"] == len(STORES)


def test_without_a_lake_old_polls_are_gone(url: str, client: httpx.Client) -> None:
    drop(url, None)
    assert client.get("/stores/A/timeline", params=OLD).json()["polls"] == []


def test_a_lake_that_cannot_be_read_is_said(
    url: str, lake: LakeFolder, client: httpx.Client, tmp_path: Path
) -> None:
    drop(url, lake)
    (tmp_path / "lake").rename(tmp_path / "elsewhere")
    answer = client.get("/stores/A/timeline", params=OLD)
    assert (answer.status_code, answer.json()["type"]) == (
        503,
        "urn:problem-type:storemon:lake-unavailable",
    )
    assert client.get("/stores/A/timeline").status_code == 200


def test_polls_that_the_lake_has_lost_are_not_dropped(url: str, lake: LakeFolder) -> None:
    manifest = import_database(url, lake).manifest
    (bucket,) = manifest.buckets
    files = read_contents(lake, bucket)
    first = min(file.first_us for file in files if file.kind is Kind.POLLS)
    left = [file for file in files if file.kind is not Kind.POLLS or file.first_us > first]
    poorer = make_bucket(lake, "", left, newest_poll_us=bucket.newest_poll_us)
    commit(lake, replace(manifest, buckets=(poorer,)))
    polls = stored_polls(url)
    with pytest.raises(LakeDiffersError, match="has 0 polls of the week of 2023-01-23"):
        drop(url, lake)
    assert stored_polls(url) == polls


def test_dropped_polls_go_along_when_buckets_are_divided_and_into_another_lake(
    url: str, lake: LakeFolder, client: httpx.Client, tmp_path: Path
) -> None:
    polls = len(stored_polls(url))
    timeline = client.get("/stores/A/timeline", params=OLD).json()
    assert len(import_database(url, lake).manifest.buckets) == 1
    drop(url, lake)
    load(url, "zz 930:00 up")
    divided = refresh_lake(url, lake, stores_per_bucket=2)
    assert (len(divided.buckets), divided.polls) == (3, polls + 1)
    assert client.get("/stores/A/timeline", params=OLD).json() == timeline
    other = LakeFolder(str(tmp_path / "other"))
    imported = import_database(url, other)
    assert imported.manifest.polls == polls + 1
    assert imported.dropped_polls == polls + 1 - len(stored_polls(url))
    execute(url, f"UPDATE retention_state SET lake = '{other}'")
    assert client.get("/stores/A/timeline", params=OLD).json() == timeline


def test_only_the_lake_of_dropped_polls_is_named(url: str, lake: LakeFolder) -> None:
    drop_old_data(url, keep_polls=900 * DAYS, keep_reports=900 * DAYS, now=NOW, lake=lake)
    assert fetch(url, "SELECT lake FROM retention_state") == [{"lake": None}]
    drop(url, lake)
    assert fetch(url, "SELECT lake FROM retention_state") == [{"lake": str(lake)}]


def test_polls_come_back_from_the_lake_as_they_were(
    url: str, lake: LakeFolder, client: httpx.Client, tmp_path: Path
) -> None:
    def restore() -> list[str]:
        place = ["--database-url", url]
        return CliRunner().invoke(app, ["lake", "restore", *place]).output.splitlines()

    assert restore() == ["No polls are in a lake alone."]
    load(url, "A 721:00 down")
    polls, runs = stored_polls(url), stored_runs(url)
    timeline = client.get("/stores/A/timeline", params=OLD).json()
    drop(url, lake)
    # Three stores have 336 hours of polls in these weeks, the fourth one 36.
    assert restore() == [
        "1,044 polls of 2 weeks are back.",
        f"{len(runs)} status runs were computed again from all polls: none differs.",
    ]
    assert (stored_polls(url), stored_runs(url)) == (polls, runs)
    (tmp_path / "lake").rename(tmp_path / "elsewhere")
    assert client.get("/stores/A/timeline", params=OLD).json() == timeline
    assert restore() == ["No polls are in a lake alone."]


def test_restored_polls_that_are_not_those_of_the_status_runs_are_said(
    url: str, lake: LakeFolder
) -> None:
    drop(url, lake)
    execute(url, "UPDATE status_runs SET polls = polls + 1 WHERE first_poll_at < '2023-01-24'")
    with pytest.raises(RestoredPollsDifferError, match="6 of"):
        restore_polls(url)
