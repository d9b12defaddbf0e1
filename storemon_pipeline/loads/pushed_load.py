"""What a pushed batch leads to: a load, or an error that names the bad rows."""

from dataclasses import dataclass

from storemon_pipeline.domain.rejections import RejectedRow
from storemon_pipeline.loads.load_log import RowCounts


class BadRowsError(Exception):
    """Rows of a body that cannot be read, so that nothing of it was loaded."""

    def __init__(self, rejected: tuple[RejectedRow, ...], rows: int) -> None:
        super().__init__(f"{len(rejected)} of {rows} polls cannot be read")
        self.rejected = rejected
        self.rows = rows


class ForbiddenStoreError(Exception):
    """A poll of a store that the sender may not speak of, so that nothing was loaded."""


@dataclass(frozen=True, slots=True)
class PushedLoad:
    """What became of a pushed batch; an empty one makes no load. `line` is the index from 0."""

    load_id: int | None
    row_counts: RowCounts
    rejected: tuple[RejectedRow, ...]
