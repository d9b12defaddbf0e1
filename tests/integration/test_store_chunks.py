"""Chunks of stores: each one's condition selects the rows of its stores, and of no others."""

from collections.abc import Callable

import pytest

from stored import execute, load
from storemon_pipeline.database.bulk import Bulk, bulk_transaction
from storemon_pipeline.stores.store_index import StoreIndex, read_stores, read_stores_by_key


@pytest.mark.parametrize("read", [read_stores, read_stores_by_key], ids=["by id", "by key"])
@pytest.mark.parametrize("stores_per_chunk", [1, 7, 60, 200])
def test_a_condition_selects_the_rows_of_its_stores(
    database_url: str, read: Callable[[Bulk], StoreIndex], stores_per_chunk: int
) -> None:
    # Two loads with ids between each other's; then every third store is unknown again.
    for load_number in (1, 0):
        load(database_url, *(f"{number:03} 09:00 up" for number in range(load_number, 160, 2)))
    execute(database_url, "DELETE FROM status_runs WHERE store_key % 3 = 0")
    execute(database_url, "DELETE FROM stores WHERE store_key % 3 = 0")
    with bulk_transaction(database_url) as bulk:
        found = []
        for chunk in read(bulk).chunks(stores_per_chunk):
            chosen = chunk.condition()
            rows = bulk.fetch(
                f"SELECT store_key FROM status_runs WHERE {chosen.sql}",
                chosen.parameters,
            )
            assert sorted(rows["store_key"].to_pylist()) == sorted(chunk.store_keys.tolist())
            found += chunk.store_keys.tolist()
    assert sorted(found) == [key for key in range(1, 161) if key % 3]


def test_stores_by_key_keep_their_ids(database_url: str) -> None:
    load(database_url, "B 09:00 up")
    load(database_url, "A 09:00 up")
    with bulk_transaction(database_url) as bulk:
        by_key, by_id = read_stores_by_key(bulk), read_stores(bulk)
    assert (by_key.store_keys.tolist(), by_key.store_ids.to_pylist()) == ([1, 2], ["B", "A"])
    assert (by_id.store_keys.tolist(), by_id.store_ids.to_pylist()) == ([2, 1], ["A", "B"])
