"""Versions of the status model: fitted to the polls, kept, named by reports, and dropped."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from stored import at, execute, fetch, load
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.figures.fit_status_model import fit_first_status_model, fit_status_model
from storemon_pipeline.figures.status_models import (
    ModelVersion,
    UnknownStatusModelError,
    drop_unnamed_status_models,
    read_model_state,
    read_newest_fit,
    read_status_model,
)
from storemon_pipeline.likelihood.doubts import Doubt
from storemon_pipeline.likelihood.model import FLEET
from storemon_pipeline.stores.store_index import StoreIndex

NOW = datetime(2023, 2, 6, 2, 30, tzinfo=UTC)
HOURS = 240
AS_OF = at(f"{HOURS - 1}:00")


@pytest.fixture
def watched(database_url: str) -> str:
    """A database with hourly polls of ten days: A never down, B an hour a day, C two polls."""
    texts = [f"A {hour:02}:00 up" for hour in range(HOURS)]
    texts += [f"B {hour:02}:00 {'down' if hour % 24 == 5 else 'up'}" for hour in range(HOURS)]
    texts += ["C 01:00 up", "C 02:00 up"]
    load(database_url, *texts)
    return database_url


def read(url: str, status_model_id: int | None = None) -> ModelVersion | None:
    with bulk_transaction(url) as bulk:
        return read_status_model(bulk, status_model_id)


def stores(*ids_and_keys: tuple[str, int]) -> StoreIndex:
    ids, keys = zip(*ids_and_keys, strict=True)
    return StoreIndex(pa.array(ids), np.array(keys))


def key_of(url: str, store_id: str) -> int:
    (row,) = fetch(url, f"SELECT store_key FROM stores WHERE store_id = '{store_id}'")
    return int(row["store_key"])


def test_without_polls_there_is_no_version(database_url: str) -> None:
    assert fit_status_model(database_url, fitted_at=NOW) is None
    assert read(database_url) is None
    with bulk_transaction(database_url) as bulk:
        assert read_model_state(bulk) is None


def test_a_version_is_fitted_to_the_stores_with_polls(watched: str) -> None:
    fit = fit_status_model(watched, fitted_at=NOW)
    assert fit is not None
    assert (fit.as_of, fit.fitted_at, fit.stores) == (AS_OF, NOW, 3)
    with bulk_transaction(watched) as bulk:
        assert read_newest_fit(bulk) == fit
    # C has too few polls for parameters of its own.
    assert fit.doubted_stores >= 1


def test_a_store_has_its_own_parameters_and_one_that_came_later_those_of_the_fleet(
    watched: str,
) -> None:
    fit_status_model(watched, fitted_at=NOW)
    version = read(watched)
    assert version is not None
    a, b, c = (key_of(watched, store_id) for store_id in "ABC")
    found = version.parameters_of(stores(("C", c), ("D", 99), ("B", b), ("A", a)))
    assert found.of_class[1] == FLEET
    assert found.doubt.tolist()[:2] == [int(Doubt.FEW_POLLS), int(Doubt.FEW_POLLS)]
    assert found.doubt[3] == Doubt.NONE
    # A is never down, and B often.
    assert len({found.of_class[2], found.of_class[3], FLEET}) == 3


def test_equal_polls_give_an_equal_version_and_older_ones_can_be_read(watched: str) -> None:
    first, second = (fit_status_model(watched, fitted_at=NOW) for _ in range(2))
    assert first is not None
    assert second is not None
    assert second.status_model_id > first.status_model_id
    one, other = read(watched, first.status_model_id), read(watched)
    assert one is not None
    assert other is not None
    assert other.status_model_id == second.status_model_id
    assert one.model.to_dict() == other.model.to_dict()
    assert one.parameters.of_class.tolist() == other.parameters.of_class.tolist()


def test_a_large_fleet_is_fitted_in_chunks_of_which_each_store_has_its_own(watched: str) -> None:
    fit_status_model(watched, fitted_at=NOW)
    fit_status_model(watched, fitted_at=NOW, stores_per_fit=1)
    whole, parts = read(watched, 1), read(watched, 2)
    assert whole is not None
    assert parts is not None
    assert parts.store_keys.tolist() == whole.store_keys.tolist()
    # Each chunk of one store has a fleet and a class of its own.
    assert parts.parameters.of_class.tolist() == [1, 3, 5]
    assert len(parts.model.tables) == 6


def test_polls_of_more_than_four_weeks_ago_do_not_count(watched: str) -> None:
    load(watched, "A 1000:00 up", "A 1001:00 up")
    fit = fit_status_model(watched, fitted_at=NOW)
    assert fit is not None
    assert fit.stores == 1


def test_a_first_version_is_fitted_once(watched: str) -> None:
    assert fit_first_status_model(watched, fitted_at=NOW) is not None
    assert fit_first_status_model(watched, fitted_at=NOW) is None


def test_a_version_of_another_recipe_is_not_used(watched: str) -> None:
    fit = fit_status_model(watched, fitted_at=NOW)
    assert fit is not None
    execute(watched, "UPDATE status_models SET recipe = recipe - 1")
    assert read(watched) is None
    with pytest.raises(UnknownStatusModelError, match="another release"):
        read(watched, fit.status_model_id)
    assert fit_first_status_model(watched, fitted_at=NOW) is not None


def test_a_version_that_is_not_there_is_an_error(watched: str) -> None:
    with pytest.raises(UnknownStatusModelError, match="no version 7"):
        read(watched, 7)


def test_versions_that_no_report_needs_are_dropped_after_a_week(watched: str) -> None:
    ids = []
    for days in (30, 20, 9, 1, 0):
        fit = fit_status_model(watched, fitted_at=NOW - timedelta(days=days))
        assert fit is not None
        ids.append(fit.status_model_id)
    named, waited, *_ = ids
    execute(
        watched,
        f"""
        INSERT INTO report_results (as_of, policy, stores, silent_stores, run_id, csv_bytes,
                                    csv_chunks, csv_sha256, status_model_id)
        VALUES ('{AS_OF}', 'nearest', 0, 0, 'run', 0, 0, '', {named})
        """,
        """
        INSERT INTO reports (report_id, state, policy, result_id)
        SELECT gen_random_uuid(), 'complete', 'nearest', result_id FROM report_results
        """,
        f"""
        INSERT INTO reports (report_id, state, policy, requested_status_model_id)
        VALUES (gen_random_uuid(), 'waiting', 'nearest', {waited})
        """,
    )
    with bulk_transaction(watched) as bulk:
        assert drop_unnamed_status_models(bulk, now=NOW) == 1
    left = fetch(watched, "SELECT status_model_id FROM status_models ORDER BY 1")
    assert [row["status_model_id"] for row in left] == [named, waited, *ids[3:]]


def test_the_state_counts_polled_stores_that_the_newest_version_does_not_know(
    watched: str,
) -> None:
    fit_status_model(watched, fitted_at=NOW)
    load(watched, "D 238:00 up", "E 239:00 up")
    with bulk_transaction(watched) as bulk:
        state = read_model_state(bulk)
    assert state is not None
    assert (state.fit.stores, state.unknown_stores) == (3, 2)
