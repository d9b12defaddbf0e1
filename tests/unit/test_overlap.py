"""Writing one chunk while the next one is computed."""

import threading
from functools import partial

import pytest

from storemon_pipeline.database.overlap import overlapping


def test_work_is_done_in_order_in_another_thread_and_before_the_end() -> None:
    done: list[tuple[int, bool]] = []
    own = threading.get_ident()

    def work(number: int) -> None:
        done.append((number, threading.get_ident() == own))

    with overlapping() as hand_over:
        for number in range(3):
            hand_over(partial(work, number))
    assert done == [(0, False), (1, False), (2, False)]


def test_the_caller_goes_on_while_the_work_is_done() -> None:
    goes_on = threading.Event()
    with overlapping() as hand_over:
        hand_over(lambda: goes_on.wait(180) or pytest.fail("the caller waited"))
        goes_on.set()


@pytest.mark.parametrize("calls_after", [0, 1])
def test_an_error_of_the_work_is_raised_by_the_next_call_or_at_the_end(calls_after: int) -> None:
    done: list[int] = []

    def fail() -> None:
        raise ValueError("no space left")

    def hand_over_all() -> None:
        with overlapping() as hand_over:
            hand_over(fail)
            for number in range(calls_after):
                hand_over(partial(done.append, number))

    with pytest.raises(ValueError, match="no space left"):
        hand_over_all()
    assert done == []


def test_an_error_of_the_caller_comes_through() -> None:
    def compute() -> None:
        with overlapping() as hand_over:
            hand_over(lambda: None)
            raise KeyError("first")

    with pytest.raises(KeyError, match="first"):
        compute()
