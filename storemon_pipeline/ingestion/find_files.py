"""Finding the files of a source in the data folder."""

from pathlib import Path
from typing import Final

from storemon_pipeline.domain.sources import Source
from storemon_pipeline.files.folders import Folder, FoundFile, data_folder
from storemon_pipeline.ingestion.sources import file_names

SUFFIXES: Final = (".csv", ".csv.gz", ".csv.zst", ".parquet")
"""Endings of files that are read, in lower case; other files are ignored."""


class MissingSourceError(Exception):
    """A source has neither file nor folder in the data folder."""

    def __init__(self, data: str, source: Source, *, has_folder: bool) -> None:
        place = f"in {data}" if has_folder else f"in {data}, which is not a folder"
        names = file_names(source)
        self.data = data
        self.source = source
        self.names = tuple(f"{name}.csv" for name in names)
        folders = " or ".join(f"{name}/" for name in names)
        super().__init__(
            f"no file for {source} {place}: looked for {' and '.join(self.names)} "
            f"(or .csv.gz, .csv.zst, .parquet), and for such files in a folder {folders}"
        )


def find_files(data: str | Path | Folder, source: Source) -> list[FoundFile]:
    """The files of a source: single files first, then those of its folder, at any depth.

    Single files come in the order of SUFFIXES, those of a folder in the order of their paths. If a
    source has several names, the first name with files is used alone. An empty folder is a source
    without files. Raises MissingSourceError, LocationError and UnreachableError.
    """
    folder = data_folder(data)
    has_empty_folder = False
    for name in file_names(source):
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
