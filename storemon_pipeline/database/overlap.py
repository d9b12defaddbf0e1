"""Work in other threads: writing while the next chunk is computed, waiting for several answers."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

Work = Callable[[], object]
Item = TypeVar("Item")
Result = TypeVar("Result")


@contextmanager
def overlapping() -> Iterator[Callable[[Work], None]]:
    """A function that hands work over to another thread, which does it in order.

    It waits until the work before is done, so that no more than one chunk waits in memory. At the
    end of the block all work is done. Errors of the work are raised by the next call or at the end.
    """
    with ThreadPoolExecutor(1) as thread:
        last: Future[object] | None = None

        def hand_over(work: Work) -> None:
            nonlocal last
            if last is not None:
                last.result()
            last = thread.submit(work)

        yield hand_over
        if last is not None:
            last.result()


def results_in_order(
    work: Callable[[Item], Result], items: Iterable[Item], *, at_once: int
) -> Iterator[Result]:
    """What work makes of each item, in order, while other threads work on the next items.

    No more than `at_once` items are worked on or wait in memory.
    """
    with ThreadPoolExecutor(at_once) as threads:
        begun: deque[Future[Result]] = deque()
        for item in items:
            if len(begun) == at_once:
                yield begun.popleft().result()
            begun.append(threads.submit(work, item))
        while begun:
            yield begun.popleft().result()
