"""A key of some stores is answered as if there were no other stores.

Two databases are filled by the same steps: one with all stores, one with those of the key alone. A
key of these two stores gets from the first what an unlimited key gets from the second.
"""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from api_keys import new_key
from api_server import serve
from databases import Databases
from storemon_pipeline.access.key_management import list_keys
from storemon_pipeline.access.keys import Scope
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.figures.refresh_daily import refresh_daily
from storemon_pipeline.figures.refresh_uptime import refresh_uptime
from storemon_pipeline.ingestion.ingest_files import ingest_source
from storemon_pipeline.ingestion.push_schedules import push_rows
from storemon_pipeline.reports.make_reports import make_waiting_reports
from waiting import eventually

OWN: Final = {"own-1", "own-2"}
ALL: Final = [*sorted(OWN), "secret-1", "secret-2", "secret-3"]
END: Final = datetime(2023, 1, 30, 12, tzinfo=UTC)
NOW: Final = datetime(2023, 2, 1, tzinfo=UTC)
# What tells one installation or one moment from another, not what is said of stores.
VOLATILE: Final = {
    *("computed_at", "refreshed_at", "requested_at", "completed_at", "loaded_at", "seconds"),
    *("load_id", "report_id", "against", "report_url", "last_loaded_at", "closure_id"),
    "objective_id",
}
# What is kept by load or of the installation, so that a key of some stores gets null.
NOT_TOLD: Final = {
    *("dagster_url", "loads", "last_rows_read", "last_rows_rejected", "rows_loaded"),
    *("rows_replaced", "rows_removed"),
}

ADDRESSES: Final = [
    "/stores",
    "/stores?limit=1",
    "/stores?standing=down&sort=lost&order=desc",
    "/stores?group=North",
    "/stores?q=secret",
    "/stores/own-1",
    "/incidents",
    "/incidents?open=true",
    "/incidents?open=false&from=2023-01-10T00:00:00Z",
    "/fleet/now",
    "/fleet/now?format=csv&table=groups",
    "/fleet/now?format=csv&table=regions",
    "/fleet/now?format=csv&table=timezones",
    "/fleet/uptime",
    "/fleet/uptime?by=week&split=group",
    "/fleet/budgets",
    "/fleet/budgets?verdict=cannot be told&sort=left&limit=1",
    "/fleet/uptime?by=month&region=Coast",
    "/fleet/uptime?by=hour&split=region",
    "/fleet/uptime?by=hour&timezone=America/Chicago",
    "/data-health",
    "/data-health?format=csv&table=contradictions",
    "/data-health?format=csv&table=without_hours",
    "/data-health?format=csv&table=without_timezone",
    "/data-health?format=csv&table=only_rejected_hours",
    "/reports",
    "/reports?limit=1",
    "/reports/{later}/diff?against={earlier}",
    "/reports/{later}/diff?against={earlier}&limit=1",
    "/reports/{later}.json",
    "/reports/{later}.csv",
    "/reports/{later}",
    "/get_report/{later}",
    "/get_report?report_id={later}",
    "/api/get_report?report_id={later}",
    "/statement?period=2023-01",
    "/statement?period=2023-W04&region=Coast",
    "/statement.csv?period=2023-W04",
    "/statement.csv?period=2023-W04&table=incidents",
    "/statement.csv?period=2023-W04&table=closures",
    "/closures",
    "/objectives",
    "/poll-plan?polls_per_hour=3",
]
SAME_FOR_ALL: Final = {"/stores/own-1"}


@dataclass(frozen=True, slots=True)
class Side:
    """One database behind a running API, asked with one key."""

    url: str
    client: httpx.Client
    headers: dict[str, str]
    reports: dict[str, str]

    def ask(self, address: str) -> httpx.Response:
        return self.client.get(address.format(**self.reports), headers=self.headers)

    def told(self, address: str) -> Any:  # noqa: ANN401 - the body of any answer
        answer = self.ask(address)
        assert answer.status_code == 200, answer.text
        if answer.headers["Content-Type"].startswith("text/csv"):
            return answer.text
        return plain(answer.json())


def plain(body: Any) -> Any:  # noqa: ANN401 - as above
    """Return a body without what differs between two installations of the same stores."""
    if isinstance(body, dict):
        return {
            name: plain(value)
            for name, value in body.items()
            if name not in VOLATILE and name not in NOT_TOLD
        }
    return [plain(value) for value in body] if isinstance(body, list) else body


def files(stores: list[str]) -> dict[str, list[str]]:
    """Return the lines of all files, as far as they speak of these stores.

    Stores 1 follow a week that lies two hours after the listed one and end down, stores 2 have
    neither hours nor zone, and `secret-3` has fallen silent. Of each there is a row that is bad.
    """
    lines = {
        "store_status.csv": ["store_id,timestamp_utc,status"],
        "business_hours.csv": ["store_id,dayOfWeek,start_time_local,end_time_local"],
        "timezones.csv": ["store_id,timezone_str"],
        "stores.csv": ["store_id,name,group,region"],
        "closures.csv": [
            "store_id,start_local,end_local,reason",
            "*,2023-01-20 00:00,2023-01-20 06:00,storm",
        ],
        "objectives.csv": [
            "applies_to,name,objective",
            *("all,,98", "group,North,97", "region,Coast,96"),
        ],
        "special_hours.csv": ["store_id,date,start_time_local,end_time_local"],
        "demand.csv": ["store_id,weekday,hour,sales_per_hour,currency"],
        "store_events.csv": ["store_id,from_utc,to_utc,state,reason,source"],
    }
    for number, store in enumerate(stores):
        kind = store[-1]
        for hours_ago in range(28 * 24):
            at = END - timedelta(hours=hours_ago, minutes=0 if store == "own-1" else 1 + number)
            if kind == "3" and hours_ago < 200:
                continue
            is_up = 11 <= at.hour < 19 and hours_ago > 1 if kind == "1" else at.hour % 7 != 3
            status = "active" if is_up else "inactive"
            lines["store_status.csv"].append(f"{store},{at:%Y-%m-%d %H:%M:%S} UTC,{status}")
        lines["store_status.csv"].append(f"{store},2023-01-24 10:00:00 UTC,broken")
        if kind == "1":
            lines["business_hours.csv"] += [f"{store},{day},09:00,17:00" for day in range(7)]
            lines["timezones.csv"].append(f"{store},UTC")
        else:
            lines["business_hours.csv"].append(f"{store},8,09:00,17:00")
            lines["timezones.csv"].append(f"{store},Nowhere/{store}")
        region = "Coast" if store in {"own-2", "secret-2"} else f"Hills of {store}"
        lines["stores.csv"].append(
            f"{store},Shop {store},{'North' if kind == '1' else ''},{region}"
        )
        lines["objectives.csv"].append(f"store,{store},99")
        lines["special_hours.csv"].append(f"{store},2023-01-02,10:00,12:00")
        lines["store_events.csv"].append(
            f"{store},2023-01-20 14:00:00,2023-01-20 14:30:00,down,fault at {store},till"
        )
        currency = "EUR" if store == "secret-2" else "USD"
        lines["demand.csv"] += [
            f"{store},{day},{hour},{100 + number + hour},{currency}"
            for day in range(7)
            for hour in range(24)
        ]
        if region != "Coast":
            lines["objectives.csv"].append(f"region,{region},95")
        lines["closures.csv"].append(f"{store},2023-01-25 13:00,2023-01-25 14:00,works at {store}")
    return lines


def fill(url: str, data: Path, stores: list[str]) -> None:
    """Load the files of these stores, with everything that a refresh makes of them."""
    data.mkdir()
    for name, lines in files(stores).items():
        (data / name).write_text("\n".join(lines) + "\n")
    if stores == ALL:
        (data / "stores").mkdir()
        (data / "stores" / "refused.csv").write_text("name,group\nsecret,none\n")
    for source in Source:
        if source in {Source.HOURLY_ORDERS, Source.CHANNELS}:
            continue  # it has no file here
        ingest_source(url, data, source, now=NOW, run_id=None)
    refresh_uptime(url, refreshed_at=NOW)
    refresh_daily(url)


def make_reports(url: str, client: httpx.Client, headers: dict[str, str], stores: list[str]) -> Any:  # noqa: ANN401 - ids by name
    """Make two reports on one instant; in between stores 2 get other hours."""
    ids = {}
    for name in ("earlier", "later"):
        ids[name] = client.post("/trigger_report", headers=headers).json()["report_id"]
        make_waiting_reports(url, run_id=name, is_manual=False)
        for store in stores if name == "earlier" else ():
            if store.endswith("2"):
                row = {
                    "store_id": store,
                    "dayofweek": "0",
                    "start_time_local": "01:00",
                    "end_time_local": "05:00",
                    "valid_from": "always",
                }
                push_rows(url, Source.BUSINESS_HOURS, [row], now=NOW, patience=timedelta(seconds=5))
    refresh_daily(url)
    return ids


def key(url: str, *, stores: set[str] | None) -> dict[str, str]:
    """Return the header of a new key that may do everything, to these stores or to all."""
    token = new_key(
        url,
        f"key {len(list_keys(url))}",
        Scope.ADMIN,
        stores=stores,
    )
    return {"X-API-Key": token}


Sides = tuple[Side, Side, Side]
"""The key's side, everyone's of the same database, and that of the key's stores alone."""


@contextmanager
def serve_sides(url: str, other_url: str, folder: Path) -> Iterator[Sides]:
    with ExitStack() as stack:
        found = []
        for own_url, stores in ((url, ALL), (other_url, sorted(OWN))):
            fill(own_url, folder / str(len(stores)), stores)
            unlimited = key(own_url, stores=None)
            client = stack.enter_context(serve(own_url))
            ids = make_reports(own_url, client, unlimited, stores)
            found.append(Side(own_url, client, unlimited, ids))
        everyone, alone = found
        yield limited_to(OWN, everyone), everyone, alone


@pytest.fixture(scope="module")
def sides(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sides]:
    """Give the sides to tests that only read."""
    with (
        databases.taken() as url,
        databases.taken() as other_url,
        serve_sides(url, other_url, tmp_path_factory.mktemp("files")) as sides,
    ):
        yield sides


@pytest.fixture
def own_sides(database_url: str, other_database_url: str, tmp_path: Path) -> Iterator[Sides]:
    """Give the sides to a test that changes them."""
    with serve_sides(database_url, other_database_url, tmp_path) as sides:
        yield sides


def limited_to(stores: set[str], everyone: Side) -> Side:
    """Return the side of a new key of some stores, once it is known."""
    header = key(everyone.url, stores=stores)
    limited = Side(everyone.url, everyone.client, header, everyone.reports)
    eventually(lambda: limited.ask("/stores").status_code == 200)
    return limited


def test_a_key_of_some_stores_reads_what_it_would_if_no_others_existed(
    sides: Sides,
) -> None:
    limited, everyone, alone = sides
    for address in ADDRESSES:
        told = limited.told(address)
        assert told == alone.told(address), address
        # A place where the others make no difference would prove nothing.
        assert told != everyone.told(address) or address in SAME_FOR_ALL, address


def test_no_answer_to_it_names_another_store(sides: Sides) -> None:
    limited, everyone, _ = sides
    pages = ["/", "/pages/reports", "/pages/data", "/store/own-1"]
    named = 0
    for address in [*ADDRESSES, *pages]:
        # What was asked for is in the address of the next page.
        assert "secret" not in limited.ask(address).text.replace("q=secret", ""), address
        named += "secret" in everyone.ask(address).text.replace("q=secret", "")
    assert named > 12


def test_its_health_of_the_data_is_that_of_its_rows(sides: Sides) -> None:
    limited, _, _ = sides
    health = limited.ask("/data-health").json()
    assert health["stores"] == 2
    assert [source["source"] for source in health["sources"]] == [
        *("business_hours", "closures", "demand", "objectives", "special_hours"),
        "store_details",
        *("store_events", "store_status", "store_timezones"),
    ]
    assert {source[name] for source in health["sources"] for name in NOT_TOLD & source.keys()} == {
        None
    }
    assert [(kind["source"], kind["rows"]) for kind in health["rejected"]] == [
        *(("store_status", 2), ("business_hours", 1), ("store_timezones", 1))
    ]
    assert health["contradictions"][0]["store_id"] == "own-1"
    assert health["contradictions_total"] == 1
    assert {one["store_id"] for one in health["contradicting_polls"]} <= {"own-1", "own-2"}
    assert health["contradicting_polls_total"] == len(health["contradicting_polls"]) > 0
    assert health["dagster_url"] is None
    assert (health["unread_files"], health["unread_files_total"]) == ([], 0)


def test_its_diff_names_the_loads_that_speak_of_its_stores(sides: Sides) -> None:
    limited, everyone, _ = sides
    address = "/reports/{later}/diff?against={earlier}"
    own, whole = limited.ask(address).json(), everyone.ask(address).json()
    assert [(one["source"], one.get("rows_loaded")) for one in own["inputs"]] == [
        ("business_hours", None)
    ]
    assert [(one["source"], one["rows_loaded"]) for one in whole["inputs"]] == [
        ("business_hours", 1),
        ("business_hours", 1),
    ]


def test_news_come_to_it_without_the_number_of_loads(sides: Sides) -> None:
    limited, everyone, _ = sides

    def first_event(side: Side) -> dict[str, Any]:
        with side.client.stream("GET", "/events", headers=side.headers) as answer:
            assert answer.status_code == 200
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    event: dict[str, Any] = json.loads(line.removeprefix("data: "))
                    return event
        raise AssertionError

    assert first_event(limited)["load_id"] is None
    assert first_event(everyone)["load_id"] > 0


def test_its_responses_are_cached_by_nobody_else(sides: Sides) -> None:
    limited, everyone, _ = sides
    for address in ADDRESSES:
        answer = limited.ask(address)
        vary = {name.strip().lower() for name in answer.headers["Vary"].split(",")}
        assert {"authorization", "x-api-key"} <= vary, address
        assert re.match("private|no-store", answer.headers["Cache-Control"]), address
    for form in ("csv", "json", "ndjson", "parquet", "xlsx"):
        own = limited.ask(f"/reports/{{later}}.{form}")
        whole = everyone.ask(f"/reports/{{later}}.{form}")
        assert own.headers["ETag"] != whole.headers["ETag"]
        for tag, status in ((own.headers["ETag"], 304), (whole.headers["ETag"], 200)):
            again = limited.client.get(
                f"/reports/{limited.reports['later']}.{form}",
                headers={**limited.headers, "If-None-Match": tag},
            )
            assert again.status_code == status, form


def test_a_key_of_unknown_stores_reads_of_no_store(sides: Sides) -> None:
    ghost = limited_to({"ghost"}, sides[1])
    for address in ADDRESSES:
        if address != "/stores/own-1":
            answer = ghost.ask(address)
            assert answer.status_code == 200, address
            assert not re.search("own-|secret-", answer.text), address
    assert ghost.ask("/fleet/now").json()["stores"] == 0
    assert ghost.ask("/stores/ghost").status_code == 404


def test_it_cancels_closures_of_its_stores_and_no_others(own_sides: Sides) -> None:
    limited, everyone, _ = own_sides
    by_store = {
        one["store_id"]: one["closure_id"] for one in everyone.ask("/closures").json()["closures"]
    }

    def cancel(closure_id: int) -> httpx.Response:
        return limited.client.delete(f"/closures/{closure_id}", headers=limited.headers)

    refused = [cancel(by_store["*"]), cancel(by_store["secret-1"]), cancel(999)]
    assert [answer.status_code for answer in refused] == [403, 403, 403]
    assert len({answer.content for answer in refused}) == 1
    assert cancel(by_store["own-1"]).status_code == 204
    assert cancel(by_store["own-1"]).status_code == 403
    left = {one["store_id"] for one in everyone.ask("/closures").json()["closures"]}
    assert left == by_store.keys() - {"own-1"}


def test_it_pushes_no_row_of_another_store_not_even_a_bad_one(
    sides: Sides,
) -> None:
    limited, everyone, _ = sides
    before = everyone.told("/data-health")
    for row in ("secret-1,2999-01-01 00:00:00 UTC,active", "own-1,,\nsecret-1,never,active"):
        answer = limited.client.post(
            "/polls?on_error=reject",
            headers={**limited.headers, "Content-Type": "text/csv"},
            content=f"store_id,timestamp_utc,status\n{row}\n".encode(),
        )
        assert answer.status_code == 403
    body = [{"store_id": "secret-1", "timestamp_utc": "never", "status": "active"}]
    answer = limited.client.post("/polls?on_error=reject", headers=limited.headers, json=body)
    assert answer.status_code == 403
    assert everyone.told("/data-health") == before
