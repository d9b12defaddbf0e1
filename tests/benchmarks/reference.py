"""Fixed work, timed in the same run as what is measured, so that machines can be compared."""

import os
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import psycopg

from benchmarks.timing import seconds_of
from storemon_pipeline.database.connections import libpq_url

_TIMES: Final = 5
_COPIED_ROWS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Reference:
    """What was done, and the least time that it took."""

    what: str
    seconds: float


@lru_cache
def sort_and_merge(rows: int) -> Reference:
    """NumPy sorts this number of 64-bit integers, and merges them with as many sorted ones."""
    random = np.random.default_rng(1)
    unsorted, others = random.integers(0, 2**62, (2, rows))
    others.sort()

    def work() -> None:
        in_order = np.sort(unsorted)
        places = np.searchsorted(others, in_order)
        np.insert(others, places, in_order)

    return Reference(f"sort and merge of {rows:,}", min(seconds_of(work, times=_TIMES)))


@lru_cache
def plain_copy(url: str, rows: int = _COPIED_ROWS) -> Reference:
    """COPY of this number of rows of two integers into an unlogged table without a key."""
    text = b"".join(b"%d\t%d\n" % (number, number * 7919) for number in range(_COPIED_ROWS // 10))
    with psycopg.connect(libpq_url(url), autocommit=True) as connection:
        connection.execute("CREATE UNLOGGED TABLE reference_rows (one bigint, other bigint)")

        def work() -> None:
            with connection.cursor().copy("COPY reference_rows FROM STDIN") as target:
                for _ in range(rows * 10 // _COPIED_ROWS):
                    target.write(text)

        (seconds,) = seconds_of(work, times=1)
        connection.execute("DROP TABLE reference_rows")
    return Reference(f"plain COPY of {rows:,} rows", seconds)


@lru_cache
def fork() -> Reference:
    """A process forks, and waits for the child, which ends at once."""

    def work() -> None:
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)

    return Reference("fork", min(seconds_of(work, times=_TIMES)))
