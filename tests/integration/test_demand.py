"""Expected sales from files: in versions, undone, and as curves of stores."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stored import fetch
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.database.instants import instant
from storemon_pipeline.demand.demand_table import read_demand
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.ingestion.ingest_files import ingest_source
from storemon_pipeline.ingestion.undo_load import undo_load
from storemon_pipeline.loads.load_log import RowCounts
from storemon_pipeline.stores.store_index import read_stores

NOW = datetime(2023, 2, 1, tzinfo=UTC)
HEADER = "store_id,weekday,hour,sales_per_hour,currency,valid_from\n"
ALWAYS = "always"


def ingest(url: str, folder: Path, *rows: str, now: datetime = NOW) -> RowCounts:
    (folder / "demand.csv").write_text(HEADER + "".join(f"{row}\n" for row in rows))
    return ingest_source(url, folder, Source.DEMAND, now=now, run_id=None).row_counts


def curves(url: str) -> list[tuple[str, str | None, str, dict[str, int]]]:
    """Store, currency, start and the hours with sales (`1 09`) of each version."""
    with bulk_transaction(url) as bulk:
        stores = read_stores(bulk)
        found = read_demand(bulk, stores)
    if found is None:
        return []
    rows = zip(found.store.tolist(), found.valid_from_us.tolist(), found.rate, strict=True)
    return [
        (
            stores.store_ids[store].as_py(),
            found.currency[store],
            ALWAYS if since < 0 else f"{instant(since):%Y-%m-%d}",
            {f"{hour // 24} {hour % 24:02}": int(rate[hour]) for hour in rate.nonzero()[0]},
        )
        for store, since, rate in rows
    ]


def test_a_file_is_loaded_in_versions(database_url: str, tmp_path: Path) -> None:
    assert curves(database_url) == []
    first = ("A,0,9,120,USD,", "A,0,10,80.25,USD,", "B,6,23,5,EUR,")
    assert ingest(database_url, tmp_path, *first) == RowCounts(3, 0, 0, 0)
    assert ingest(database_url, tmp_path, *first, "") == RowCounts(0, 0, 3, 0)
    of_b = ("B", "EUR", ALWAYS, {"6 23": 500})
    assert curves(database_url) == [("A", "USD", ALWAYS, {"0 09": 12000, "0 10": 8025}), of_b]
    # A changed week holds from its load on; a week with a date from there on.
    later = NOW + timedelta(days=30)
    changed = ("A,0,9,130,USD,", "B,6,23,5,EUR,", "A,0,9,150,USD,2023-06-01T00:00:00Z")
    assert ingest(database_url, tmp_path, *changed, now=later) == RowCounts(0, 2, 1, 0)
    assert curves(database_url) == [
        ("A", "USD", ALWAYS, {"0 09": 12000, "0 10": 8025}),
        ("A", "USD", "2023-03-03", {"0 09": 13000}),
        ("A", "USD", "2023-06-01", {"0 09": 15000}),
        of_b,
    ]


@pytest.mark.parametrize("last", ["EUR", "USD"])
def test_rows_in_another_currency_than_the_last_do_not_count(
    database_url: str, tmp_path: Path, last: str
) -> None:
    ingest(database_url, tmp_path, "A,0,8,1,EUR,", "A,0,9,2,USD,", f"A,0,10,3,{last},")
    hours = {"EUR": {"0 08": 100, "0 10": 300}, "USD": {"0 09": 200, "0 10": 300}}
    assert curves(database_url) == [("A", last, ALWAYS, hours[last])]


def test_of_two_rows_for_one_hour_the_later_counts(database_url: str, tmp_path: Path) -> None:
    ingest(database_url, tmp_path, "A,0,8,1,USD,", "A,0,8,2,USD,")
    assert curves(database_url) == [("A", "USD", ALWAYS, {"0 08": 200})]


def test_undoing_a_load_takes_its_version_out(database_url: str, tmp_path: Path) -> None:
    ingest(database_url, tmp_path, "only-named-here,0,8,1,USD,")
    ingest(database_url, tmp_path, "only-named-here,0,8,2,USD,", now=NOW + timedelta(days=1))
    undo_load(database_url, 2, now=NOW)
    assert curves(database_url) == [("only-named-here", "USD", ALWAYS, {"0 08": 100})]
    undo_load(database_url, 1, now=NOW)
    assert curves(database_url) == []
    assert fetch(database_url, "SELECT store_id FROM stores") == []
