"""An entry of hours, parsed: for days of the week, or for dates. Its format is not known here."""

from dataclasses import dataclass
from typing import Final

from storemon_pipeline.domain.rejections import Reason
from storemon_pipeline.domain.windows import DAY_US

CLOSED: Final = (0, 0)
"""The start and end of a day that is closed."""

EVERY_DAY: Final = tuple(range(7))


@dataclass(frozen=True, slots=True)
class WeeklyEntry:
    """Hours of weekdays, 0 is Monday: microseconds since midnight, or CLOSED.

    They hold from an instant on, or, if `is_local`, from that local time. None: always.
    """

    rows: tuple[tuple[int, int, int], ...]
    valid_from_us: int | None = None
    is_local: bool = False


@dataclass(frozen=True, slots=True)
class DatedEntry:
    """Hours of each of these days since 1970: microseconds since midnight, or CLOSED.

    Of several entries for a date those of the shortest `period_days` count.
    """

    days: tuple[int, ...]
    start_us: int
    end_us: int
    period_days: int


class BadEntryError(Exception):
    """An entry that cannot be read."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


def hours_within(opens_us: int, closes_us: int) -> tuple[int, int]:
    """The start and end; an end before the start is on the next day. Raises BadEntryError.

    The same time means closed at 00:00, and else nothing. 23:59 stays as it is: the weeks and
    special hours take it for midnight.
    """
    if opens_us >= DAY_US or closes_us > DAY_US:
        raise BadEntryError(Reason.UNREADABLE_TIME)
    if opens_us == closes_us:
        if opens_us:
            raise BadEntryError(Reason.EQUAL_TIMES)
        return CLOSED
    return opens_us, closes_us + (DAY_US if closes_us < opens_us else 0)
