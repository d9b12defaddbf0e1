"""First loads of many rows build the key of their table afterwards: what they leave behind."""

import pytest

from stored import execute, fetch, load_hours
from storemon_pipeline.database import first_rows
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.database.first_rows import key_built_afterwards
from storemon_pipeline.schedules.weekly_intervals import refresh_intervals

TABLES = ("business_hours", "business_hour_intervals")


@pytest.fixture(autouse=True)
def few_rows_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_rows, "MANY_ROWS", 1)


def keys(url: str) -> list[str]:
    """The definitions of the primary keys, by table."""
    rows = fetch(
        url,
        "SELECT conrelid::regclass::text AS name, conname, pg_get_constraintdef(oid) AS definition"
        " FROM pg_constraint WHERE contype = 'p' ORDER BY 1",
    )
    return [f"{row['conname']}: {row['definition']}" for row in rows if row["name"] in TABLES]


def test_a_first_load_leaves_the_rows_and_the_keys_of_any_load(database_url: str) -> None:
    before = keys(database_url)
    assert len(before) == len(TABLES)
    for rows in (["A,0,09:00,12:00"], ["A,0,09:00,13:00", "B,0,10:00,12:00"]):
        load_hours(database_url, *rows)
        with bulk_transaction(database_url, is_writing_polls=True) as bulk:
            refresh_intervals(bulk)
    assert keys(database_url) == before
    assert fetch(
        database_url,
        "SELECT store_id, end_us / 3600000000 AS until, valid_from = '-infinity' AS first"
        " FROM business_hours JOIN stores USING (store_key) ORDER BY store_id, load_id",
    ) == [
        {"store_id": "A", "until": 12, "first": True},
        {"store_id": "A", "until": 13, "first": False},
        {"store_id": "B", "until": 12, "first": True},
    ]


def test_a_first_load_that_fails_leaves_the_empty_table_with_its_key(database_url: str) -> None:
    before = keys(database_url)
    with (
        pytest.raises(ZeroDivisionError),
        bulk_transaction(database_url, is_writing_polls=True) as bulk,
        key_built_afterwards(bulk, "business_hours", rows=1),
    ):
        raise ZeroDivisionError
    assert keys(database_url) == before
    load_hours(database_url, "A,0,09:00,12:00")
    assert len(fetch(database_url, "SELECT 1 AS one FROM business_hours")) == 1


def test_rows_of_a_filled_table_stay(database_url: str) -> None:
    load_hours(database_url, "A,0,09:00,12:00")
    with (
        bulk_transaction(database_url, is_writing_polls=True) as bulk,
        key_built_afterwards(bulk, "business_hours", rows=1),
    ):
        execute(database_url, "SELECT count(*) FROM business_hours")  # waits for no lock
    assert len(fetch(database_url, "SELECT 1 AS one FROM business_hours")) == 1
