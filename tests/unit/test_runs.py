"""Polls as status runs; what a run says about uptime is `test_figures`' matter."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storemon_pipeline.domain.windows import HOUR_US, BoolArray, IntArray
from storemon_pipeline.uptime.status_runs import StatusRuns, compress, extend

MAX_GAP_US = 3 * HOUR_US

# A run as (store, first poll, last poll, status, polls); a poll as (store, instant, status).
UP, DOWN = True, False
Run = tuple[int, int, int, bool, int]
Poll = tuple[int, int, bool]


def compressed(polls: list[Poll]) -> list[Run]:
    store, polled_at_us, is_active = columns(polls)
    return listed(compress(store, polled_at_us, is_active, max_gap_us=MAX_GAP_US))


def columns(polls: list[Poll]) -> tuple[IntArray, IntArray, BoolArray]:
    return (
        np.array([store for store, _, _ in polls], np.int64),
        np.array([polled_at for _, polled_at, _ in polls], np.int64),
        np.array([is_active for _, _, is_active in polls], np.bool_),
    )


def listed(runs: StatusRuns) -> list[Run]:
    return list(
        zip(
            runs.store.tolist(),
            runs.first_poll_us.tolist(),
            runs.last_poll_us.tolist(),
            runs.is_active.tolist(),
            runs.polls.tolist(),
            strict=True,
        )
    )


@pytest.mark.parametrize(
    ("polls", "runs"),
    [
        pytest.param([], [], id="no-polls"),
        pytest.param([(0, 5, UP)], [(0, 5, 5, UP, 1)], id="a-single-poll"),
        pytest.param(
            [(0, 5, UP), (0, 6, UP), (0, 9, UP)], [(0, 5, 9, UP, 3)], id="one-status-is-one-run"
        ),
        pytest.param(
            [(0, 5, UP), (0, 6, DOWN), (0, 7, DOWN), (0, 8, UP)],
            [(0, 5, 5, UP, 1), (0, 6, 7, DOWN, 2), (0, 8, 8, UP, 1)],
            id="a-change-of-status-ends-a-run",
        ),
        pytest.param(
            [(0, 0, UP), (0, MAX_GAP_US, UP)],
            [(0, 0, MAX_GAP_US, UP, 2)],
            id="exactly-the-greatest-gap-is-one-run",
        ),
        pytest.param(
            [(0, 0, UP), (0, MAX_GAP_US + 1, UP)],
            [(0, 0, 0, UP, 1), (0, MAX_GAP_US + 1, MAX_GAP_US + 1, UP, 1)],
            id="a-microsecond-more-than-the-greatest-gap-is-two",
        ),
        pytest.param(
            [(0, 0, UP), (0, MAX_GAP_US, UP), (0, 2 * MAX_GAP_US, UP)],
            [(0, 0, 2 * MAX_GAP_US, UP, 3)],
            id="the-gap-counts-between-neighbours-not-from-the-first",
        ),
        pytest.param(
            [(0, 5, UP), (1, 6, UP), (1, 7, UP), (2, 8, UP)],
            [(0, 5, 5, UP, 1), (1, 6, 7, UP, 2), (2, 8, 8, UP, 1)],
            id="stores-do-not-share-runs",
        ),
        pytest.param(
            [(0, 9, DOWN), (1, 5, DOWN)],
            [(0, 9, 9, DOWN, 1), (1, 5, 5, DOWN, 1)],
            id="a-later-store-may-begin-earlier",
        ),
        pytest.param([(0, -7, UP), (0, -5, UP), (0, 3, UP)], [(0, -7, 3, UP, 3)], id="before-1970"),
    ],
)
def test_polls_compress_into_runs(polls: list[Poll], runs: list[Run]) -> None:
    assert compressed(polls) == runs


@pytest.mark.parametrize(
    ("later", "runs"),
    [
        pytest.param([(0, 7, UP)], [(0, 2, 7, UP, 4)], id="same-status-goes-on"),
        pytest.param(
            [(0, 7, DOWN)], [(0, 2, 6, UP, 3), (0, 7, 7, DOWN, 1)], id="another-status-begins-a-run"
        ),
        pytest.param(
            [(0, 7 + MAX_GAP_US, UP)],
            [(0, 2, 6, UP, 3), (0, 7 + MAX_GAP_US, 7 + MAX_GAP_US, UP, 1)],
            id="after-a-gap-begins-a-run",
        ),
        pytest.param(
            [(0, 7, UP), (1, 3, UP)], [(0, 2, 7, UP, 4), (1, 3, 3, UP, 1)], id="a-new-store"
        ),
    ],
)
def test_later_polls_extend_the_last_run(later: list[Poll], runs: list[Run]) -> None:
    last = compress(*columns([(0, 2, UP), (0, 4, UP), (0, 6, UP)]), max_gap_us=MAX_GAP_US)
    assert listed(extend(last, *columns(later), max_gap_us=MAX_GAP_US)) == runs


@given(
    st.lists(
        st.tuples(
            st.one_of(st.integers(0, 3), st.integers(65_534, 65_538), st.integers(0, 2**31 - 1)),
            st.integers(-5, 5),
        ),
        unique=True,
    )
)
def test_runs_are_put_in_order_of_store_and_time(rows: list[tuple[int, int]]) -> None:
    # Each run is known by its number of polls.
    store = np.array([store for store, _ in rows], np.int64)
    at_us = np.array([at for _, at in rows], np.int64)
    numbers = np.arange(len(rows))
    runs = StatusRuns(store, at_us, at_us + 1, numbers % 2 == 0, numbers).in_order()
    wanted = sorted(range(len(rows)), key=lambda number: rows[number])
    assert listed(runs) == [
        (rows[number][0], rows[number][1], rows[number][1] + 1, number % 2 == 0, number)
        for number in wanted
    ]
