"""Finding the files of a source in the data folder."""

from collections.abc import Collection
from pathlib import Path
from typing import Final

from storemon_pipeline.domain.sources import Source
from storemon_pipeline.files.folders import Folder, FoundFile, data_folder, printable_path
from storemon_pipeline.ingestion.sources import file_names
from storemon_pipeline.loads.unread_files import PassedOverFile

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


def find_passed_over(data: str | Path | Folder, used: Collection[str]) -> list[PassedOverFile]:
    """The files, beside the `used` ones, that somebody may have meant to be read.

    That are files with the name of a source and another ending, or another name and an ending that
    is read, and all other files in the folders of sources. Raises as `find_files` does.
    """
    folder = data_folder(data)
    sources = {name: source for source in Source for name in file_names(source)}
    found = []
    for file_name in folder.names():
        base = file_name.removesuffix(_suffix(file_name))
        if file_name in used or not (_suffix(file_name) or file_name.split(".")[0] in sources):
            continue
        source = sources.get(base if _suffix(file_name) else file_name.split(".")[0])
        reason = _UNKNOWN_NAME if source is None else _why_passed_over(file_name, source)
        found.append(PassedOverFile(printable_path(file_name), source, reason))
    for name, source in sources.items():
        for file in folder.files_below(name) or ():
            if file.file_path not in used:
                reason = _why_passed_over(file.file_path, source)
                found.append(PassedOverFile(printable_path(file.file_path), source, reason))
        found += [
            PassedOverFile(printable_path(link), source, _LINK)
            for link in folder.folder_links_below(name)
        ]
    return found


_LINK: Final = "it is a link to a folder, and such links are not followed"


_UNKNOWN_NAME: Final = "no source has this name"


def _suffix(file_path: str) -> str:
    """The ending, if files with it are read."""
    return next((suffix for suffix in SUFFIXES if file_path.endswith(suffix)), "")


def _why_passed_over(file_path: str, source: Source) -> str:
    if not _suffix(file_path):
        return f"its name does not end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"
    return f"there are files named {' or '.join(file_names(source)[:-1])}, which are read instead"


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
