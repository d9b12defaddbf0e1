"""The folder of a lake: reading, creating and deleting files, in a local folder or at a URL.

What the files hold does not belong here.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from copy import copy
from functools import partial
from pathlib import Path
from threading import BoundedSemaphore
from typing import BinaryIO, Final, Self
from uuid import uuid4

from upath import UPath

from storemon_pipeline.database.overlap import results_in_order
from storemon_pipeline.files.folders import UnreachableError, data_folder

_LOCAL: Final = frozenset({"", "file", "local"})

AT_ONCE: Final = 16
"""Requests that wait for an object store at the same time: it answers them as fast as one."""


class _Requests:
    """Files that other threads read or write."""

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self._threads = threads
        self._free = BoundedSemaphore(AT_ONCE)
        self.read: dict[str, Future[bytes]] = {}
        self.written: dict[str, Future[None]] = {}

    def begin_reading(self, name: str, work: Callable[[], bytes]) -> None:
        self.read[name] = self._threads.submit(work)

    def begin_writing(self, name: str, work: Callable[[], None]) -> None:
        self._free.acquire()  # so that few files wait in memory
        self.written[name] = self._threads.submit(work)
        self.written[name].add_done_callback(lambda _: self._free.release())


class LakeFolder:
    """A folder with files that never change once they are complete."""

    _requests: _Requests | None = None

    def __init__(self, place: str) -> None:
        """Raise LocationError for a URL of a kind that this installation cannot reach."""
        self._place = place
        self._root = UPath(data_folder(place).path)  # type: ignore[attr-defined]
        self.is_local = self._root.protocol in _LOCAL

    def __str__(self) -> str:
        """Return the path or URL."""
        return self._place

    @contextmanager
    def concurrently(self) -> Iterator[Self]:
        """This folder, whose files are written in other threads, and may be read ahead.

        At the end of the block all are written. Raises UnreachableError.
        """
        folder = copy(self)
        with ThreadPoolExecutor(AT_ONCE) as threads:
            requests = folder._requests = _Requests(threads)  # noqa: SLF001  (a folder as well)
            yield folder
            folder.settle(list(requests.written))

    def begin_reading(self, names: Iterable[str]) -> None:
        """Read files ahead, for a `read` of each that follows within `concurrently`."""
        if self._requests is not None:
            for name in names:
                # What is written here may not be there yet.
                if name not in self._requests.read and name not in self._requests.written:
                    self._requests.begin_reading(name, partial(self._read, name))

    def settle(self, names: Iterable[str]) -> None:
        """These files, if they were written here, are there. Raises UnreachableError."""
        if self._requests is not None:
            for name in names:
                if name in self._requests.written:
                    self._requests.written[name].result()

    def read(self, name: str) -> bytes:
        """The bytes of a file. Raises FileNotFoundError and UnreachableError."""
        self.settle([name])
        begun = None if self._requests is None else self._requests.read.pop(name, None)
        return self._read(name) if begun is None else begun.result()

    def _read(self, name: str) -> bytes:
        path = self._root / name
        with self._reaching(FileNotFoundError):
            content: bytes = path.fs.cat_file(path.path)
        return content

    @contextmanager
    def opened(self, name: str) -> Iterator[BinaryIO]:
        """The file, of which parts can be read. Raises UnreachableError."""
        self.settle([name])
        path = self._root / name
        with self._reaching(), path.fs.open(path.path) as file:
            yield file

    def write(self, name: str, content: bytes, *, is_lasting: bool = True) -> None:
        """The folder has the file. Raises UnreachableError.

        A lasting file outlives a power cut.
        """
        write = partial(self._write, name, content, is_lasting=is_lasting)
        if self._requests is None:
            write()
        else:
            self._requests.begin_writing(name, write)

    def _write(self, name: str, content: bytes, *, is_lasting: bool) -> None:
        with self._reaching():
            if self.is_local:
                self._write_local(Path(self._root.path) / name, content, is_lasting=is_lasting)
            else:
                path = self._root / name
                path.fs.pipe_file(path.path, content)

    def create(self, name: str, content: bytes) -> None:
        """The folder has the file, whole. Raises FileExistsError if it had one, UnreachableError.

        Of several processes that create the same file one succeeds. A URL needs a filesystem that
        can write on the condition that there is no such file, as those of S3 and Google can.
        """
        with self._reaching(FileExistsError):
            if self.is_local:
                self._create_local(Path(self._root.path) / name, content)
            else:
                path = self._root / name
                path.fs.pipe_file(path.path, content, mode="create")

    def names(self, folder: str) -> list[str]:
        """The names of the files directly in a folder, sorted; none without the folder."""
        path = self._root / folder
        with self._reaching():
            path.fs.invalidate_cache()
            try:
                entries = path.fs.ls(path.path, detail=True)
            except FileNotFoundError:
                return []
        names = [entry["name"].rpartition("/")[2] for entry in entries if entry["type"] == "file"]
        return sorted(name for name in names if not name.startswith("."))

    def delete(self, names: Iterable[str]) -> None:
        """The folder has none of these files any more. Raises UnreachableError."""
        deque(results_in_order(self._delete, names, at_once=AT_ONCE), maxlen=0)

    def _delete(self, name: str) -> None:
        path = self._root / name
        with self._reaching(), suppress(FileNotFoundError):  # another process deleted it
            path.fs.rm_file(path.path)

    def _write_local(self, path: Path, content: bytes, *, is_lasting: bool) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.write(content)
            if is_lasting:
                file.flush()
                os.fsync(file.fileno())
        if is_lasting:
            _flush_folder(path.parent)

    def _create_local(self, path: Path, content: bytes) -> None:
        unfinished = path.with_name(f".{path.name}.{uuid4().hex}")
        try:
            self._write_local(unfinished, content, is_lasting=True)
            # A link appears with its whole content, and never replaces a file.
            os.link(unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)
        _flush_folder(path.parent)

    @contextmanager
    def _reaching(self, *expected: type[OSError]) -> Iterator[None]:
        """Raise UnreachableError for all errors but the expected ones."""
        try:
            yield
        except expected:
            raise
        except Exception as error:
            raise UnreachableError(f"The lake {self} cannot be used: {error}") from error


def _flush_folder(path: Path) -> None:
    """The names of the folder's files are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
