"""Events and polls in any order and any batches, in the database: the same runs and reports."""

import random
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

import oracle
from builders import Reference
from clock_changes import (
    AUTUMN,
    MAX_GAP,
    SPRING,
    ZONES,
    draw,
    draw_events,
    event_rows,
    fill,
    push,
    us,
)
from databases import Databases
from properties import seeds
from stored import fetch, load_rows
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.domain.windows import Policy
from storemon_pipeline.figures.compute_uptime import compute_uptime
from storemon_pipeline.figures.refresh_daily import compare_all_days, refresh_daily
from storemon_pipeline.stores.store_index import read_stores

RUNS = """
    SELECT store_id, first_poll_at, last_poll_at, is_active, polls
    FROM status_runs JOIN stores USING (store_key) ORDER BY store_id, first_poll_at
"""
DAYS = """
    SELECT store_id, local_date, business_us, uptime_us, downtime_us
    FROM store_uptime_daily JOIN stores USING (store_key) ORDER BY store_id, local_date
"""
_AMOUNTS = ("business", "uptime", "downtime", "lowest_uptime", "highest_uptime")


def report(url: str, as_of: datetime, policy: Policy) -> dict[str, list[list[int]]]:
    """The amounts of each store in each window."""
    rows = {}
    with bulk_transaction(url) as bulk:
        for stores, figures in compute_uptime(
            bulk, read_stores(bulk), as_of=as_of, policy=policy, model=None
        ):
            amounts = [getattr(figures, f"{name}_us") for name in _AMOUNTS]
            for place, store in enumerate(figures.store.tolist()):
                rows[stores.store_ids[store].as_py()] = [
                    amount[place].tolist() for amount in amounts
                ]
    return rows


def expected(inputs: oracle.Inputs, as_of: datetime, policy: Policy) -> dict[str, list[list[int]]]:
    found = Reference().rows(inputs, as_of=as_of, policy=policy, max_gap=MAX_GAP)
    return {
        store_id: [list(getattr(row, f"{name}_us")) for name in _AMOUNTS]
        for store_id, row in found.items()
    }


def load(url: str, items: list[oracle.Poll | oracle.Event]) -> None:
    """Load a batch: its polls, and its events."""
    polls = [item for item in items if isinstance(item, oracle.Poll)]
    if polls:
        with bulk_transaction(url, is_writing_polls=True) as bulk:
            rows = [(poll.store_id, us(poll.polled_at), poll.is_active) for poll in polls]
            load_rows(bulk, rows, file_path=None)
    events = [item for item in items if isinstance(item, oracle.Event)]
    push(url, Source.STORE_EVENTS, event_rows(events))


@pytest.mark.parametrize("begin", [SPRING, AUTUMN], ids=["spring", "autumn"])
@pytest.mark.parametrize("seed", seeds(few=1, many=6))
def test_events_and_polls_in_any_order_and_any_batches_give_the_same_runs_and_reports(
    databases: Databases, begin: datetime, seed: int
) -> None:
    rng = random.Random(seed)  # noqa: S311 - a test's dice
    inputs = draw(begin, seed)
    newest = max(poll.polled_at for poll in inputs.polls)
    inputs = replace(inputs, events=draw_events(begin, newest, seed))
    # Hours and zones are of stores that are known.
    first = [next(poll for poll in inputs.polls if poll.store_id == one) for one in ZONES]
    items: list[oracle.Poll | oracle.Event] = [
        *(poll for poll in inputs.polls if poll not in first),
        *inputs.events,
    ]
    as_ofs = [newest, newest - timedelta(hours=30), begin + timedelta(days=8, hours=3)]
    found = []
    for is_shuffled in (False, True):
        with databases.taken() as url:
            fill(url, replace(inputs, polls=first))
            left = list(items)
            if is_shuffled:
                rng.shuffle(left)
            while left:
                size = rng.choice([1, 20, 200]) if is_shuffled else len(left)
                load(url, left[:size])
                del left[:size]
                if rng.random() < 0.3:
                    refresh_daily(url)
            refresh_daily(url)
            assert compare_all_days(url).different == 0
            reports = [report(url, as_of, policy) for as_of in as_ofs for policy in Policy]
            found.append((fetch(url, RUNS), fetch(url, DAYS), reports))
    assert found[0] == found[1]
    assert found[0][2] == [expected(inputs, as_of, policy) for as_of in as_ofs for policy in Policy]


def test_with_complete_events_every_figure_is_the_truth_to_the_microsecond(
    database_url: str,
) -> None:
    """Whatever the polls say: here they say the opposite all the time."""
    begin, odd = SPRING, timedelta(hours=7, minutes=13, seconds=1, microseconds=1)
    inputs = draw(begin, 1)
    newest = max(poll.polled_at for poll in inputs.polls)
    edges = [begin + number * odd for number in range(-30, (newest - begin) // odd + 1)]
    events = [
        oracle.Event(store_id, start, None, is_up=bool(number % 2))
        for store_id in ZONES
        for number, start in enumerate(edges)
    ]
    fill(database_url, inputs)
    push(database_url, Source.STORE_EVENTS, event_rows(events))
    refresh_daily(database_url)
    for store_id, (business, up, down, lowest, highest) in report(
        database_url, newest, Policy.NEAREST
    ).items():
        truth = [
            sum(
                oracle.business_time(
                    inputs, store_id, max(start, newest - length), min(start + odd, newest)
                )
                for number, start in enumerate(edges)
                if number % 2 and newest - length < start + odd
            )
            for length in (timedelta(microseconds=length) for length in oracle.WINDOWS)
        ]
        assert up == lowest == highest == truth
        assert down == [whole - part for whole, part in zip(business, up, strict=True)]
