"""Random loads of polls, and the contract's rules on them, row by row."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import adbc_driver_postgresql.dbapi as adbc
from hypothesis import strategies as st

from stored import PUSHED, Row, at_us
from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.loads.load_log import RowCounts

Identity = tuple[str, int]
FILES = ("a.csv", "b.csv", PUSHED)


@dataclass(frozen=True, slots=True)
class Batch:
    """The rows of one load, in order of arrival."""

    file_path: str | None
    rows: Sequence[Row]


@st.composite
def batches(draw: st.DrawFn) -> list[Batch]:
    """Draw loads of few stores over few hours, so that most polls have neighbours.

    Some loads read an earlier one's rows again, with more behind them.
    """
    store_ids = draw(st.sampled_from(["A", "AB", "ABC"]))
    hours = draw(st.sampled_from([6, 12, 24]))
    slots = st.builds(
        lambda hour, more: at_us(f"{hour:02}:00") + more,
        st.integers(0, hours),
        st.sampled_from([0, 0, 0, 1, -1]),
    )
    rows = st.lists(st.tuples(st.sampled_from(store_ids), slots, st.booleans()), max_size=12)
    drawn: list[Batch] = []
    for _ in range(draw(st.integers(1, 5))):
        more = draw(rows)
        if drawn and draw(st.integers(0, 3)) == 0:
            earlier = draw(st.sampled_from(drawn))
            drawn.append(Batch(earlier.file_path, [*earlier.rows, *more]))
        else:
            drawn.append(Batch(draw(st.sampled_from(FILES)), more))
    return drawn


class Model:
    """The contract's rules on polls, row by row."""

    def __init__(self) -> None:
        self.polls: dict[Identity, bool] = {}
        self.superseded: list[tuple[Identity, int, bool]] = []
        self._taken_by: dict[Identity, int] = {}
        self._said: dict[tuple[str, Identity], bool] = {}

    def load(self, number: int, batch: Batch) -> RowCounts:
        """Take in one load; what the later lines of a load say overtakes its earlier ones."""
        final = {(store_id, polled_at): status for store_id, polled_at, status in batch.rows}
        loaded = replaced = 0
        for identity, status in final.items():
            if batch.file_path is not None:
                if self._said.get((batch.file_path, identity)) == status:
                    continue
                self._said[batch.file_path, identity] = status
            if identity in self.polls:
                before = self.polls[identity]
                self.superseded.append((identity, self._taken_by[identity], before))
                replaced += before != status
            else:
                loaded += 1
            self.polls[identity] = status
            self._taken_by[identity] = number
        overtaken = sum(
            final[store_id, polled_at] != status for store_id, polled_at, status in batch.rows
        )
        replaced += overtaken
        return RowCounts(loaded, replaced, len(batch.rows) - loaded - replaced, 0)

    def runs(self, max_gap_us: int) -> list[tuple[str, int, int, bool, int]]:
        """Walk over the polls and open a run wherever one is broken."""
        runs: list[tuple[str, int, int, bool, int]] = []
        for (store_id, polled_at), status in sorted(self.polls.items()):
            if runs:
                known_id, first, last, known_status, count = runs[-1]
                is_near = polled_at - last <= max_gap_us
                if (known_id, known_status) == (store_id, status) and is_near:
                    runs[-1] = (store_id, first, polled_at, status, count + 1)
                    continue
            runs.append((store_id, polled_at, polled_at, status, 1))
        return runs


@contextmanager
def undone_transaction(connection: adbc.Connection) -> Iterator[Bulk]:
    """Yield a transaction that is rolled back, so that the next example finds empty tables."""
    try:
        yield Bulk(connection)
    finally:
        connection.rollback()
