"""The sources of storemon, the names of their files in the data folder, and finding them.

What stands inside a file is the readers' matter.
"""

from enum import StrEnum, unique
from pathlib import Path
from typing import Final


@unique
class Source(StrEnum):
    """What a file tells: polls, or one of the snapshots around them."""

    STORE_STATUS = "store_status"
    BUSINESS_HOURS = "business_hours"
    STORE_TIMEZONES = "store_timezones"
    CLOSURES = "closures"


FILE_NAMES: Final[dict[Source, tuple[str, ...]]] = {
    Source.STORE_STATUS: ("store_status.csv",),
    Source.BUSINESS_HOURS: ("business_hours.csv", "menu_hours.csv"),
    Source.STORE_TIMEZONES: ("timezones.csv", "store_timezones.csv"),
    Source.CLOSURES: ("closures.csv",),
}
"""File names of each source, in the order in which they are looked for."""


class MissingSourceError(Exception):
    """A source has no file in the data folder."""

    def __init__(self, data: Path, source: Source) -> None:
        self.data = data
        self.source = source
        self.names = FILE_NAMES[source]
        place = f"in {data}" if data.is_dir() else f"in {data}, which is no folder"
        super().__init__(f"no file for {source} {place}: looked for {' and '.join(self.names)}")


def find_file(data: Path, source: Source) -> Path:
    """Return the file of `source` in the folder `data`.

    Of several names the first in FILE_NAMES counts; files of one source are never mixed.
    Raises MissingSourceError, which names the folder and every name that was looked for.
    """
    for name in FILE_NAMES[source]:
        path = data / name
        if path.is_file():
            return path
    raise MissingSourceError(data, source)
