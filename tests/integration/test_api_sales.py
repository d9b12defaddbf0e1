"""Sales lost in the API, against numbers made by hand and against the slow reference."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

import oracle_demand
import oracle_history
from api_server import serve
from clock_changes import AUTUMN, MAX_GAP, SPRING, draw, fill
from oracle_demand import Version
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.figures.refresh_daily import refresh_daily
from storemon_pipeline.figures.refresh_uptime import refresh_uptime
from storemon_pipeline.ingestion.ingest_files import ingest_source
from storemon_pipeline.schedules.weekly_intervals import refresh_intervals
from storemon_pipeline.views import fleet_sales
from storemon_pipeline.views.fleet_history import read_fleet_incidents
from storemon_pipeline.views.fleet_view import read_fleet

NOW: Final = datetime(2023, 2, 1, tzinfo=UTC)
AS_OF: Final = datetime(2023, 1, 25, 21, 30, tzinfo=UTC)
HEADER: Final = "store_id,weekday,hour,sales_per_hour,currency\n"

FILES: Final = {
    Source.BUSINESS_HOURS: "store_id,day,start_time_local,end_time_local\n"
    + "".join(f"A,{day},10:00,22:00\n" for day in range(7)),
    Source.STORE_TIMEZONES: "store_id,timezone_str\nA,UTC\nB,UTC\nC,UTC\n",
    Source.STORE_DETAILS: "store_id,name,group\nA,Ada,North\nB,Bea,North\nC,Cem,South\n",
    # A sells 100.00 an hour until 18:00, then 250.00; B 60.00 at any time.
    Source.DEMAND: HEADER
    + "".join(
        f"A,{day},{hour},{100 if hour < 18 else 250},USD\nB,{day},{hour},60.00,EUR\n"
        for day in range(7)
        for hour in range(24)
    ),
}


def polls() -> str:
    """Polls at half past for ten days: A is down twice, from 17:30 on; B at its last poll."""
    rows = ["store_id,timestamp_utc,status"]
    for ago in range(240):
        at = AS_OF - timedelta(hours=ago)
        for store in "ABC":
            is_down = (store == "A" and ago in {3, 4}) or (store == "B" and ago == 0)
            rows.append(f"{store},{at:%Y-%m-%d %H:%M:%S},{'inactive' if is_down else 'active'}")
    return "\n".join(rows) + "\n"


def load(url: str, folder: Path, source: Source, text: str) -> None:
    (folder / f"{source}.csv").write_text(text)
    ingest_source(url, folder, source, now=NOW, run_id=None)


@pytest.fixture(scope="module")
def sold(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("sold")
    load(module_database_url, folder, Source.STORE_STATUS, polls())
    for source in (Source.BUSINESS_HOURS, Source.STORE_TIMEZONES, Source.DEMAND):
        load(module_database_url, folder, source, FILES[source])
    (folder / "stores.csv").write_text(FILES[Source.STORE_DETAILS])
    ingest_source(module_database_url, folder, Source.STORE_DETAILS, now=NOW, run_id=None)
    with bulk_transaction(module_database_url, is_writing_polls=True) as bulk:
        refresh_intervals(bulk)
    refresh_uptime(module_database_url, refreshed_at=NOW)
    refresh_daily(module_database_url)
    return module_database_url


@pytest.fixture(scope="module")
def client(sold: str) -> Iterator[httpx.Client]:
    with serve(sold) as client:
        yield client


def get(client: httpx.Client, path: str) -> Any:  # noqa: ANN401 - JSON
    return client.get(path).raise_for_status().json()


# From 17:00 to 19:00: 100.00 and 250.00; by the polls from 17:30 to 18:30, or 16:30 to 19:30.
OF_A: Final = {"currency": "USD", "lost": 350.0, "lowest": 175.0, "highest": 525.0}
# From 21:00 to 21:30.
OF_B: Final = {"currency": "EUR", "lost": 30.0, "lowest": 0.0, "highest": 60.0}


def total(currency: str, lost: float) -> dict[str, object]:
    return {"currency": currency, "lost": lost, "lowest": None, "highest": None}


def test_an_incident_costs_the_sales_of_its_time(client: httpx.Client) -> None:
    page = get(client, "/incidents")
    assert {one["store_id"]: one["sales"] for one in page["incidents"]} == {"A": OF_A, "B": OF_B}
    assert page["summary"]["sales_lost"] == [total("EUR", 30.0), total("USD", 350.0)]
    assert [one["sales"] for one in get(client, "/incidents?open=true")["incidents"]] == [OF_B]
    page = get(client, "/stores/A/incidents")
    assert [one["sales"] for one in page["incidents"]] == [OF_A]
    assert page["summary"]["sales_lost"] == [total("USD", 350.0)]
    assert get(client, "/stores/B")["open_incident"]["sales"] == OF_B


def test_uptime_is_also_weighted_by_demand(client: httpx.Client) -> None:
    store = get(client, "/stores/A")
    day, week = store["sales"]["day"], store["sales"]["week"]
    # 21:30 to 22:00 of the day before, 10:00 to 18:00, 18:00 to 21:30.
    assert (day["expected"], day["lost"]) == (125.0 + 800.0 + 875.0, 350.0)
    assert day["uptime_percent"] == 80.55
    assert store["figures"]["day"]["uptime_percent"] == 83.33
    assert (week["expected"], week["lost"]) == (7 * 1800.0, 350.0)
    assert (store["sales"]["hour"]["expected"], store["sales"]["hour"]["lost"]) == (250.0, 0.0)
    assert get(client, "/stores/C")["sales"] is None
    assert get(client, "/stores/B")["sales_lost"] == OF_B


def test_totals_never_add_different_currencies(client: httpx.Client) -> None:
    fleet = get(client, "/fleet/now")
    day = fleet["windows"]["day"]["sales"]
    assert [(one["currency"], one["expected"], one["lost"]) for one in day] == [
        ("EUR", 24 * 60.0, 30.0),
        ("USD", 1800.0, 350.0),
    ]
    assert fleet["sales_lost"] == [total("EUR", 30.0), total("USD", 0.0)]
    north, south = fleet["groups"]
    assert (north["windows"]["day"]["sales"], south["windows"]["day"]["sales"]) == (day, [])


def test_stores_are_ranked_by_sales_lost_within_a_currency(client: httpx.Client) -> None:
    page = get(client, "/stores?sort=sales_lost_week&order=desc")
    assert [store["store_id"] for store in page["stores"]] == ["B", "A", "C"]
    page = get(client, "/stores?sort=sales_lost&order=desc")
    assert [store["store_id"] for store in page["stores"]] == ["B", "A", "C"]


def test_days_of_a_store_have_sales_and_their_sum(client: httpx.Client) -> None:
    history = get(client, "/stores/A/uptime?from=2023-01-24&to=2023-01-26")
    assert [(row["sales"]["expected"], row["sales"]["lost"]) for row in history["periods"]] == [
        (1800.0, 0.0),
        (1675.0, 350.0),
    ]
    assert (history["sales"]["expected"], history["sales"]["lost"]) == (3475.0, 350.0)


def test_files_have_columns_of_sales(client: httpx.Client) -> None:
    def rows(path: str) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(client.get(path).raise_for_status().text)))

    (outage,) = rows("/stores/A/incidents?format=csv")
    assert [outage[name] for name in ("sales_lost", "sales_lost_lowest", "currency")] == [
        *("350.0", "175.0", "USD"),
    ]
    first, _, third = rows("/stores?format=csv")
    assert first["sales_lost_last_week"] == "350.0"
    assert first["uptime_percent_by_demand_last_day"] == "80.55"
    assert third["sales_lost_last_week"] == ""
    assert rows("/stores/A/uptime?format=csv&from=2023-01-25")[0]["sales_expected"] == "1675.0"


def test_statements_have_sales_lost(client: httpx.Client) -> None:
    def rows(query: str) -> list[dict[str, str]]:
        text = client.get(f"/statement.csv?period=2023-W04{query}").raise_for_status().text
        return list(csv.DictReader(io.StringIO(text)))

    assert [(row["store_id"], row["sales_lost"]) for row in rows("&table=incidents")] == [
        ("A", "350.00 USD"),
        ("B", "30.00 EUR"),
    ]
    assert [row["sales_lost"] for row in rows("")][:3] == ["350.00 USD", "30.00 EUR", ""]
    assert get(client, "/statement?period=2023-W04")["total"]["sales_lost"] == (
        "30.00 EUR, 350.00 USD"
    )


def test_chunks_of_stores_give_the_same(sold: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def amounts(stores_per_chunk: int) -> list[object]:
        fleet = read_fleet(sold, stores_per_chunk=stores_per_chunk)
        found = read_fleet_incidents(sold, start=AS_OF - timedelta(days=1), end=AS_OF)
        assert fleet is not None
        assert fleet.sales is not None
        assert found is not None
        assert found.sales is not None
        week = fleet.sales.windows[-1]
        return [
            *(fleet.sales.currency, week.up.exact(), week.lost.exact()),
            *(fleet.sales.incidents.lost.exact(), found.sales.currency, found.sales.lost.exact()),
        ]

    whole = amounts(100)
    monkeypatch.setattr(fleet_sales, "_STORES_PER_CALENDAR", 1)
    assert amounts(1) == whole
    hour = 3_600_000_000
    assert whole[4:] == [["USD", "EUR"], [35000 * hour, 3000 * hour]]


@pytest.mark.parametrize("begin", [SPRING, AUTUMN])
def test_incidents_and_days_sum_to_the_reference_over_a_clock_change(
    database_url: str, tmp_path: Path, begin: datetime
) -> None:
    inputs = draw(begin, seed=3)
    fill(database_url, inputs)
    refresh_uptime(database_url, refreshed_at=NOW)
    with serve(database_url) as client:
        assert get(client, "/stores/A")["sales"] is None
        without = get(client, "/stores/A/incidents")
        assert {one["sales"] for one in without["incidents"]} == {None}
        assert "sales" not in client.get("/stores?format=csv").text
    week = {(day, hour): 100 * (7 * hour + day) for day in range(7) for hour in range(24)}
    rows = [
        f"{store},{day},{hour},{rate / 100:.2f},USD\n"
        for store in "ABC"
        for (day, hour), rate in week.items()
    ]
    load(database_url, tmp_path, Source.DEMAND, HEADER + "".join(rows))
    as_of = max(poll.polled_at for poll in inputs.polls)
    with serve(database_url) as client:
        for store in "ABC":
            found = oracle_history.stretches(
                inputs, store, begin, as_of, as_of=as_of, max_gap=MAX_GAP
            )
            by_day = oracle_demand.sales(found, [Version(None, week)], "day")
            history = get(client, f"/stores/{store}/uptime?limit=100")
            expected = {
                label: round(one.down / 3.6e11, 2) for (label, _), one in by_day.items() if one.down
            }
            assert {
                row["begin_local"][:16]: row["sales"]["lost"]
                for row in history["periods"]
                if row["sales"]["lost"]
            } == pytest.approx(expected, abs=0.011)
            whole = sum(one.down for one in by_day.values()) / 3.6e11
            assert history["sales"]["lost"] == pytest.approx(whole, abs=0.0051)
            (summed,) = get(client, f"/stores/{store}/incidents")["summary"]["sales_lost"]
            assert summed["lost"] == history["sales"]["lost"]


def sales(row: dict[str, Any]) -> list[tuple[str, float, float]]:
    return [(one["currency"], one["lost"], one["expected"]) for one in row["sales"]]


def test_the_history_of_the_fleet_has_sales_by_day_group_and_hour(client: httpx.Client) -> None:
    address = "/fleet/uptime?from=2023-01-24&to=2023-01-26"
    assert [sales(row) for row in get(client, address)["periods"]] == [[], []]
    today, yesterday = get(client, f"{address}&sales=true")["periods"]
    assert sales(today) == [("EUR", 30.0, 21.5 * 60), ("USD", 350.0, 1675.0)]
    assert sales(yesterday) == [("EUR", 0.0, 24 * 60.0), ("USD", 0.0, 1800.0)]
    by_group = get(client, f"{address}&sales=true&split=group")["periods"]
    assert [(row["group"], sales(row)) for row in by_group] == [
        *(("North", sales(today)), ("South", [])),
        *(("North", sales(yesterday)), ("South", [])),
    ]
    (week,) = get(client, "/fleet/uptime?by=week&limit=1&sales=true")["periods"]
    assert sales(week)[1] == ("USD", 350.0, 1800.0 * 2 + 1675.0)
    hours = get(client, "/fleet/uptime?by=hour&from=2023-01-25T17:00:00Z&sales=true&group=North")
    assert [
        (row["begin_local"][11:16], sales(row))
        for row in hours["periods"]
        if row["begin_local"] < "2023-01-25T19"
    ] == [
        ("18:00", [("EUR", 0.0, 60.0), ("USD", 250.0, 250.0)]),
        ("17:00", [("EUR", 0.0, 60.0), ("USD", 100.0, 100.0)]),
    ]
    text = client.get(f"{address}&sales=true&format=csv").raise_for_status().text
    first, _ = csv.DictReader(io.StringIO(text))
    assert (first["sales_lost_eur"], first["sales_lost_usd"]) == ("30.0", "350.0")
    assert first["sales_expected_usd"] == "1675.0"
    assert "sales" not in client.get(f"{address}&format=csv").text


def test_two_periods_are_compared_in_money(client: httpx.Client) -> None:
    days = "from=2023-01-25&to=2023-01-26&earlier_from=2023-01-23&earlier_to=2023-01-25"
    (plain,) = get(client, f"/fleet/comparison?{days}")["comparisons"]
    assert plain["later"]["sales"] == []
    (found,) = get(client, f"/fleet/comparison?{days}&sales=true")["comparisons"]
    assert sales(found["later"]) == [("EUR", 30.0, 21.5 * 60), ("USD", 350.0, 1675.0)]
    assert sales(found["earlier"]) == [("EUR", 0.0, 48 * 60.0), ("USD", 0.0, 3600.0)]
    (of_b,) = get(client, f"/fleet/comparison?{days}&sales=true&store_id=B")["comparisons"]
    assert sales(of_b["later"]) == [("EUR", 30.0, 21.5 * 60)]
    groups = get(client, f"/fleet/comparison?{days}&sales=true&split=group")["comparisons"]
    assert [sales(one["later"]) for one in groups] == [sales(found["later"]), []]
    text = client.get(f"/fleet/comparison?{days}&sales=true&format=csv").raise_for_status().text
    (row,) = csv.DictReader(io.StringIO(text))
    assert (row["later_sales_lost_usd"], row["earlier_sales_lost_usd"]) == ("350.0", "0.0")
    long = "from=2022-01-01&to=2023-01-01&earlier_from=2021-01-01&earlier_to=2022-01-01"
    refused = client.get(f"/fleet/comparison?{long}&sales=true")
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "sales")
