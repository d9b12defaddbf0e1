"""Writing one chunk while the next one is read and computed."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

Work = Callable[[], object]


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
