"""The result of a push: a load, or an error with the bad rows."""

from dataclasses import dataclass

from storemon_pipeline.domain.rejections import RejectedRow
from storemon_pipeline.loads.load_log import RowCounts


class BadRowsError(Exception):
    """Some rows of a body cannot be read, so nothing was loaded."""

    def __init__(self, rejected: tuple[RejectedRow, ...], rows: int) -> None:
        super().__init__(f"{len(rejected)} of {rows} polls cannot be read")
        self.rejected = rejected
        self.rows = rows


class ForbiddenStoreError(Exception):
    """A row is of a store that the client may not write, so nothing was loaded."""


@dataclass(frozen=True, slots=True)
class PushedLoad:
    """The load of a pushed batch. An empty batch makes none. `line` is the row's index, from 0."""

    load_id: int | None
    row_counts: RowCounts
    rejected: tuple[RejectedRow, ...]
