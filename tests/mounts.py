"""Mounts small and read-only file systems for tests, which only root may do."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def mounted(place: Path, *, mebibytes: int) -> Iterator[Path]:
    """Yield a folder on a file system in memory with so much room; skip where none can be had."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount the small disk of this test")
    place.mkdir()
    command = [_program("mount"), "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(place)]
    tried = subprocess.run(command, capture_output=True, text=True, check=False, timeout=180)
    if tried.returncode != 0:
        pytest.skip(f"no small disk can be mounted here: {tried.stderr.strip()}")
    try:
        yield place
    finally:
        # Lazily: whatever still holds a file of it lets go when it ends.
        subprocess.run([_program("umount"), "--lazy", str(place)], check=True, timeout=180)


def make_read_only(place: Path) -> None:
    """Let nobody write to a mounted file system any more, root neither."""
    subprocess.run([_program("mount"), "-o", "remount,ro", str(place)], check=True, timeout=180)


def fill_up(place: Path, *, leaving_bytes: int) -> Path:
    """Return a new file that leaves only so much room on its file system."""
    filler = place / "filler"
    free = shutil.disk_usage(place).free
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, free - leaving_bytes))
    return filler


def _program(name: str) -> str:
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if path is None:
        pytest.skip(f"there is no program {name} here")
    return path
