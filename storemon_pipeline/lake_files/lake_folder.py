"""The folder of a lake: reading, creating and deleting files, in a local folder or at a URL.

What the files hold does not belong here.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final
from uuid import uuid4

from upath import UPath

from storemon_pipeline.files.folders import UnreachableError, data_folder

_LOCAL: Final = frozenset({"", "file", "local"})


class LakeFolder:
    """A folder with files that never change once they are complete."""

    def __init__(self, place: str) -> None:
        """Raise LocationError for a URL of a kind that this installation cannot reach."""
        self._place = place
        self._root = UPath(data_folder(place).path)  # type: ignore[attr-defined]
        self._is_local = self._root.protocol in _LOCAL

    def __str__(self) -> str:
        """Return the path or URL."""
        return self._place

    def read(self, name: str) -> bytes:
        """The bytes of a file. Raises FileNotFoundError and UnreachableError."""
        path = self._root / name
        with self._reaching(FileNotFoundError):
            content: bytes = path.fs.cat_file(path.path)
        return content

    @contextmanager
    def opened(self, name: str) -> Iterator[BinaryIO]:
        """The file, of which parts can be read. Raises UnreachableError."""
        path = self._root / name
        with self._reaching(), path.fs.open(path.path) as file:
            yield file

    def write(self, name: str, content: bytes, *, is_lasting: bool = True) -> None:
        """The folder has the file. Raises UnreachableError.

        A lasting file outlives a power cut.
        """
        with self._reaching():
            if self._is_local:
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
            if self._is_local:
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
        with self._reaching():
            for name in names:
                path = self._root / name
                with suppress(FileNotFoundError):  # another process deleted it
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
