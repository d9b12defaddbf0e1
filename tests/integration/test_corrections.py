"""Corrections in the database: entered, listed, taken back and undone, and in every figure."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
import pytest

from api_keys import new_key
from databases import Databases
from refreshed import refresh_figures
from stored import fetch
from storemon_pipeline.access.keys import Scope
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.figures.refresh_daily import compare_all_days
from storemon_pipeline.ingestion.ingest_files import ingest_source
from storemon_pipeline.ingestion.undo_load import undo_load

NOW: Final = datetime(2023, 2, 1, tzinfo=UTC)
MINUTE_US: Final = 60_000_000
# Store A is polled each hour of the day, and seen down at 9:00 alone: down from 8:30 to 9:30.
POLLS: Final = [
    f"A,2023-01-24 {hour:02}:00:00,{'inactive' if hour == 9 else 'active'}" for hour in range(19)
]
DAY: Final = 18 * 60
"""Minutes from the first poll to the newest."""

# What a correction of 8:40 to 9:10 makes of the day: opening time, downtime and incidents.
BEFORE: Final = (DAY, 60, [60])
KINDS: Final = {
    # 10 minutes before and 20 minutes after are left. No opening time lies between them, so they
    # are one incident.
    "taken_out": (DAY - 30, 30, [30]),
    "up": (DAY, 30, [10, 20]),
    # It is down anyway.
    "down": (DAY, 60, [60]),
}


@pytest.fixture(scope="module")
def polled_url(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of a database with the polls and their figures, for each test to have a copy."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "store_status.csv").write_text(
        "\n".join(("store_id,timestamp_utc,status", *POLLS, ""))
    )
    (folder / "timezones.csv").write_text("store_id,timezone_str\nA,UTC\n")
    for source in (Source.STORE_STATUS, Source.STORE_TIMEZONES):
        ingest_source(module_database_url, folder, source, now=NOW, run_id=None)
    refresh_figures(module_database_url)
    return module_database_url


@pytest.fixture
def database_url(databases: Databases, polled_url: str) -> Iterator[str]:
    with databases.copied(polled_url) as url:
        yield url


def ask(client: httpx.Client, address: str) -> dict[str, Any]:
    answer: dict[str, Any] = client.get(address).raise_for_status().json()
    return answer


BODY: Final = {"store_id": "A", "kind": "up", "reason": "power cut"}


def enter(
    client: httpx.Client,
    kind: str,
    start: str = "08:40",
    end: str = "09:10",
    store_id: str = "A",
) -> int:
    body = BODY | {
        "store_id": store_id,
        "from_utc": f"2023-01-24T{start}:00Z",
        "to_utc": f"2023-01-24T{end}:00Z",
        "kind": kind,
    }
    answer = client.post("/corrections", json=body)
    assert answer.status_code == 201, answer.text
    return int(answer.json()["correction_id"])


def figures(client: httpx.Client) -> dict[str, tuple[int, int, list[int]]]:
    """Opening time, downtime and the incidents in minutes, by the address that says so."""
    found = {}
    incidents = sorted(
        one["lost_us"] // MINUTE_US for one in ask(client, "/stores/A/incidents")["incidents"]
    )
    fleet = ask(client, "/incidents?from=2023-01-24T00:00:00Z")["incidents"]
    of_fleet = sorted(one["lost_us"] // MINUTE_US for one in fleet)

    def add(name: str, business_us: int, down_us: int, lost: list[int]) -> None:
        found[name] = (business_us // MINUTE_US, down_us // MINUTE_US, lost)

    (day,) = ask(client, "/stores/A/uptime?by=day")["periods"]
    assert day["incidents"] == len(incidents)
    add("days", day["business_us"], day["downtime_us"], incidents)
    (hours,) = ask(client, "/fleet/uptime")["periods"]
    add("fleet", hours["business_us"], hours["downtime_us"], of_fleet)
    statement = ask(client, "/statement?period=2023-W04&store_id=A")
    of_statement = sorted(one["lost_us"] // MINUTE_US for one in statement["incidents"])
    total = statement["total"]
    assert total["unknown_us"] == total["opening_us"] - total["up_us"] - total["down_us"]
    add("statement", total["up_us"] + total["down_us"], total["down_us"], of_statement)
    return found


def windows(client: httpx.Client) -> list[tuple[int, int]]:
    """Opening time and downtime of the last day, in minutes, by each address."""
    explained = ask(client, "/stores/A/explain?window=day")
    down_us = sum(
        microseconds(one["end"]) - microseconds(one["start"])
        for one in explained["entries"]
        if one["kind"] == "down"
    )
    assert down_us == explained["downtime_us"]
    bodies = [
        explained,
        ask(client, "/stores/A")["figures"]["day"],
        ask(client, "/fleet/now")["windows"]["day"],
    ]
    return [(body["business_us"] // MINUTE_US, body["downtime_us"] // MINUTE_US) for body in bodies]


def microseconds(text: str) -> int:
    at = datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)
    return at // timedelta(microseconds=1)


@pytest.mark.parametrize("kind", KINDS)
def test_every_address_follows_a_correction_and_its_taking_back(
    database_url: str, client: httpx.Client, kind: str
) -> None:
    before = figures(client)
    business, down, lost = KINDS[kind]
    assert set(windows(client)) == {(24 * 60, 60)}
    polls = fetch(database_url, "SELECT * FROM store_status ORDER BY polled_at")
    number = enter(client, kind)
    refresh_figures(database_url)
    corrected = figures(client)
    for name, (opening, was_down, incidents) in before.items():
        assert (was_down, incidents) == BEFORE[1:], name
        expected = (opening - DAY + business, down, lost)
        assert corrected[name] == expected, name
    assert set(windows(client)) == {(24 * 60 - DAY + business, down)}
    assert fetch(database_url, "SELECT * FROM store_status ORDER BY polled_at") == polls
    assert compare_all_days(database_url).different == 0
    assert client.delete(f"/corrections/{number}").status_code == 204
    assert client.delete(f"/corrections/{number}").status_code == 404
    refresh_figures(database_url)
    assert figures(client) == before
    assert set(windows(client)) == {(24 * 60, 60)}
    assert ask(client, "/corrections")["corrections"] == []


def test_time_that_was_up_counts_as_down(database_url: str, client: httpx.Client) -> None:
    enter(client, "down", "12:00", "12:25")
    refresh_figures(database_url)
    assert {found[1:] for found in map(freeze, figures(client).values())} == {(85, (25, 60))}
    assert {down for _, down in windows(client)} == {85}


def freeze(found: tuple[int, int, list[int]]) -> tuple[int, int, tuple[int, ...]]:
    return *found[:2], tuple(found[2])


def test_a_correction_holds_where_an_event_says_otherwise(
    database_url: str, client: httpx.Client
) -> None:
    event = {"store_id": "A", "from_utc": "2023-01-24T12:00:00Z", "state": "down"}
    event["to_utc"] = "2023-01-24T13:00:00Z"
    client.post("/events", json={"events": [event]}).raise_for_status()
    # It begins before the event, and still holds inside of it.
    enter(client, "up", "11:50", "12:20")
    refresh_figures(database_url)
    assert {found[1:] for found in map(freeze, figures(client).values())} == {(100, (40, 60))}
    assert {down for _, down in windows(client)} == {100}
    explained = ask(client, "/stores/A/explain?window=day")["entries"]
    assert [one["reason"] for one in explained if one["start"][11:16] == "11:50"] == [
        "a correction says online: power cut"
    ]


def test_corrections_are_shown_beside_the_figures(client: httpx.Client) -> None:
    number = enter(client, "taken_out")
    (listed,) = ask(client, "/corrections?store_id=A")["corrections"]
    assert (listed["correction_id"], listed["kind"]) == (number, "taken_out")
    assert (listed["reason"], listed["author"]) == ("power cut", None)
    assert ask(client, "/stores/A/explain?window=day")["corrections"] == [listed]
    assert ask(client, "/stores/A/explain?window=hour")["corrections"] == []
    (line,) = ask(client, "/statement?period=2023-W04")["corrections"]
    assert (line["start_local"], line["kind"]) == ("2023-01-24T08:40:00", "taken_out")
    assert ask(client, "/statement?period=2023-W03")["corrections"] == []
    text = client.get("/statement.csv?period=2023-W04&table=corrections").raise_for_status().text
    (row,) = csv.DictReader(io.StringIO(text))
    assert (row["store_id"], row["counts_as"], row["reason"]) == ("A", "taken out", "power cut")
    page = client.get("/pages/statement?period=2023-W04").raise_for_status().text
    assert "Corrections" in page
    assert "power cut" in page


def test_a_sent_statement_is_revised_because_of_a_correction(client: httpx.Client) -> None:
    body = {"period": "2023-W04", "store_id": "A"}
    sent = client.post("/statements", json=body).raise_for_status().json()
    enter(client, "up")
    path = f"/statements/{sent['statement_id']}/revisions"
    revised = client.post(path).raise_for_status().json()
    assert any("events or corrections were entered" in text for text in revised["reasons"])
    found = ask(client, f"/statements/{revised['statement_id']}")["changes"]
    changes = {(one["line"], one["field"]): one for one in found}
    assert changes["total", "down_us"]["after"] == 30 * MINUTE_US
    assert changes["correction", "line"]["after"] == (
        "online until 2023-01-24 09:10, power cut (no name)"
    )


def test_undoing_the_load_of_a_correction_takes_it_back(
    database_url: str, client: httpx.Client
) -> None:
    number = enter(client, "up")
    client.delete(f"/corrections/{number}").raise_for_status()
    newest = fetch(database_url, "SELECT max(load_id) AS load_id FROM loads")[0]["load_id"]
    undo_load(database_url, newest, now=NOW)
    assert len(ask(client, "/corrections")["corrections"]) == 1
    undo_load(database_url, newest - 1, now=NOW)
    assert ask(client, "/corrections")["corrections"] == []


@pytest.mark.parametrize(
    ("change", "status"),
    [
        pytest.param({"reason": "  "}, 422, id="no reason"),
        pytest.param({"kind": "better"}, 422, id="unknown kind"),
        pytest.param({"to_utc": "2023-01-24T08:00:00Z"}, 422, id="ends where it starts"),
        pytest.param({"store_id": "nowhere"}, 404, id="unknown store"),
        pytest.param({"from_utc": "2023-01-24T07:30:00Z"}, 409, id="overlaps another"),
    ],
)
def test_a_wrong_correction_is_refused(
    client: httpx.Client, change: dict[str, str], status: int
) -> None:
    enter(client, "up", "08:40", "09:10")
    body = {
        "store_id": "A",
        "from_utc": "2023-01-24T08:00:00Z",
        "to_utc": "2023-01-24T08:41:00Z" if status == 409 else "2023-01-24T08:40:00Z",
        "kind": "down",
        "reason": "closed by mistake",
    }
    assert client.post("/corrections", json=body | change).status_code == status
    assert len(ask(client, "/corrections")["corrections"]) == 1


def test_a_key_of_one_store_corrects_it_alone_and_its_owner_does_not(
    database_url: str, client: httpx.Client
) -> None:
    client.put("/stores/B/timezone", json={"timezone": "UTC"}).raise_for_status()
    of_b = enter(client, "up", store_id="B")

    def key(store_id: str, scope: Scope) -> dict[str, str]:
        token = new_key(
            database_url, f"{scope} of {store_id}", Scope.READ, scope, stores={store_id}
        )
        return {"X-API-Key": token}

    franchisor, franchisee = key("A", Scope.INGEST), key("A", Scope.EDIT)
    body = BODY | {"from_utc": "2023-01-24T08:40:00Z", "to_utc": "2023-01-24T09:10:00Z"}
    assert client.post("/corrections", json=body, headers=franchisee).status_code == 403
    other = body | {"store_id": "B"}
    assert client.post("/corrections", json=other, headers=franchisor).status_code == 403
    entered = client.post("/corrections", json=body, headers=franchisor)
    assert (entered.status_code, entered.json()["author"]) == (201, "ingest of A")
    address = f"/corrections/{entered.json()['correction_id']}"
    listed = client.get("/corrections", headers=franchisee).raise_for_status().json()
    assert [one["store_id"] for one in listed["corrections"]] == ["A"]
    assert client.get("/corrections?store_id=B", headers=franchisee).status_code == 403
    assert client.delete(address, headers=franchisee).status_code == 403
    assert client.delete(f"/corrections/{of_b}", headers=franchisor).status_code == 403
    assert client.delete(address, headers=franchisor).status_code == 204
    rows = fetch(
        database_url, "SELECT cancelled_by FROM corrections WHERE cancelled_by IS NOT NULL"
    )
    assert [row["cancelled_by"] for row in rows] == ["ingest of A"]


def preview(client: httpx.Client, **change: object) -> dict[str, Any]:
    answer = client.post("/stores/A/preview", json=change)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def minutes(totals: dict[str, int]) -> tuple[int, int]:
    return totals["business_us"] // MINUTE_US, totals["downtime_us"] // MINUTE_US


@pytest.mark.parametrize("kind", KINDS)
def test_a_preview_says_what_a_correction_changes_and_keeps_nothing(
    database_url: str, client: httpx.Client, kind: str
) -> None:
    time = {"from_utc": "2023-01-24T08:40:00Z", "to_utc": "2023-01-24T09:10:00Z", "kind": kind}
    stored = fetch(database_url, "SELECT count(*) AS number FROM loads")
    business, down, _ = KINDS[kind]
    of_day = preview(client, correction=time)["figures"]["day"]
    assert minutes(of_day["before"]) == (24 * 60, 60)
    assert minutes(of_day["after"]) == (24 * 60 - DAY + business, down)
    assert fetch(database_url, "SELECT count(*) AS number FROM loads") == stored
    number = enter(client, kind)
    back = preview(client, cancelled_correction=number)["figures"]["day"]
    assert (back["before"], back["after"]) == (of_day["after"], of_day["before"])
    again = client.post("/stores/A/preview", json={"correction": time})
    assert (again.status_code, again.json()["title"]) == (409, "Overlapping correction")
    unknown = client.post("/stores/A/preview", json={"cancelled_correction": number + 1})
    assert (unknown.status_code, unknown.json()["title"]) == (404, "Unknown correction")


def test_a_preview_shows_the_days_before_the_first_poll_that_a_correction_adds(
    client: httpx.Client,
) -> None:
    time = {"from_utc": "2023-01-22T23:00:00Z", "to_utc": "2023-01-23T01:00:00Z", "kind": "up"}
    body = preview(client, correction=time)
    uptimes = {
        day["begin_local"][:10]: [
            day[when]["uptime_us"] // MINUTE_US for when in ("before", "after")
        ]
        for day in body["days"]
    }
    # From the correction on the store is known: it was online until the next poll says otherwise.
    assert uptimes == {"2023-01-22": [0, 60], "2023-01-23": [0, 24 * 60]}


def test_the_log_of_a_store_names_its_corrections_alone(client: httpx.Client) -> None:
    client.put("/stores/B/timezone", json={"timezone": "UTC"}).raise_for_status()
    own, other = enter(client, "up"), enter(client, "up", store_id="B")
    for number in (own, other):
        client.delete(f"/corrections/{number}").raise_for_status()
    changes = ask(client, "/stores/A/changes")["changes"]
    assert [(one["action"], one["correction_id"]) for one in changes] == [
        ("correction.cancel", own),
        ("correction.add", None),
    ]
