"""Stored objectives: from files and requests, in versions, and as budgets use them."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from api_keys import new_key
from api_server import serve
from clock_changes import AUTUMN, SPRING, draw, fill
from databases import Databases
from stored import execute, fetch, load
from storemon_pipeline.access.keys import Scope
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.figures.fit_status_model import fit_status_model
from storemon_pipeline.ingestion.ingest_files import ingest_source
from storemon_pipeline.ingestion.undo_load import undo_load
from storemon_pipeline.loads.load_log import RowCounts

NOW = datetime(2023, 2, 1, tzinfo=UTC)
HEADER = "applies_to,name,objective,by,valid_from\n"


def ingest(url: str, folder: Path, *rows: str, now: datetime = NOW) -> RowCounts:
    (folder / "objectives.csv").write_text(HEADER + "".join(f"{row}\n" for row in rows))
    return ingest_source(url, folder, Source.OBJECTIVES, now=now, run_id=None).row_counts


def stored(client: httpx.Client) -> list[str]:
    """The versions in words, such as `group Bay month 99.0 from 2023-02-01`."""
    answer = client.get("/objectives").raise_for_status().json()
    assert answer["next_after"] is None
    return [
        " ".join(
            [
                *(row["applies_to"], row["name"] or "-", row["by"]),
                *(str(row["objective"]), "from", (row["valid_from"] or "always")[:10]),
            ]
        )
        for row in answer["objectives"]
    ]


def put(client: httpx.Client, **body: object) -> httpx.Response:
    return client.put("/objectives", json=body)


def test_a_file_is_loaded_in_versions(
    database_url: str, client: httpx.Client, tmp_path: Path
) -> None:
    first = ("all,,98,,", "store,A,99.5,month,2023-01-01T00:00:00Z", "group,Bay,99,week,always")
    assert ingest(database_url, tmp_path, *first) == RowCounts(3, 0, 0, 0)
    assert ingest(database_url, tmp_path, *first, "") == RowCounts(0, 0, 3, 0)
    expected = [
        "all - month 98.0 from always",
        "store A month 99.5 from 2023-01-01",
        "group Bay week 99.0 from always",
    ]
    assert stored(client) == expected
    # What is in no file any more stays, `none` ends it, and a bad row is kept.
    later = NOW + timedelta(days=30)
    changed = ("all,,97,,", "all,,97.5,,", "group,Bay,none,week,", "all,,200,,")
    assert ingest(database_url, tmp_path, *changed, now=later) == RowCounts(0, 2, 1, 1)
    assert stored(client) == [
        *expected,
        "all - month 97.5 from 2023-03-03",
        "group Bay week None from 2023-03-03",
    ]
    # An ended objective that is read again makes no new version.
    again = (*changed[1:3], "region,West,96,,")
    assert ingest(database_url, tmp_path, *again, now=later) == RowCounts(1, 0, 2, 0)


def test_undoing_a_load_takes_its_versions_out(
    database_url: str, client: httpx.Client, tmp_path: Path
) -> None:
    ingest(database_url, tmp_path, "all,,98,,", "store,only-named-here,99,,")
    assert fetch(database_url, "SELECT store_id FROM stores") == [{"store_id": "only-named-here"}]
    undo_load(database_url, 1, now=NOW)
    assert stored(client) == []
    assert fetch(database_url, "SELECT store_id FROM stores") == []


def test_an_objective_is_set_once_and_cancelled(client: httpx.Client) -> None:
    body = {"applies_to": "group", "name": "Bay", "objective": 99.25, "by": "week"}
    assert put(client, **body).json()["rows_loaded"] == 1
    assert put(client, **body).json()["rows_unchanged"] == 1
    assert put(client, **body, valid_from="2023-03-01T00:00:00Z").json()["rows_replaced"] == 1
    assert stored(client) == [
        "group Bay week 99.25 from always",
        "group Bay week 99.25 from 2023-03-01",
    ]
    assert client.delete("/objectives/1").status_code == 204
    assert stored(client) == ["group Bay week 99.25 from 2023-03-01"]
    for gone in ("1", "99", "x", "99999999999"):
        answer = client.delete(f"/objectives/{gone}")
        assert answer.status_code == 404
        assert answer.json()["type"].endswith("unknown-objective")


def test_what_a_request_cancelled_stays_cancelled_when_the_file_is_read_again(
    database_url: str, client: httpx.Client, tmp_path: Path
) -> None:
    ingest(database_url, tmp_path, "all,,98,,")
    client.delete("/objectives/1").raise_for_status()
    assert ingest(database_url, tmp_path, "all,,98,,", "region,West,99,,") == RowCounts(1, 0, 1, 0)
    assert stored(client) == ["region West month 99.0 from always"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"applies_to": "all", "objective": 100.5}, "percentage"),
        ({"applies_to": "all", "objective": 98.12345}, "percentage"),
        ({"applies_to": "all", "objective": -1}, "percentage"),
        ({"applies_to": "all", "name": "West", "objective": 98}, "name"),
        ({"applies_to": "store", "objective": 98}, "no store id"),
        ({"applies_to": "all", "objective": 98, "valid_from": "soon"}, "valid_from"),
        ({"applies_to": "everyone", "objective": 98}, "applies_to"),
        ({"applies_to": "all", "objective": 98, "by": "day"}, "by"),
        ({"applies_to": "all"}, "objective"),
        ({"applies_to": "group", "name": "a\0b", "objective": 98}, "NUL"),
    ],
)
def test_an_objective_that_cannot_be_read_is_refused(
    client: httpx.Client, body: dict[str, object], reason: str
) -> None:
    answer = put(client, **body)
    assert answer.status_code == 422
    assert reason in answer.text
    assert stored(client) == []


def test_a_key_of_some_stores_sets_and_sees_what_concerns_them(
    database_url: str, client: httpx.Client
) -> None:
    load(database_url, "A 09:00 up", "B 09:00 up")
    execute(
        database_url,
        "INSERT INTO store_details (store_key, name, group_name, region, load_id)"
        " SELECT store_key, store_id, 'group ' || store_id, 'region ' || store_id, 1 FROM stores",
    )
    for applies_to, names in {
        "store": ["A", "B"],
        "group": ["group A", "group B"],
        "region": ["region A", "region B"],
        "all": [""],
    }.items():
        for name in names:
            put(client, applies_to=applies_to, name=name, objective=98).raise_for_status()
    token = new_key(database_url, "some", Scope.READ, Scope.INGEST, stores={"A"})
    limited = httpx.Client(base_url=client.base_url, headers={"Authorization": f"Bearer {token}"})
    with limited:
        listed = limited.get("/objectives").json()["objectives"]
        assert [row["name"] for row in listed] == ["A", "group A", "region A", ""]
        exported = limited.get("/objectives?format=openslo").text
        assert "A (A)" in exported
        assert "B (B)" not in exported
        assert put(limited, applies_to="store", name="A", objective=99).status_code == 200
        for applies_to, name in (("store", "B"), ("group", "group A"), ("all", "")):
            assert put(limited, applies_to=applies_to, name=name, objective=99).status_code == 403
        assert limited.delete("/objectives/2").status_code == 403
        assert limited.delete("/objectives/3").status_code == 403
        assert limited.delete("/objectives/99").status_code == 403
        assert limited.delete("/objectives/1").status_code == 204


@pytest.mark.parametrize(
    ("zone", "last_instant", "month_end"),
    [
        # New York: 23 March days of 24 hours, one of 23; its April begins at 04:00 UTC.
        ("America/New_York", "2023-04-01T03:59:59Z", "2023-04-01T04:00:00Z"),
        # Berlin goes back on 29 October: its November begins at 23:00 UTC, not at 22:00.
        ("Europe/Berlin", "2023-10-31T22:59:59Z", "2023-10-31T23:00:00Z"),
    ],
    ids=["spring", "autumn"],
)
def test_a_version_counts_for_the_local_month_that_it_begins_in(
    client: httpx.Client, zone: str, last_instant: str, month_end: str
) -> None:
    noon = datetime.fromisoformat(month_end) - timedelta(days=15)
    polls = [{"store_id": "A", "timestamp_utc": noon.isoformat(), "status": "active"}]
    client.post("/polls", json=polls).raise_for_status()
    client.put("/stores/A/timezone", json={"timezone": zone}).raise_for_status()
    put(client, applies_to="all", objective=98).raise_for_status()

    def objective() -> float:
        budget = client.get("/stores/A/budget").raise_for_status().json()
        assert datetime.fromisoformat(budget["end"]) == datetime.fromisoformat(month_end)
        assert client.get("/stores/A").json()["objectives"] == {"month": budget["objective"]}
        found: float = budget["objective"]
        return found

    assert objective() == 98
    put(client, applies_to="all", objective=99, valid_from=month_end).raise_for_status()
    assert objective() == 98
    put(client, applies_to="all", objective=97, valid_from=last_instant).raise_for_status()
    assert objective() == 97


def test_a_budget_without_a_stored_objective_asks_for_one(
    database_url: str, client: httpx.Client
) -> None:
    load(database_url, "A 09:00 up")
    missing = client.get("/stores/A/budget")
    assert (missing.status_code, missing.json()["type"][-12:]) == (404, "no-objective")
    assert client.get("/stores/A").json()["objectives"] == {}
    asked = client.get("/stores/A/budget?objective=98.5").json()
    assert (asked["objective"], asked["is_stored"]) == (98.5, False)
    put(client, applies_to="store", name="A", objective=98.5, by="week").raise_for_status()
    assert client.get("/stores/A/budget").status_code == 404
    week = client.get("/stores/A/budget?by=week").json()
    assert (week["objective"], week["is_stored"]) == (98.5, True)
    same = client.get("/stores/A/budget?by=week&objective=98.5").json()
    assert same | {"is_stored": True} == week


def fill_month(url: str, change: datetime) -> None:
    """Give three stores polls over a clock change, objectives and a status model.

    That their budgets equal the reference is tested with an objective in the request.
    """
    fill(url, draw(change, seed=change.month))
    fit_status_model(url, fitted_at=NOW)
    with serve(url) as client:
        for body in (
            {"applies_to": "all", "objective": 98.5},
            {"applies_to": "group", "name": "East", "objective": 1},
            {"applies_to": "store", "name": "A", "objective": 100},
            {"applies_to": "group", "name": "East", "objective": 90, "by": "week"},
        ):
            put(client, **body).raise_for_status()


@pytest.fixture(scope="module", params=[SPRING, AUTUMN], ids=["spring", "autumn"])
def month_url(databases: Databases, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a database of a filled month, for each service to have a copy."""
    with databases.taken() as url:
        fill_month(url, request.param)
        yield url


@pytest.fixture(scope="module")
def month(databases: Databases, month_url: str) -> Iterator[httpx.Client]:
    """A running API of a filled month, for tests that only read it."""
    with databases.copied(month_url) as url, serve(url) as client:
        yield client


@pytest.fixture
def own_month(databases: Databases, month_url: str) -> Iterator[httpx.Client]:
    """A running API of a filled month, for a test that changes it."""
    with databases.copied(month_url) as url, serve(url) as client:
        yield client


@pytest.mark.parametrize(
    ("by", "objectives"),
    [("month", {"A": 100.0, "B": 1.0, "C": 98.5}), ("week", {"A": 90.0, "B": 90.0})],
)
def test_the_list_of_budgets_has_those_of_the_stores(
    month: httpx.Client, by: str, objectives: dict[str, float]
) -> None:
    page = month.get(f"/fleet/budgets?by={by}&sort=store_id&order=asc").json()
    assert {row["store_id"]: row["objective"] for row in page["budgets"]} == objectives
    for row in page["budgets"]:
        own = month.get(f"/stores/{row['store_id']}/budget?by={by}").json()
        assert {name: row[name] for name in own} == own
        asked = f"/stores/{row['store_id']}/budget?by={by}&objective={own['objective']}"
        assert month.get(asked).json() == own | {"is_stored": False}
    verdicts = [row["verdict"] for row in page["budgets"]]
    assert page["verdicts"] == {
        one: verdicts.count(one) for one in ("met", "missed", "cannot be told")
    }
    assert page["spent"] == sum(row["is_spent"] for row in page["budgets"])


def test_the_list_of_budgets_is_filtered(month: httpx.Client) -> None:
    def found(**parameters: str) -> list[str]:
        page = month.get("/fleet/budgets", params=parameters).raise_for_status().json()
        assert page["total"] == len(page["budgets"])
        return sorted(row["store_id"] for row in page["budgets"])

    every = month.get("/fleet/budgets").json()["budgets"]
    verdict = {row["store_id"]: row["verdict"] for row in every}
    # Nearly never up is enough: no doubt that it is met. Always up: no doubt that it is not.
    assert (verdict["B"], verdict["A"]) == ("met", "missed")
    assert "B" in found(verdict="met")
    assert "A" not in found(verdict="met")
    assert found(group="East") == ["A", "B"]
    assert found(q="c") == ["C"]
    assert found(spent="true") == sorted(row["store_id"] for row in every if row["is_spent"])
    assert found(spent="false") == sorted(row["store_id"] for row in every if not row["is_spent"])
    # The counts are of all verdicts, whichever is chosen.
    chosen = month.get("/fleet/budgets?verdict=met&group=East").json()
    assert chosen["verdicts"] == {"met": 1, "missed": 1, "cannot be told": 0}


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_the_list_of_budgets_is_sorted(month: httpx.Client, order: str) -> None:
    def share(row: dict[str, Any]) -> float | None:
        return row["spent_us"] / row["budget_us"] if row["budget_us"] else None

    values: dict[str, Any] = {
        "store_id": lambda row: row["store_id"],
        "verdict": lambda row: ["missed", "cannot be told", "met"].index(row["verdict"]),
        "objective": lambda row: row["objective"],
        "uptime": lambda row: row["uptime_percent"],
        "spent_share": share,
        "left": lambda row: row["left_us"],
        "burn_day": lambda row: row["burns"][0]["rate"],
        "burn_three_days": lambda row: row["burns"][1]["rate"],
        "runs_out": lambda row: row["runs_out_at"],
    }
    unknown = 0
    for sort, value in values.items():
        page = month.get("/fleet/budgets", params={"sort": sort, "order": order}).json()
        found = [value(row) for row in page["budgets"]]
        known = [one for one in found if one is not None]
        unknown += len(found) - len(known)
        assert known == sorted(known, reverse=order == "desc"), sort
        assert found == known + [None] * (len(found) - len(known)), sort
    assert unknown > 0


@pytest.mark.parametrize(
    ("body", "changed"),
    [
        pytest.param({"applies_to": "all", "objective": 1}, 1, id="all, of which two have another"),
        pytest.param({"applies_to": "group", "name": "East", "objective": 100}, 1, id="group"),
        pytest.param({"applies_to": "store", "name": "C", "objective": 100}, 1, id="first of C"),
        pytest.param({"applies_to": "store", "name": "A", "objective": None}, 1, id="end"),
        pytest.param({"applies_to": "store", "name": "nowhere", "objective": 9}, 0, id="unknown"),
        pytest.param(
            {"applies_to": "group", "name": "East", "objective": 9, "by": "week"}, 0, id="from now"
        ),
        pytest.param(
            {
                "applies_to": "group",
                "name": "East",
                "objective": 9,
                "by": "week",
                "valid_from": "always",
            },
            2,
            id="always",
        ),
    ],
)
def test_a_preview_says_what_an_objective_does_and_keeps_nothing(
    own_month: httpx.Client, body: dict[str, Any], changed: int
) -> None:
    by = body.get("by", "month")
    if body.get("by") is None:
        # The data are of 2023: what is set from now on would not hold for its month.
        body = body | {"valid_from": "always"}

    def counts() -> dict[str, Any]:
        page = own_month.get(f"/fleet/budgets?by={by}").raise_for_status().json()
        return {name: page[name] for name in ("verdicts", "spent")}

    before, versions = counts(), stored(own_month)
    preview = own_month.post("/objectives/preview", json=body).raise_for_status().json()
    assert (preview["before"], preview["stores_changed"]) == (before, changed)
    assert stored(own_month) == versions
    put(own_month, **body).raise_for_status()
    if body.get("name") != "nowhere":
        assert counts() == preview["after"]


def test_a_preview_is_refused_as_the_objective_would_be(
    database_url: str, client: httpx.Client
) -> None:
    def preview(**body: object) -> httpx.Response:
        return client.post("/objectives/preview", json=body)

    assert preview(applies_to="all", objective=98).json()["title"] == "No polls"
    load(database_url, "A 09:00 up", "B 09:00 up")
    assert preview(applies_to="all", objective=200).status_code == 422
    assert preview(applies_to="group", objective=98).status_code == 422
    token = new_key(database_url, "A alone", Scope.READ, Scope.INGEST, stores={"A"})
    client.headers["X-API-Key"] = token
    assert preview(applies_to="all", objective=98).status_code == 403
    own = preview(applies_to="store", name="A", objective=98).raise_for_status().json()
    assert (own["stores_changed"], sum(own["after"]["verdicts"].values())) == (1, 1)


def test_the_budgets_are_a_file_with_all_rows_as_filtered(month: httpx.Client) -> None:
    page = month.get("/fleet/budgets?group=East&sort=store_id&order=asc").json()
    answer = month.get("/fleet/budgets?group=East&sort=store_id&order=asc&limit=1&format=csv")
    rows = list(csv.DictReader(io.StringIO(answer.raise_for_status().text)))
    assert [row["store_id"] for row in rows] == ["A", "B"]
    for row, budget in zip(rows, page["budgets"], strict=True):
        assert (row["verdict"], row["name"]) == (budget["verdict"], budget["name"])
        assert float(row["left_hours"]) == round(budget["left_us"] / 3.6e9, 4)


def test_without_objectives_the_list_is_empty(database_url: str, client: httpx.Client) -> None:
    empty = client.get("/fleet/budgets").json()
    assert (empty["as_of"], empty["budgets"]) == (None, [])
    load(database_url, "A 09:00 up")
    assert client.get("/fleet/budgets").json()["total"] == 0
    # A store without any poll has a budget, but nothing can be told of it.
    put(client, applies_to="store", name="unpolled", objective=98).raise_for_status()
    (row,) = client.get("/fleet/budgets").json()["budgets"]
    assert (row["store_id"], row["verdict"], row["spent_us"]) == ("unpolled", "cannot be told", 0)


@pytest.mark.parametrize(
    ("polled_at", "month", "week"),
    [
        # Sydney puts its clocks back on 2 April, and forward on 1 October, in mid-month.
        ("2023-04-05T00:00:00Z", "2023-04-01 00:00:00", "2023-04-03 00:00:00"),
        ("2023-10-05T00:00:00Z", "2023-10-01 00:00:00", "2023-10-02 00:00:00"),
    ],
    ids=["autumn", "spring"],
)
def test_objectives_are_exported_as_openslo(
    client: httpx.Client, polled_at: str, month: str, week: str
) -> None:
    odd = 'Caf\u00e9 "7": # \U0001f600'
    for store_id in ("42", odd, "always"):
        poll = {"store_id": store_id, "timestamp_utc": polled_at, "status": "active"}
        client.post("/polls", json=[poll]).raise_for_status()
    client.put("/stores/42/timezone", json={"timezone": "Australia/Sydney"}).raise_for_status()
    assert client.get("/objectives?format=openslo").text == ""
    put(client, applies_to="all", objective=98.25).raise_for_status()
    put(client, applies_to="store", name="42", objective=99, by="week").raise_for_status()
    put(client, applies_to="store", name="always", objective=100).raise_for_status()
    answer = client.get("/objectives?format=openslo")
    assert answer.headers["Content-Type"] == "application/yaml"
    assert '# "always": OpenSLO cannot express an objective of 100 % per month.' in answer.text
    week_of_42, month_of_42, month_of_odd = yaml.safe_load_all(answer.text)
    assert {document["apiVersion"] for document in (week_of_42, month_of_42)} == {"openslo/v1"}
    assert month_of_42["metadata"]["name"] == "uptime-month-42"
    assert month_of_42["spec"]["timeWindow"] == [
        {
            "duration": "1M",
            "calendar": {"startTime": month, "timeZone": "Australia/Sydney"},
            "isRolling": False,
        }
    ]
    assert month_of_42["spec"]["objectives"] == [{"target": 0.9825}]
    assert week_of_42["spec"]["timeWindow"][0]["calendar"]["startTime"] == week
    assert week_of_42["spec"]["objectives"] == [{"target": 0.99}]
    assert week_of_42["spec"]["service"] == "42"
    assert month_of_odd["metadata"]["displayName"] == odd
    ratio = month_of_odd["spec"]["indicator"]["spec"]["ratioMetric"]
    path = ratio["total"]["metricSource"]["spec"]["path"]
    assert client.get(path).json()["sum"].keys() >= {*ratio["total"]["metricSource"]["spec"]["sum"]}
