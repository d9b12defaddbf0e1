"""Listing and opening files in a local folder, or at any URL that fsspec supports.

Which files belong to a source, and what they contain, does not belong here.
"""

import io
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from stat import S_ISREG
from typing import Any, BinaryIO, Final, Protocol, cast

from fsspec import AbstractFileSystem
from upath import UPath

from storemon_pipeline.database.foreign_query import (
    DatabaseUnreachableError,
    QueryError,
    write_rows,
)
from storemon_pipeline.domain.rejections import UnusableFileError, printable
from storemon_pipeline.files.file_form import USUAL_FORM, FileForm
from storemon_pipeline.files.web.web_file import WebFile, WebFileError, fetch

_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_LOCAL_PROTOCOLS: Final = {"", "file", "local"}
_EXTRAS: Final = {
    "s3": "s3",
    "s3a": "s3",
    "gs": "gcs",
    "gcs": "gcs",
    "http": "http",
    "https": "http",
}
_WEB_PROTOCOLS: Final = {"http", "https"}
_MODIFIED_KEYS: Final = (
    "mtime",
    "LastModified",
    "last_modified",
    "Last-Modified",
    "updated",
    "modified",
    "created",
)
_ETAG_KEYS: Final = ("ETag", "etag", "md5Hash", "content_md5")
_COPY_BYTES: Final = 1 << 20


class LocationError(Exception):
    """A URL that this installation cannot read. A retry does not help."""


class UnreachableError(Exception):
    """Remote files that could not be listed or read. A retry may help."""


@dataclass(frozen=True, slots=True)
class Query:
    """Rows of another database, which are read as a CSV file."""

    name: str
    url: str = field(repr=False)
    query: str

    def __str__(self) -> str:
        return f"the query {self.name}"


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file in the listing of its folder.

    `file_path` is relative to the data folder. Unknown values: `size_bytes` is -1, `modified_ns`
    (since 1970) is 0, `etag` is empty. With another `form` than the usual one, the `etag` has its
    digest as well, so that the file is read anew when the form changes.
    """

    path: Path | UPath | Query | WebFile
    file_path: str
    size_bytes: int
    modified_ns: int
    etag: str = ""
    form: FileForm = USUAL_FORM

    def with_form(self, form: FileForm) -> "FoundFile":
        """The same file, to be read in this form."""
        is_known = self.modified_ns or self.etag
        etag = f"{self.etag}{_FORM_MARK}{form.digest}" if is_known and form.digest else self.etag
        return replace(self, form=form, etag=etag)


_FORM_MARK: Final = " form "


def form_digest(etag: str) -> str:
    """The digest of the form that a file with this `etag` is read in."""
    return etag.partition(_FORM_MARK)[2]


@dataclass(frozen=True, slots=True)
class Part:
    """The bytes `[start, end)` of a CSV file; `start` is the beginning of a line.

    `first_line` is the number of that line. `header` is the header that was read before, or None
    when the part begins with it.
    """

    start: int
    end: int
    first_line: int = 1
    header: str | None = None


@dataclass(frozen=True, slots=True)
class OpenFile:
    """An open, seekable file; `found` has its size and modification time as of opening.

    Only a plain CSV file can have a `part`; without one the whole file is read.
    """

    found: FoundFile
    stream: BinaryIO
    part: Part | None = None

    @property
    def name(self) -> str:
        """Its name in errors."""
        return str(self.found.path)


def printable_path(file_path: str) -> str:
    """The path as one printable line; bytes that are not UTF-8 are escaped."""
    return printable(os.fsencode(file_path))


class Folder(Protocol):
    """The data folder, local or remote."""

    def __str__(self) -> str:
        """Return the path or URL, for messages."""

    def exists(self) -> bool:
        """Whether the folder exists."""

    def files(self, names: Sequence[str]) -> list[FoundFile]:
        """The files with these names that exist, in the order of the names."""

    def names(self) -> list[str]:
        """The names of the files directly in the folder; none where a web server lists none."""

    def files_below(self, name: str) -> list[FoundFile] | None:
        """All files below a subfolder, at any depth, by `file_path`; None without that subfolder.

        Files and folders whose names begin with a dot or an underscore are left out: programs keep
        their own files there.
        """

    def folder_links_below(self, name: str) -> list[str]:
        """The links to folders below a subfolder, at any depth. They are not followed."""


def is_url(text: str) -> bool:
    """Whether the text is a URL, not a local path."""
    return _URL.match(text) is not None


def data_folder(place: str | Path | Folder) -> Folder:
    """The folder at a local path or URL. Raises LocationError for an unsupported URL."""
    if not isinstance(place, str | Path):
        return place
    if isinstance(place, Path) or not is_url(place):
        return LocalFolder(Path(place))
    try:
        path = UPath(place)
        if path.protocol in _LOCAL_PROTOCOLS:
            return LocalFolder(Path(path.path))
        _ = path.fs
    except ImportError as error:
        raise LocationError(_missing_package(place, str(error))) from error
    except ValueError as error:
        raise LocationError(f"{place} cannot be read: {error}") from error
    return RemoteFolder(path)


def _missing_package(place: str, why: str) -> str:
    protocol = place.partition("://")[0].lower()
    extra = _EXTRAS.get(protocol)
    if extra is None:
        return f"{place} cannot be read without a further package: {why}"
    return (
        f"{place} cannot be read without the extra package {extra!r}: "
        f"run pip install 'storemon[{extra}]'"
    )


@dataclass(frozen=True, slots=True)
class LocalFolder:
    """A local folder."""

    path: Path

    def __str__(self) -> str:
        """Return the path."""
        return str(self.path)

    def exists(self) -> bool:
        """See Folder."""
        return self.path.is_dir()

    def files(self, names: Sequence[str]) -> list[FoundFile]:
        """See Folder."""
        found = (_local_file(self.path / name, name) for name in names)
        return [file for file in found if file is not None]

    def names(self) -> list[str]:
        """See Folder."""
        if not self.exists():
            return []
        names = (path.name for path in self.path.iterdir() if path.is_file())
        return sorted(name for name in names if not _is_private(name))

    def files_below(self, name: str) -> list[FoundFile] | None:
        """See Folder. Links to files are followed, links to folders are not."""
        top = self.path / name
        if not top.is_dir():
            return None
        found = (
            _local_file(Path(entry.path), file_path)
            for entry, file_path in _entries_below(str(top), name)
        )
        return sorted(filter(None, found), key=lambda file: file.file_path)

    def folder_links_below(self, name: str) -> list[str]:
        """See Folder."""
        top = self.path / name
        if not top.is_dir():
            return []
        return sorted(
            file_path for entry, file_path in _entries_below(str(top), name) if entry.is_dir()
        )


def _entries_below(folder: str, file_path: str) -> Iterator[tuple[os.DirEntry[str], str]]:
    """Everything but folders and private entries, at any depth, with the paths."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if _is_private(entry.name):
                continue
            inner = f"{file_path}/{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                yield from _entries_below(entry.path, inner)
            else:
                yield entry, inner


def _local_file(path: Path, file_path: str) -> FoundFile | None:
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not S_ISREG(status.st_mode):
        return None
    return FoundFile(path, file_path, status.st_size, status.st_mtime_ns)


def _is_private(name: str) -> bool:
    return name.startswith((".", "_"))


@dataclass(frozen=True, slots=True)
class RemoteFolder:
    """A folder that is read through fsspec."""

    path: UPath

    def __str__(self) -> str:
        """Return the URL."""
        return str(self.path)

    def exists(self) -> bool:
        """Whether anything exists there. Object stores have no empty folders."""
        with _reaching(self.path):
            return bool(self.path.fs.exists(self.path.path))

    def files(self, names: Sequence[str]) -> list[FoundFile]:
        """See Folder."""
        fs, root = self.path.fs, self.path.path.rstrip("/")
        found = []
        with _reaching(self.path):
            fs.invalidate_cache()
            if self.path.protocol in _WEB_PROTOCOLS:
                # A web server may not list its files, so each name is requested.
                listed = {name: _info(fs, f"{root}/{name}") for name in names}
            else:
                listed = {
                    entry["name"].rstrip("/").rpartition("/")[2]: entry
                    for entry in _list(fs, self.path.path)
                }
            for name in names:
                info = listed.get(name)
                if info is not None and info.get("type", "file") == "file":
                    found.append(_remote_file(self.path / name, name, info))
        return found

    def names(self) -> list[str]:
        """See Folder."""
        if self.path.protocol in _WEB_PROTOCOLS:
            return []
        with _reaching(self.path):
            entries = _list(self.path.fs, self.path.path)
        found = (
            entry["name"].rpartition("/")[2] for entry in entries if entry.get("type") == "file"
        )
        return sorted(name for name in found if not _is_private(name))

    def files_below(self, name: str) -> list[FoundFile] | None:
        """See Folder."""
        top = self.path / name
        root = self.path.path.rstrip("/") + "/"
        found = []
        with _reaching(top):
            top.fs.invalidate_cache()
            try:
                entries: dict[str, dict[str, Any]] = top.fs.find(top.path, detail=True)
                if not entries and not top.fs.isdir(top.path):
                    return None
            except FileNotFoundError:
                return None
            for entry, listed in entries.items():
                file_path = re.sub("/+", "/", entry.removeprefix(root)).lstrip("/")
                inner = file_path.removeprefix(f"{name}/")
                if inner == file_path or any(_is_private(part) for part in inner.split("/")):
                    continue  # a file with the folder's own name, or a private file
                has_size = listed.get("size") is not None
                info = listed if has_size else top.fs.info(entry)
                found.append(_remote_file(self.path / file_path, file_path, info))
        return sorted(found, key=lambda file: file.file_path)

    def folder_links_below(self, name: str) -> list[str]:
        """See Folder. Remote folders have no links."""
        del name
        return []


@contextmanager
def _reaching(path: UPath) -> Iterator[None]:
    """Turn any error of a remote file system into UnreachableError with the URL."""
    try:
        yield
    except UnreachableError:
        raise
    except Exception as error:
        raise UnreachableError(f"{path} cannot be reached: {error}") from error


def _list(fs: AbstractFileSystem, path: str) -> list[dict[str, Any]]:
    try:
        entries: list[dict[str, Any]] = fs.ls(path, detail=True)
    except FileNotFoundError:
        return []
    return entries


def _info(fs: AbstractFileSystem, path: str) -> dict[str, Any] | None:
    """Request one file. An HTML page in its place, such as an error page, is not a file."""
    try:
        info: dict[str, Any] = fs.info(path)
    except FileNotFoundError:
        return None
    return None if str(info.get("mimetype", "")).startswith("text/html") else info


def _remote_file(path: UPath, file_path: str, info: dict[str, Any]) -> FoundFile:
    size = info.get("size")
    etag = next((str(info[key]) for key in _ETAG_KEYS if info.get(key)), "")
    modified = next((info[key] for key in _MODIFIED_KEYS if info.get(key)), None)
    return FoundFile(
        path, file_path, -1 if size is None else int(size), _nanoseconds(modified), etag
    )


def _nanoseconds(modified: object) -> int:
    """A modification time in any form that file systems use, in nanoseconds; 0 if unknown."""
    match modified:
        case int() | float():
            return int(modified * 1_000_000_000)
        case datetime():
            return int(modified.timestamp() * 1_000_000) * 1_000
        case str():
            for read in (datetime.fromisoformat, parsedate_to_datetime):
                try:
                    return _nanoseconds(read(modified))
                except ValueError:
                    continue
    return 0


def _is_utf8(file_path: str) -> bool:
    try:
        file_path.encode()
    except UnicodeEncodeError:
        return False
    return True


@contextmanager
def open_in_place(file: FoundFile) -> Iterator[BinaryIO]:
    """Open the file where it is, to read a little of it. Raises as `open_file` does."""
    if isinstance(file.path, Path):
        try:
            stream = file.path.open("rb")
        except (PermissionError, IsADirectoryError) as error:
            raise UnusableFileError(file.path, f"{error.strerror}") from error
        with stream:
            yield stream
        return
    if isinstance(file.path, Query | WebFile):
        with _open_elsewhere(file, file.path) as opened:
            yield opened.stream
        return
    try:
        with file.path.fs.open(file.path.path, "rb") as remote:
            yield remote
    except (FileNotFoundError, UnusableFileError):
        raise
    except Exception as error:
        raise UnreachableError(f"{file.path} cannot be read: {error}") from error


@contextmanager
def open_file(file: FoundFile) -> Iterator[OpenFile]:
    """Open the file, seekable, with its size and modification time as of opening.

    A remote file is first copied to disk. Raises FileNotFoundError when it no longer exists,
    UnusableFileError when reading is not permitted, and UnreachableError. For a file of the web
    with an `etag` raises NotModifiedError while its server has no other one.
    """
    if not _is_utf8(file.file_path):
        raise UnusableFileError(printable_path(str(file.path)), "its name is not UTF-8 text")
    if isinstance(file.path, Path):
        try:
            stream = file.path.open("rb")
        except (PermissionError, IsADirectoryError) as error:
            raise UnusableFileError(file.path, f"{error.strerror}") from error
        with stream:
            status = os.fstat(stream.fileno())
            found = replace(file, size_bytes=status.st_size, modified_ns=status.st_mtime_ns)
            yield OpenFile(found, stream)
        return
    if isinstance(file.path, Query | WebFile):
        with _open_elsewhere(file, file.path) as opened:
            yield opened
        return
    with tempfile.TemporaryFile() as copy:
        try:
            with file.path.fs.open(file.path.path, "rb") as source:
                shutil.copyfileobj(source, copy, _COPY_BYTES)
        except FileNotFoundError:
            raise
        except Exception as error:
            raise UnreachableError(f"{file.path} cannot be read: {error}") from error
        copy.seek(0)
        yield OpenFile(file, cast("BinaryIO", copy))


@contextmanager
def _open_elsewhere(file: FoundFile, path: Query | WebFile) -> Iterator[OpenFile]:
    opening = _open_query(file, path) if isinstance(path, Query) else _open_web(file, path)
    with opening as opened:
        yield opened


@contextmanager
def _open_web(file: FoundFile, path: WebFile) -> Iterator[OpenFile]:
    with tempfile.TemporaryFile() as copy:
        stream = cast("BinaryIO", copy)
        try:
            etag = fetch(path, stream, etag=file.etag)
        except WebFileError as error:
            raise UnusableFileError(str(path), str(error)) from error
        stream.seek(0)
        yield OpenFile(replace(file, etag=etag), stream)


@contextmanager
def _open_query(file: FoundFile, query: Query) -> Iterator[OpenFile]:
    with tempfile.TemporaryFile() as copy:
        text = io.TextIOWrapper(cast("BinaryIO", copy), "utf-8", "replace", write_through=True)
        try:
            write_rows(query.url, query.query, text)
        except QueryError as error:
            raise UnusableFileError(str(query), str(error)) from error
        except DatabaseUnreachableError as error:
            raise UnreachableError(f"{query} cannot be read: {error}") from error
        text.detach()
        copy.seek(0)
        yield OpenFile(file, cast("BinaryIO", copy))
