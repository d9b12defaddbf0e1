"""The stored newest poll is right whatever is loaded, corrected or undone."""

import random
from datetime import datetime

import pytest

from stored import MIDNIGHT, at, execute, fetch, load, load_rows
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.database.parameters import read_max_gap_us
from storemon_pipeline.figures.uptime_table import read_newest_poll
from storemon_pipeline.polls.poll_table import undo_polls

MIDNIGHT_US = int(MIDNIGHT.timestamp()) * 1_000_000
MINUTE_US = 60_000_000


def newest(url: str) -> datetime | None:
    with bulk_transaction(url) as bulk:
        return read_newest_poll(bulk)


def take_back(url: str, load_id: int) -> None:
    with bulk_transaction(url, is_writing_polls=True) as bulk:
        undo_polls(bulk, load_id, max_gap_us=read_max_gap_us(bulk))


def test_without_polls_there_is_none(database_url: str) -> None:
    assert newest(database_url) is None


@pytest.mark.parametrize(
    ("loads", "expected"),
    [
        pytest.param([["A 09:00 up", "B 08:00 down"]], "09:00", id="one-load"),
        pytest.param([["A 09:00 up"], ["A 09:30 up"]], "09:30", id="a-run-that-goes-on"),
        pytest.param([["A 09:00 up"], ["A 09:30 down"]], "09:30", id="a-new-run"),
        pytest.param([["A 09:00 up"], ["B 08:00 up"]], "09:00", id="a-late-poll"),
        pytest.param([["A 09:00 up"], ["A 09:00 down"]], "09:00", id="a-correction"),
        pytest.param(
            [["A 08:00 up", "A 09:00 down"], ["A 09:00 up"]], "09:00", id="runs-that-join"
        ),
        pytest.param([["A 09:00 up", "B 08:59 up"], None], None, id="all-taken-back"),
        pytest.param([["B 08:59 up"], ["A 09:00 up"], None], "08:59", id="the-last-taken-back"),
        pytest.param(
            [["A 08:00 up"], ["A 09:00 up"], None], "08:00", id="the-end-of-a-run-taken-back"
        ),
    ],
)
def test_it_is_the_newest_of_the_polls_that_are_there(
    database_url: str, loads: list[list[str] | None], expected: str | None
) -> None:
    for number, texts in enumerate(loads):
        if texts is None:
            take_back(database_url, number)
        else:
            load(database_url, *texts)
    assert newest(database_url) == (None if expected is None else at(expected))


@pytest.mark.parametrize("seed", range(5))
def test_it_is_found_after_any_loads_and_undoings(database_url: str, seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - a test's dice
    taken = set()
    for number in range(1, 13):
        with bulk_transaction(database_url, is_writing_polls=True) as bulk:
            rows = [
                (
                    rng.choice("ABC"),
                    MIDNIGHT_US + rng.randrange(0, 3_000) * MINUTE_US,
                    rng.random() < 0.5,
                )
                for _ in range(rng.randrange(1, 6))
            ]
            load_rows(bulk, rows, file_path=None)
        if rng.random() < 0.4:
            undone = rng.randrange(1, number + 1)
            if undone not in taken:
                taken.add(undone)
                take_back(database_url, undone)
        (polls,) = fetch(database_url, "SELECT max(polled_at) AS newest FROM store_status")
        assert newest(database_url) == polls["newest"]


def test_a_run_that_is_removed_by_hand_takes_it_along(database_url: str) -> None:
    load(database_url, "A 09:00 up", "B 10:00 up")
    execute(database_url, "DELETE FROM status_runs WHERE last_poll_at >= '2023-01-23 10:00Z'")
    assert newest(database_url) == at("09:00")
