"""Orders from files: summed by hour, undone, and learned from as expected sales."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from stored import fetch
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.demand.demand_table import read_demand
from storemon_pipeline.demand.expected_sales import DemandCurves
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.figures.learn_demand import learn_demand_when_due
from storemon_pipeline.ingestion.ingest_files import ingest_source
from storemon_pipeline.ingestion.undo_load import undo_load
from storemon_pipeline.loads.load_log import RowCounts
from storemon_pipeline.schedules.refresh_weeks import refresh_weeks
from storemon_pipeline.stores.store_index import read_stores

NOW = datetime(2025, 1, 1, tzinfo=UTC)
HEADERS = {
    Source.HOURLY_ORDERS: ("orders", "store_id,ordered_at,amount,currency,order_id"),
    Source.STORE_STATUS: ("store_status", "store_id,timestamp_utc,status"),
    Source.STORE_TIMEZONES: ("timezones", "store_id,timezone_str"),
    Source.BUSINESS_HOURS: (
        "business_hours",
        "store_id,day,start_time_local,end_time_local",
    ),
    Source.DEMAND: ("demand", "store_id,weekday,hour,sales_per_hour,currency"),
}
HOUR = timedelta(hours=1)
BERLIN = ZoneInfo("Europe/Berlin")


def ingest(
    url: str, folder: Path, source: Source, *rows: str, name: str | None = None
) -> RowCounts:
    own, header = HEADERS[source]
    path = folder / f"{own}.csv"
    if name is not None:
        path = folder / own / name
        path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join([header, *rows, ""]))
    return ingest_source(url, folder, source, now=NOW, run_id=None).row_counts


def in_force(url: str) -> list[tuple[str, str, int, int]]:
    """Store, day and hour, number and amount of the orders that count."""
    rows = fetch(
        url,
        """
        SELECT store_id, to_char(hour_start AT TIME ZONE 'UTC', 'DD HH24') AS hour, orders, amount
        FROM (
            SELECT DISTINCT ON (store_key, hour_start, currency) * FROM hourly_orders
            ORDER BY store_key, hour_start, currency, load_id DESC
        ) f JOIN stores USING (store_key)
        WHERE orders > 0 ORDER BY store_id, hour_start, currency
        """,
    )
    return [(row["store_id"], row["hour"], row["orders"], row["amount"]) for row in rows]


def test_a_file_that_grows_or_is_read_again_counts_once(database_url: str, tmp_path: Path) -> None:
    first = (
        "A,2024-01-01 09:10,1.50,usd,",
        "A,2024-01-01 09:59,2,USD,",
        "B,2024-01-01 11:00,4,EUR,",
    )
    assert ingest(database_url, tmp_path, Source.HOURLY_ORDERS, *first) == RowCounts(3, 0, 0, 0)
    of_first = [("A", "01 09", 2, 350), ("B", "01 11", 1, 400)]
    assert in_force(database_url) == of_first
    again = ingest(database_url, tmp_path, Source.HOURLY_ORDERS, *first, "bad,2024,x,USD,")
    assert again == RowCounts(0, 0, 3, 1)
    more = (*first, "B,2024-01-01 11:30,1,EUR,", "B,2024-01-01 12:30,1,EUR,")
    # The two orders of B at 11 are in a changed hour, the one at 12 in a new one.
    assert ingest(database_url, tmp_path, Source.HOURLY_ORDERS, *more) == RowCounts(1, 2, 2, 0)
    grown = [("A", "01 09", 2, 350), ("B", "01 11", 2, 500), ("B", "01 12", 1, 100)]
    assert in_force(database_url) == grown
    (tmp_path / "orders.csv").unlink()
    ingest(database_url, tmp_path, Source.HOURLY_ORDERS, *more, name="renamed.csv")
    assert in_force(database_url) == grown


def test_an_hour_that_has_gone_from_its_file_has_no_orders(
    database_url: str, tmp_path: Path
) -> None:
    rows = ("A,2024-01-01 09:10,1,USD,", "A,2024-01-01 10:10,2,USD,")
    ingest(database_url, tmp_path, Source.HOURLY_ORDERS, *rows)
    ingest(database_url, tmp_path, Source.HOURLY_ORDERS, rows[0])
    assert in_force(database_url) == [("A", "01 09", 1, 100)]
    undo_load(database_url, 2, now=NOW)
    assert in_force(database_url) == [("A", "01 09", 1, 100), ("A", "01 10", 1, 200)]
    undo_load(database_url, 1, now=NOW)
    assert in_force(database_url) == []
    assert fetch(database_url, "SELECT store_id FROM stores") == []


def test_an_order_with_an_id_counts_once_in_all_files(database_url: str, tmp_path: Path) -> None:
    ingest(database_url, tmp_path, Source.HOURLY_ORDERS, "A,2024-01-01 09:10,1,USD,7", name="a.csv")
    rows = (
        "A,2024-01-01 09:10,3,USD,7",
        "A,2024-01-01 09:20,1,USD,8",
        "B,2024-01-01 09:20,1,USD,8",
    )
    ingest(database_url, tmp_path, Source.HOURLY_ORDERS, *rows, name="b.csv")
    assert in_force(database_url) == [("A", "01 09", 2, 400), ("B", "01 09", 1, 100)]


def learned(url: str) -> DemandCurves | None:
    with bulk_transaction(url) as bulk:
        return read_demand(bulk, read_stores(bulk))


def weeks_of_orders(
    url: str, folder: Path, until: datetime, down: frozenset[datetime] = frozenset()
) -> None:
    """A store in Berlin that sells 10.00 in each hour, and 40.00 from 12:00 to 13:00 local time.

    Each amount is ten orders. It sells nothing in the hours in which it is down.
    """
    polls, orders = [], []
    for number in range(8 * 7 * 24):
        at = until - (number + 1) * HOUR
        state = "inactive" if at in down else "active"
        polls += [f"A,{at + minutes:%Y-%m-%d %H:%M:%S},{state}" for minutes in QUARTERS]
        if at not in down:
            amount = 4 if at.astimezone(BERLIN).hour == 12 else 1
            orders += [
                f"A,{at + minute * MINUTE:%Y-%m-%d %H:%M},{amount},USD," for minute in range(10)
            ]
    polls.append(f"A,{until:%Y-%m-%d %H:%M:%S},active")
    ingest(url, folder, Source.STORE_STATUS, *polls)
    ingest(url, folder, Source.STORE_TIMEZONES, "A,Europe/Berlin")
    refresh_weeks(url)
    ingest(url, folder, Source.HOURLY_ORDERS, *orders)


MINUTE = timedelta(minutes=1)
QUARTERS = (timedelta(0), timedelta(minutes=59, seconds=59))
CLOCKS_GO_FORWARD = datetime(2024, 4, 20, tzinfo=UTC)
CLOCKS_GO_BACK = datetime(2024, 11, 20, tzinfo=UTC)


@pytest.mark.parametrize("until", [CLOCKS_GO_FORWARD, CLOCKS_GO_BACK])
def test_hours_of_the_week_are_local_on_both_sides_of_a_clock_change(
    database_url: str, tmp_path: Path, until: datetime
) -> None:
    weeks_of_orders(database_url, tmp_path, until)
    assert learn_demand_when_due(database_url) == 1
    curves = learned(database_url)
    assert curves is not None
    assert curves.lowest is not None
    assert curves.highest is not None
    assert curves.currency == ["USD"]
    (rate,) = curves.rate.reshape(1, 7, 24)
    noon = np.arange(24) == 12
    # The store's own orders outweigh the fleet, which is itself.
    assert rate[:, noon] == pytest.approx(4000, rel=0.05)
    assert rate[:, ~noon] == pytest.approx(1000, rel=0.05)
    assert (curves.lowest < curves.rate).all()
    assert (curves.rate < curves.highest).all()
    assert learn_demand_when_due(database_url) == 0


def test_hours_in_which_the_store_was_down_do_not_lower_its_rates(
    database_url: str, tmp_path: Path
) -> None:
    until = CLOCKS_GO_FORWARD
    weeks_of_orders(
        database_url,
        tmp_path,
        until,
        # Every hour of three whole weeks, in which nothing was sold.
        down=frozenset(until - number * HOUR for number in range(100, 100 + 3 * 168)),
    )
    learn_demand_when_due(database_url)
    curves = learned(database_url)
    assert curves is not None
    assert curves.rate.sum() == pytest.approx(7 * (23 * 1000 + 4000), rel=0.02)


def test_loaded_demand_wins_and_undoing_the_orders_takes_the_learned_one_out(
    database_url: str, tmp_path: Path
) -> None:
    assert learn_demand_when_due(database_url) == 0
    weeks_of_orders(database_url, tmp_path, CLOCKS_GO_FORWARD)
    learn_demand_when_due(database_url)
    ingest(database_url, tmp_path, Source.DEMAND, "A,0,9,1,EUR")
    curves = learned(database_url)
    assert curves is not None
    assert (curves.currency, curves.rate.sum()) == (["EUR"], 100)
    undo_load(database_url, 4, now=NOW)
    curves = learned(database_url)
    assert curves is not None
    assert curves.currency == ["USD"]
    undo_load(database_url, 3, now=NOW)
    assert learned(database_url) is None
