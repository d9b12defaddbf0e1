"""The form of a source's files where it is not the usual one: settings, and no reading."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final

from storemon_pipeline.files.csv_text import Column

UTF_8: Final = "utf-8"


@dataclass(frozen=True, slots=True)
class FileForm:
    """How the files of a source are written. The defaults are the usual form.

    `column_names` are pairs of a column and its name in the files. `date_format` has the directives
    of strptime, or is one of NUMBERS; empty stands for ISO 8601. `zone` is that of timestamps
    without one; empty stands for UTC. `statuses` are pairs of a word in lower case and its meaning,
    and `weekdays` pairs of a word in lower case and 0 (Monday) to 6; without any, the usual words.
    """

    column_names: tuple[tuple[str, str], ...] = ()
    delimiter: str = ","
    encoding: str = UTF_8
    date_format: str = ""
    zone: str = ""
    statuses: tuple[tuple[str, str], ...] = ()
    weekdays: tuple[tuple[str, str], ...] = ()
    is_12_hour: bool = False

    def columns(self, columns: Sequence[Column]) -> list[Column]:
        """The columns of a source by the names that they have in these files."""
        names = dict(self.column_names)
        return [
            replace(column, aliases=(names[column.name].lower(),), is_renamed=True)
            if column.name in names
            else column
            for column in columns
        ]

    @property
    def has_ascii_line_ends(self) -> bool:
        """Whether a file can be cut at the bytes of line ends, quotes and delimiters."""
        return _ASCII.encode(self.encoding, "replace") == _ASCII.encode()

    @property
    def digest(self) -> str:
        """A short text that differs for another form; empty for the usual one."""
        return "" if self == USUAL_FORM else sha256(repr(self).encode()).hexdigest()[:16]


_ASCII: Final = '\r\n,;|\t"0'


def is_text_encoding(name: str) -> bool:
    """Whether Python reads text in this encoding."""
    try:
        return "0".encode(name).decode(name) == "0"
    except (LookupError, UnicodeError):
        return False


USUAL_FORM: Final = FileForm()

EPOCHS: Final = {
    "epoch seconds": 1_000_000,
    "epoch milliseconds": 1_000,
    "epoch microseconds": 1,
}
"""Timestamps that are numbers since 1970-01-01T00:00Z, and the microseconds of one."""

SPREADSHEET_DAYS: Final = "spreadsheet days"
"""Local times as a spreadsheet keeps them, in days: 44951.5 is noon of 25 January 2023."""

NUMBERS: Final = (*EPOCHS, SPREADSHEET_DAYS)
"""Formats of timestamps that are numbers."""
