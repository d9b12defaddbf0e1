"""The sources of storemon, the names of their files in the data folder, and finding them.

What stands inside a file is the readers' matter, where the folder lies that of locations.py.
"""

from pathlib import Path
from typing import Final

from storemon_pipeline.domain.sources import Source
from storemon_pipeline.files.folders import Folder, FoundFile, data_folder

NAMES: Final[dict[Source, tuple[str, ...]]] = {
    Source.STORE_STATUS: ("store_status",),
    Source.BUSINESS_HOURS: ("business_hours", "menu_hours"),
    Source.STORE_TIMEZONES: ("timezones", "store_timezones"),
    Source.CLOSURES: ("closures",),
    Source.STORE_DETAILS: ("stores",),
}
"""Names of each source, in the order in which they are looked for: of a folder, or of a file whose
name goes on with one of SUFFIXES."""

SUFFIXES: Final = (".csv", ".csv.gz", ".csv.zst", ".parquet")
"""What the names of files end with, in lower case; other files are left alone."""


class MissingSourceError(Exception):
    """A source has neither file nor folder in the data folder."""

    def __init__(self, data: str, source: Source, *, has_folder: bool) -> None:
        place = f"in {data}" if has_folder else f"in {data}, which is no folder"
        self.data = data
        self.source = source
        self.names = tuple(f"{name}.csv" for name in NAMES[source])
        folders = " or ".join(f"{name}/" for name in NAMES[source])
        super().__init__(
            f"no file for {source} {place}: looked for {' and '.join(self.names)} "
            f"(or .csv.gz, .csv.zst, .parquet), and for such files in a folder {folders}"
        )


def find_files(data: str | Path | Folder, source: Source) -> list[FoundFile]:
    """The files of a source: single files first, then its folder's, at any depth.

    Single files come in the order of SUFFIXES, a folder's in the order of their paths. Of several
    names of a source the first that has files counts: those of two names are never mixed. An empty
    folder is a source without files. Raises MissingSourceError, which says what was looked for;
    LocationError; UnreachableError.
    """
    folder = data_folder(data)
    has_empty_folder = False
    for name in NAMES[source]:
        files = folder.files([name + suffix for suffix in SUFFIXES])
        below = folder.files_below(name)
        if below is not None:
            files += [file for file in below if file.file_path.endswith(SUFFIXES)]
            has_empty_folder = True
        if files:
            return files
    if has_empty_folder:
        return []
    raise MissingSourceError(str(folder), source, has_folder=folder.exists())
