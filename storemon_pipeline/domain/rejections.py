"""Rejected rows and unusable files: the reasons, and how each rejection is recorded.

The checks themselves belong to the readers of each source.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum, unique
from pathlib import Path

import numpy as np
import numpy.typing as npt

TEXT_LIMIT = 4_000
"""Characters that pages, the API and checks show of a rejected row."""


@unique
class Reason(StrEnum):
    """Why a row was rejected. The offending value is in the row's text."""

    FIELD_COUNT = "wrong number of fields"
    QUOTES = "quotes do not match"
    NOT_UTF8 = "not UTF-8"
    NUL_BYTE = "contains a NUL byte"
    NOT_JSON = "not a JSON object"
    LINE_TOO_LONG = "line is too long"
    NO_STORE_ID = "no store id"
    LONG_STORE_ID = "store id is too long"
    ROUNDED_STORE_ID = "store id is a rounded number"
    FRACTIONAL_STORE_ID = "store id is no whole number"
    FORMATTED_STORE_ID = 'store id is written as in a spreadsheet, such as ="123" or 1,234'
    UNKNOWN_STATUS = "unknown status"
    UNREADABLE_TIMESTAMP = "timestamp cannot be read"
    FUTURE_POLL = "poll is in the future"
    POLL_NOT_KEPT = "poll is older than the retention period"
    WEEKDAY = "weekday is not 0 to 6"
    UNREADABLE_TIME = "time cannot be read"
    TIME_RANGE = "time is after 48:00"
    OPENING_HOURS = "opening hours cannot be read"
    SUN_TIMES = "opening hours have a time of the sun, such as sunset"
    SCHOOL_HOLIDAYS = "opening hours have school holidays (SH), whose dates are not known"
    OPEN_END = "opening hours have an open end, such as 10:00+"
    STEPS = "opening hours have steps within a day, such as 10:00-16:00/01:30"
    FALLBACK = "opening hours have a fallback rule (||)"
    COMMENT = 'opening hours have a comment on open hours, such as "by appointment"'
    UNKNOWN_HOURS = "opening hours have a part that is unknown"
    HOLIDAYS_WITHOUT_COUNTRY = (
        "opening hours have public holidays (PH), but the row names no country"
    )
    COUNTRY = "country is not a code such as DE whose public holidays are known"
    MANY_DATES = "opening hours differ from the usual week on more than 3,000 days of 2020 to 2035"
    NO_EFFECT = "opening hours have dates or holidays that a later part cancels: put them last"
    NEVER_OPEN = "opening hours are closed all week"
    HOURS_ENTRY = "entry of hours is not an object with times"
    DAY_NAME = "day is not one from Monday to Sunday, such as Monday or https://schema.org/Monday"
    HOLIDAY_DAY = "hours of public holidays need dates: give them validFrom and validThrough"
    ONE_TIME = "only one of opening and closing time is there"
    EQUAL_TIMES = "opening and closing time are equal; closed is 00:00 to 00:00"
    PERIOD_OF_HOURS = "validFrom and validThrough are not dates in this order, at most 366 days"
    UNTIL_ALONE = "validThrough is there without validFrom"
    HOURS_TOO_LONG = "hours of a date do not end by the end of the next day"
    DATE_OBJECT = "date has not year, month and day"
    UNREADABLE_DATE = "date is not written as 2026-12-24"
    SPECIAL_TIME_RANGE = "start is not before 24:00, or end is after 48:00"
    UNREADABLE_VALID_FROM = "valid_from cannot be read"
    UNKNOWN_ZONE = "unknown time zone"
    EVENT_ORDER = "event does not end after its start"
    CLOSURE_ORDER = "closure does not end after its start"
    ZONE_WITHOUT_STORE = "times with a zone need a store: each store has its own zone"
    CALENDAR_EVENT = "event of the calendar cannot be read"
    CALENDAR_REPEATS = "event is repeated within a day, or more than 2,000 times"
    APPLIES_TO = "applies_to is not store, group, region or all"
    OBJECTIVE_NAME = "name is missing, or there is one with all"
    OBJECTIVE_PERCENT = "objective is not a percentage from 0 to 100, or none"
    OBJECTIVE_PERIOD = "by is not week or month"
    HOUR = "hour is not 0 to 23"
    SALES = "sales are not an amount with at most 2 decimals"
    CURRENCY = "currency is not a code of 3 letters"
    UNMAPPED_MESSAGE = "message differs from the settings of its webhook"
    MESSAGE_NOT_KEPT = "event of a webhook is older than the retention period"
    NO_CHANNEL = "no name of the channel"


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A line that was rejected.

    `line` is the line number in the file, from 1. `text` is the line with unprintable characters
    escaped. `original` holds the original bytes where `text` differs from them, so that the row can
    be replayed.
    """

    line: int
    text: str
    reason: Reason
    original: bytes | None = None

    @classmethod
    def of(cls, line: int, row: bytes, reason: Reason) -> "RejectedRow":
        """Reject a row, given as its original bytes."""
        text = printable(row)
        return cls(line, text, reason, None if text.encode() == row else row)


class UnusableFileError(Exception):
    """A file that cannot be read at all. A retry does not help until the file changes.

    With the line `setting` in the settings of its source it could be read. `plain_reason` does not
    say so, for texts that have no such settings.
    """

    def __init__(self, path: Path | str, reason: str, *, setting: str | None = None) -> None:
        self.path = path
        self.plain_reason = reason
        hint = f", or add the line {setting} to sources.toml"
        self.reason = reason if setting is None else reason + hint
        super().__init__(f"{path} cannot be used: {self.reason}")


class EmptyFileError(UnusableFileError):
    """A file without a single character that is not blank. It has no rows, which is not a fault."""

    def __init__(self, path: Path | str) -> None:
        super().__init__(path, "it is empty")


class Verdict:
    """The first reason to reject each of n rows, if there is one."""

    _REASONS = tuple(Reason)

    def __init__(self, rows: int) -> None:
        self._finding = np.full(rows, -1, np.int8)

    def reject(self, where: npt.NDArray[np.bool_], reason: Reason) -> None:
        """Reject the rows of the mask `where`, shape `(n,)`, that have no finding yet."""
        self._finding[where & (self._finding < 0)] = self._REASONS.index(reason)

    @property
    def is_good(self) -> npt.NDArray[np.bool_]:
        """A mask of the rows without a finding, shape `(n,)`."""
        return self._finding < 0

    def findings(self) -> list[tuple[int, Reason]]:
        """Return (index, reason) of every rejected row, ascending."""
        indices: Sequence[int] = np.flatnonzero(self._finding >= 0).tolist()
        return [(index, self._REASONS[self._finding[index]]) for index in indices]


def store_id_of_row(header: str, row: str) -> str | None:
    """The store id in a CSV row under this header; None where the row cannot be parsed."""
    try:
        names, cells = (next(csv.reader([line]), []) for line in (header, row))
    except csv.Error:
        return None
    columns = [name.strip().lower() for name in names]
    if "store_id" not in columns or len(cells) <= columns.index("store_id"):
        return None
    return cells[columns.index("store_id")].strip()


def printable(text: bytes | str) -> str:
    """The text as one printable line."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "backslashreplace")
    if not text.isprintable():
        text = "".join(
            character if character.isprintable() else _escape(character) for character in text
        )
    return text


def shortened(text: str) -> str:
    """The text as it is shown: a long one is cut and ends in an ellipsis."""
    return text if len(text) <= TEXT_LIMIT else text[:TEXT_LIMIT] + "…"


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
