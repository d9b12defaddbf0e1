"""Rows and files that are turned away: the reasons, and the record of each.

Where a rule is checked is no matter of this module: the readers decide, and say it here.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum, unique
from pathlib import Path

import numpy as np
import numpy.typing as npt

TEXT_LIMIT = 4_000
"""Characters of a rejected line that are kept; a longer text is cut and ends in an ellipsis."""


@unique
class Reason(StrEnum):
    """Why a row was rejected. A closed set: the offending value stands in the row's text."""

    FIELD_COUNT = "wrong number of fields"
    QUOTES = "quotes do not match"
    NOT_UTF8 = "not UTF-8"
    NUL_BYTE = "holds a NUL byte"
    NOT_JSON = "not a JSON object"
    LINE_TOO_LONG = "line is too long"
    NO_STORE_ID = "no store id"
    LONG_STORE_ID = "store id is too long"
    UNKNOWN_STATUS = "unknown status"
    UNREADABLE_TIMESTAMP = "timestamp cannot be read"
    FUTURE_POLL = "poll lies in the future"
    POLL_NOT_KEPT = "poll is older than polls are kept"
    WEEKDAY = "weekday is not 0 to 6"
    UNREADABLE_TIME = "time cannot be read"
    TIME_RANGE = "time is after the end of the day"
    UNREADABLE_VALID_FROM = "valid_from cannot be read"
    UNKNOWN_ZONE = "unknown time zone"
    CLOSURE_ORDER = "closure does not end after its start"


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """One line that gave no row.

    `line` is the physical line number in the file (the first line is 1), `text` the line with
    every unprintable character written as an escape. `whole` is the line as it stands where `text`
    does not say it whole, so that it can be read again.
    """

    line: int
    text: str
    reason: Reason
    whole: bytes | None = None

    @classmethod
    def of(cls, line: int, row: bytes, reason: Reason) -> "RejectedRow":
        """The record of a row, given as it stands."""
        text = printable(row)
        return cls(line, text, reason, None if text.encode() == row else row)


class UnusableFileError(Exception):
    """A file of which no row can be used. Trying again does not help until the file changes."""

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(f"{path} cannot be used: {reason}")
        self.path = path
        self.reason = reason


class Verdict:
    """What was found wrong with each of n rows. Of several findings the first one stands."""

    _REASONS = tuple(Reason)

    def __init__(self, rows: int) -> None:
        self._finding = np.full(rows, -1, np.int8)

    def reject(self, where: npt.NDArray[np.bool_], reason: Reason) -> None:
        """Reject the rows under the mask `where` (n,) that had no finding so far."""
        self._finding[where & (self._finding < 0)] = self._REASONS.index(reason)

    @property
    def is_good(self) -> npt.NDArray[np.bool_]:
        """(n,) true for rows without a finding."""
        return self._finding < 0

    def findings(self) -> list[tuple[int, Reason]]:
        """Return (index, reason) of every rejected row, ascending."""
        indices: Sequence[int] = np.flatnonzero(self._finding >= 0).tolist()
        return [(index, self._REASONS[self._finding[index]]) for index in indices]


def store_id_of_row(header: str, row: str) -> str | None:
    """The store that a row under this header names; None where it cannot be taken apart."""
    try:
        names, cells = (next(csv.reader([line]), []) for line in (header, row))
    except csv.Error:
        return None
    places = [name.strip().lower() for name in names]
    if "store_id" not in places or len(cells) <= places.index("store_id"):
        return None
    return cells[places.index("store_id")].strip()


def printable(text: bytes | str) -> str:
    """Return the text as one printable line of at most TEXT_LIMIT characters and an ellipsis."""
    if isinstance(text, bytes):
        # No character of UTF-8 takes more than four bytes.
        is_cut = len(text) > 4 * TEXT_LIMIT
        text = text[: 4 * TEXT_LIMIT].decode("utf-8", "backslashreplace")
    else:
        is_cut = False
    if len(text) > TEXT_LIMIT:
        text, is_cut = text[:TEXT_LIMIT], True
    if not text.isprintable():
        text = "".join(
            character if character.isprintable() else _escape(character) for character in text
        )
    return text + "…" if is_cut else text


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
