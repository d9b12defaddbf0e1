"""Files of a lake that are read ahead, and written in other threads."""

import time
from collections.abc import Iterator
from pathlib import Path
from threading import Barrier, Event, Lock, Thread, current_thread, main_thread

import pytest

from storemon_pipeline.database.overlap import results_in_order
from storemon_pipeline.files.folders import UnreachableError
from storemon_pipeline.lake_files.lake_folder import AT_ONCE, LakeFolder

PATIENCE = 20


@pytest.fixture
def lake(tmp_path: Path) -> LakeFolder:
    return LakeFolder(str(tmp_path))


def test_results_are_in_order_and_few_items_are_taken_ahead() -> None:
    taken: list[int] = []
    together = Barrier(3)

    def items() -> Iterator[int]:
        for number in range(9):
            taken.append(number)
            yield number

    def work(number: int) -> tuple[int, bool]:
        together.wait(PATIENCE)  # no three of them end before the third has begun
        return number * 10, current_thread() is main_thread()

    results = results_in_order(work, items(), at_once=3)
    assert next(results) == (0, False)
    assert len(taken) == 4
    assert list(results) == [(number * 10, False) for number in range(1, 9)]


def test_an_error_of_an_item_comes_in_its_place() -> None:
    results = results_in_order(lambda number: 6 // number, [3, 2, 0, 1], at_once=4)
    assert [next(results), next(results)] == [2, 3]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_files_of_a_block_are_there_at_its_end(lake: LakeFolder) -> None:
    names = [f"folder/{number}" for number in range(3 * AT_ONCE)]
    with lake.concurrently() as folder:
        for name in names:
            folder.write(name, name.encode())
    assert [lake.read(name) for name in names] == [name.encode() for name in names]


def test_a_file_that_is_being_written_can_be_read(lake: LakeFolder) -> None:
    slow = SlowFolder(str(lake))
    with slow.concurrently() as folder:
        folder.write("file", b"content")
        folder.begin_reading(["file"])
        Thread(target=slow.go_on.set).start()
        assert folder.read("file") == b"content"


class SlowFolder(LakeFolder):
    """Writes nothing until it may go on; counts the writes that have begun."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.go_on = Event()
        self.lock = Lock()
        self.begun: list[str] = []

    def _write(self, name: str, content: bytes, *, is_lasting: bool) -> None:
        with self.lock:
            self.begun.append(name)
        assert self.go_on.wait(PATIENCE)
        super()._write(name, content, is_lasting=is_lasting)


def test_few_files_wait_in_memory(lake: LakeFolder) -> None:
    slow = SlowFolder(str(lake))
    handed_over: list[int] = []

    def write_all() -> None:
        with slow.concurrently() as folder:
            for number in range(AT_ONCE + 5):
                folder.write(str(number), b"")
                handed_over.append(number)

    writer = Thread(target=write_all)
    writer.start()
    deadline = time.monotonic() + PATIENCE
    while len(slow.begun) < AT_ONCE and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(handed_over) <= AT_ONCE
    slow.go_on.set()
    writer.join(PATIENCE)
    assert len(handed_over) == len(slow.begun) == AT_ONCE + 5


def test_a_file_that_cannot_be_written_ends_the_block(lake: LakeFolder, tmp_path: Path) -> None:
    (tmp_path / "taken").write_bytes(b"")

    def write_both() -> None:
        with lake.concurrently() as folder:
            folder.write("taken/file", b"")
            folder.write("other", b"")

    with pytest.raises(UnreachableError, match="taken"):
        write_both()
    assert lake.read("other") == b""


def test_files_are_read_ahead_once(lake: LakeFolder, tmp_path: Path) -> None:
    lake.write("file", b"old")
    with lake.concurrently() as folder:
        folder.begin_reading(["file", "missing"])
        folder.begin_reading(["file"])
        deadline = time.monotonic() + PATIENCE
        while not _is_read(folder, "file") and time.monotonic() < deadline:
            time.sleep(0.01)
        (tmp_path / "file").write_bytes(b"new")
        assert (folder.read("file"), folder.read("file")) == (b"old", b"new")
        with pytest.raises(FileNotFoundError):
            folder.read("missing")


def _is_read(folder: LakeFolder, name: str) -> bool:
    assert folder._requests is not None
    return folder._requests.read[name].done()


def test_outside_of_a_block_nothing_is_read_ahead(lake: LakeFolder, tmp_path: Path) -> None:
    lake.write("file", b"old")
    lake.begin_reading(["file"])
    (tmp_path / "file").write_bytes(b"new")
    assert lake.read("file") == b"new"


def test_deleting_many_files_leaves_none(lake: LakeFolder) -> None:
    names = [f"folder/{number}" for number in range(2 * AT_ONCE)]
    for name in names:
        lake.write(name, b"", is_lasting=False)
    lake.delete([*names, "folder/none"])
    assert lake.names("folder") == []
