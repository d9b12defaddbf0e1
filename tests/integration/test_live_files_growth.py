"""Files that grow, are replaced, touched, renamed or vanish: the rows after each refresh."""

import gzip
import os
import random
import string
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import adbc_driver_manager
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from upath import UPath

from databases import Databases
from properties import seeds
from stored import execute
from storemon_pipeline.checks.table_checks import count_lost_polls, count_unaccounted_polls
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.files import fingerprints
from storemon_pipeline.files.folders import UnreachableError
from storemon_pipeline.ingestion import file_changes
from storemon_pipeline.ingestion.ingest_files import ingest_source
from storemon_pipeline.ingestion.source_load import SourceLoad
from storemon_pipeline.ingestion.watch_files import is_all_read, list_files
from storemon_pipeline.loads.rejected_rows import read_pending_rows
from storemon_pipeline.sources.find_files import MissingSourceError

HEADER: Final = "store_id,timestamp_utc,status\n"
NOW: Final = datetime(2023, 2, 1, tzinfo=UTC)
JUST_NOW: Final = (NOW - timedelta(seconds=1)).timestamp()
A_MINUTE_AGO: Final = (NOW - timedelta(seconds=60)).timestamp()

MIXED: Final = (
    HEADER
    + "A,2023-01-23 09:00:00 UTC,active\n"
    + "B,2023-01-23 09:05:00.250000 UTC,inactive\n"
    + "\n"
    + "A,2023-01-23 10:00:00 UTC,inactive\r\n"
    + "C,tomorrow,active\n"
    + "A,2023-01-23 09:00:00 UTC,inactive\n"
    + "Zürich,2023-01-23 11:00:00 UTC,active\n"
    + "B,2023-01-23 08:00:00 UTC\n"
    + "A,2023-01-23 09:00:00 UTC,active\n"
    + ",2023-01-23 12:00:00 UTC,active\n"
    + "C,2023-01-23 12:00:00 UTC,active\n"
)
"""Late, repeated, corrected and unreadable rows, a blank line and two kinds of line ends."""


@dataclass
class Folder:
    """A data folder and the database that it is loaded into."""

    url: str
    path: Path
    source: Source = Source.STORE_STATUS
    _written: float = field(default=JUST_NOW, init=False)

    def write(self, name: str, content: str | bytes, *, at: float | None = None) -> Path:
        """Write a file; its time of change is a second before the clock, and later each time."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        self._written += 0.001
        os.utime(path, (at or self._written,) * 2)
        return path

    def append(self, name: str, content: str | bytes, *, at: float | None = None) -> Path:
        """Append to a file."""
        path = self.path / name
        before = path.read_bytes() if path.exists() else b""
        after = content if isinstance(content, bytes) else content.encode()
        return self.write(name, before + after, at=at)

    def refresh(self, *, now: datetime = NOW) -> SourceLoad:
        """Load what is new."""
        load = ingest_source(self.url, self.path, self.source, now=now, run_id=None)
        for made in load.loads:
            row_counts = made.row_counts
            assert row_counts.read == (
                row_counts.loaded + row_counts.replaced + row_counts.unchanged + row_counts.rejected
            )
        with bulk_transaction(self.url) as bulk:
            assert count_lost_polls(bulk, load.load_ids) == 0
        return load


@pytest.fixture
def folder(database_url: str, tmp_path: Path) -> Folder:
    return Folder(database_url, tmp_path)


@pytest.fixture
def fresh(databases: Databases) -> Iterator[Callable[[], str]]:
    """Make further databases with all tables and no rows."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(databases.taken())


def fetch(url: str, query: str) -> list[dict[str, Any]]:
    with bulk_transaction(url) as bulk:
        rows: list[dict[str, Any]] = bulk.fetch(query).to_pylist()
    return rows


def stored(url: str) -> list[dict[str, Any]]:
    return fetch(
        url,
        "SELECT store_id, polled_at, is_active FROM store_status JOIN stores USING (store_key)"
        " ORDER BY 1, 2",
    )


def polls(url: str) -> list[tuple[str, str, bool]]:
    return [(row["store_id"], f"{row['polled_at']:%H:%M}", row["is_active"]) for row in stored(url)]


def tables(url: str) -> dict[str, list[dict[str, Any]]]:
    """Everything that polls leave behind, apart from which load said it."""
    with bulk_transaction(url) as bulk:
        assert count_unaccounted_polls(bulk) == 0
    return {
        "polls": stored(url),
        "runs": fetch(
            url,
            "SELECT store_id, first_poll_at, last_poll_at, is_active, polls FROM status_runs"
            " JOIN stores USING (store_key) ORDER BY 1, 2",
        ),
        "rejected": fetch(url, "SELECT line, row_text, reason FROM rejected_rows ORDER BY 1, 2"),
    }


def row_counts(load: SourceLoad) -> tuple[int, int, int, int]:
    total = load.row_counts
    return total.loaded, total.replaced, total.unchanged, total.rejected


def row(clock: str, status: str = "active", *, store: str = "A") -> str:
    return f"{store},2023-01-23 {clock}:00 UTC,{status}\n"


# One growing file


def test_of_an_appended_file_only_the_new_lines_are_read(folder: Folder) -> None:
    folder.write("store_status.csv", HEADER + row("09:00") + row("10:00"))
    assert row_counts(folder.refresh()) == (2, 0, 0, 0)
    folder.append("store_status.csv", row("11:00"))
    assert row_counts(folder.refresh()) == (1, 0, 0, 0)
    folder.append("store_status.csv", row("12:00") + row("10:00", "inactive"))
    assert row_counts(folder.refresh()) == (1, 1, 0, 0)


def test_an_unchanged_file_is_not_read(folder: Folder) -> None:
    folder.write("store_status.csv", HEADER + row("09:00"))
    folder.refresh()
    again = folder.refresh()
    assert (again.files, again.loads) == (1, ())


def test_a_touched_file_is_not_read_and_its_new_time_is_remembered(folder: Folder) -> None:
    path = folder.write("store_status.csv", HEADER + row("09:00"))
    folder.refresh()
    os.utime(path, (A_MINUTE_AGO, A_MINUTE_AGO))
    assert folder.refresh().loads == ()
    (state,) = fetch(folder.url, "SELECT modified_ns FROM ingested_files")
    assert state["modified_ns"] == path.stat().st_mtime_ns


def test_a_file_replaced_by_one_of_the_same_size_is_read_whole(folder: Folder) -> None:
    folder.write("store_status.csv", HEADER + row("09:00") + row("10:00"))
    folder.refresh()
    folder.write("store_status.csv", HEADER + row("09:00") + row("11:00"))
    assert row_counts(folder.refresh()) == (1, 0, 1, 0)
    assert [clock for _, clock, _ in polls(folder.url)] == ["09:00", "10:00", "11:00"]


def test_a_longer_file_that_begins_otherwise_is_read_whole(folder: Folder) -> None:
    folder.write("store_status.csv", HEADER + row("09:00"))
    folder.refresh()
    folder.write("store_status.csv", HEADER + row("08:00") + row("09:00") + row("10:00"))
    assert row_counts(folder.refresh()) == (2, 0, 1, 0)


def test_a_shorter_file_loses_nothing(folder: Folder) -> None:
    folder.write("store_status.csv", HEADER + row("09:00") + row("10:00"))
    folder.refresh()
    folder.write("store_status.csv", HEADER + row("09:00"))
    assert row_counts(folder.refresh()) == (0, 0, 1, 0)
    assert len(polls(folder.url)) == 2


def test_columns_may_be_in_another_order_in_a_file_that_takes_the_place(folder: Folder) -> None:
    folder.write("store_status.csv", HEADER + row("09:00"))
    folder.refresh()
    folder.write(
        "store_status.csv",
        "status,store_id,timestamp_utc\ninactive,A,2023-01-23T10:00:00Z\nactive,B,2023-01-23T10:00:00Z\n",
    )
    assert row_counts(folder.refresh()) == (2, 0, 0, 0)


def test_rejected_rows_of_an_appended_part_keep_their_lines_in_the_file(folder: Folder) -> None:
    folder.write("store_status.csv", "\ufeff" + HEADER + "\n" + row("09:00"))
    folder.refresh()
    folder.append("store_status.csv", row("10:00") + "A,never,active\r\n" + row("11:00"))
    folder.refresh()
    folder.append("store_status.csv", "\n\nB\n")
    folder.refresh()
    rejected = fetch(folder.url, "SELECT line, row_text FROM rejected_rows ORDER BY line")
    assert [(found["line"], found["row_text"]) for found in rejected] == [
        (5, "A,never,active"),
        (9, "B"),
    ]


def test_a_large_file_that_grows_is_recognised_by_samples(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fingerprints, "WHOLE_BYTES", 1_000)
    monkeypatch.setattr(fingerprints, "_SAMPLE_BYTES", 8)
    rows = [row(f"{hour:02}:{minute:02}") for hour in range(12) for minute in range(60)]
    text = HEADER + "".join(rows)
    path = folder.write("store_status.csv", text)
    assert row_counts(folder.refresh()) == (720, 0, 0, 0)
    folder.append("store_status.csv", row("12:00"))
    assert row_counts(folder.refresh()) == (1, 0, 0, 0)
    # Samples cannot prove that nothing has changed in a file of the same size.
    os.utime(path, (A_MINUTE_AGO, A_MINUTE_AGO))
    assert row_counts(folder.refresh()) == (0, 0, 721, 0)
    folder.write("store_status.csv", text.replace("active", "inactive", 3))
    assert row_counts(folder.refresh()) == (0, 3, 717, 0)


@pytest.mark.parametrize(("clock", "lost"), [("09:00", 0), ("10:00", 1), ("11:00", 1)])
def test_a_poll_that_is_gone_after_its_load_is_counted_as_lost(
    folder: Folder, clock: str, lost: int
) -> None:
    folder.write("store_status/a.csv", HEADER + row("09:00"))
    folder.refresh()
    folder.write("store_status/b.csv", HEADER + row("09:00", "inactive") + row("10:00"))
    folder.write("store_status/c.csv", HEADER + row("10:00", "inactive") + row("11:00"))
    load = folder.refresh()
    with bulk_transaction(folder.url, is_writing_polls=True) as bulk:
        bulk.execute(f"DELETE FROM store_status WHERE polled_at = '2023-01-23 {clock}Z'")
    with bulk_transaction(folder.url) as bulk:
        assert count_lost_polls(bulk, load.load_ids) == lost


# A last line without an end


@pytest.mark.parametrize("portion_bytes", [32, 40, 100, 200])
def test_a_large_file_is_several_loads_that_give_the_tables_of_one(
    folder: Folder,
    fresh: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
    portion_bytes: int,
) -> None:
    whole = Folder(fresh(), folder.path)
    folder.write("store_status.csv", MIXED)
    whole_read = whole.refresh().row_counts.read
    monkeypatch.setattr(file_changes, "PORTION_BYTES", portion_bytes)
    made = folder.refresh()
    assert len(made.loads) > 1
    assert made.row_counts.read == whole_read
    assert tables(folder.url) == tables(whole.url)
    assert folder.refresh().loads == ()
    folder.append("store_status.csv", row("13:00"))
    assert row_counts(folder.refresh()) == (1, 0, 0, 0)


def test_a_large_file_is_read_on_where_a_load_has_ended(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_changes, "PORTION_BYTES", 100)
    folder.write("store_status.csv", MIXED)
    execute(folder.url, "ALTER TABLE loads ADD CONSTRAINT breaks CHECK (load_id < 3)")
    with pytest.raises(adbc_driver_manager.IntegrityError):
        folder.refresh()
    assert fetch(folder.url, "SELECT max(load_id) AS n FROM loads") == [{"n": 2}]
    read = fetch(folder.url, "SELECT sum(rows_read)::int AS n FROM loads")[0]["n"]
    execute(folder.url, "ALTER TABLE loads DROP CONSTRAINT breaks")
    assert 0 < folder.refresh().row_counts.read == MIXED.count("\n") - 2 - read


def test_half_a_line_waits_for_its_rest(folder: Folder) -> None:
    folder.write("store_status.csv", HEADER + row("09:00") + "A,2023-01-23 10:00:00 UTC,act")
    assert row_counts(folder.refresh()) == (1, 0, 0, 0)
    folder.append("store_status.csv", "ive\n")
    assert row_counts(folder.refresh()) == (1, 0, 0, 0)
    assert fetch(folder.url, "SELECT FROM rejected_rows") == []


def test_half_a_header_waits_for_its_rest(folder: Folder) -> None:
    folder.write("store_status.csv", "store_id,time")
    assert folder.refresh() == SourceLoad(1, (), ())
    folder.append("store_status.csv", "stamp_utc,status\n" + row("09:00"))
    assert row_counts(folder.refresh()) == (1, 0, 0, 0)


def test_an_empty_file_waits_for_its_rest(folder: Folder) -> None:
    folder.write("store_status.csv", "")
    assert folder.refresh() == SourceLoad(1, (), ())
    folder.append("store_status.csv", HEADER + row("09:00"))
    assert row_counts(folder.refresh()) == (1, 0, 0, 0)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b""),
        ("a.csv", b"\xef\xbb\xbf\r\n\n"),
        ("a.csv.gz", b""),
        ("a.csv.gz", gzip.compress(b"\n", mtime=0)),
        ("a.csv.zst", b""),
        ("a.parquet", b""),
    ],
)
def test_an_empty_file_is_no_fault_and_is_read_once(
    folder: Folder, name: str, content: bytes
) -> None:
    folder.write(f"store_status/{name}", "")
    path = folder.path / "store_status" / name
    path.write_bytes(content)
    os.utime(path, (A_MINUTE_AGO, A_MINUTE_AGO))
    assert folder.refresh() == SourceLoad(1, (), ())
    assert is_all_read(folder.url, list_files(folder.path, now=NOW))
    assert fetch(folder.url, "SELECT * FROM loads") == []


def test_a_file_that_was_emptied_takes_nothing_away_and_can_grow_again(folder: Folder) -> None:
    folder.write("store_status.csv", HEADER + row("09:00"))
    folder.refresh()
    folder.write("store_status.csv", "")
    assert folder.refresh() == SourceLoad(1, (), ())
    folder.write("store_status.csv", HEADER + row("10:00"))
    assert row_counts(folder.refresh()) == (1, 0, 0, 0)
    assert fetch(folder.url, "SELECT count(*) AS polls FROM store_status") == [{"polls": 2}]


@pytest.mark.parametrize("at", [A_MINUTE_AGO, A_MINUTE_AGO - 86_400], ids=["minute", "day"])
def test_the_last_line_is_read_at_once_in_a_file_left_alone_for_a_minute(
    folder: Folder, at: float
) -> None:
    folder.write("store_status.csv", (HEADER + row("09:00") + row("10:00")).rstrip(), at=at)
    assert row_counts(folder.refresh()) == (2, 0, 0, 0)
    assert folder.refresh().loads == ()


def test_the_last_line_is_read_when_the_file_is_the_same_at_the_next_refresh(
    folder: Folder,
) -> None:
    folder.write("store_status.csv", (HEADER + row("09:00") + row("10:00")).rstrip())
    assert row_counts(folder.refresh()) == (1, 0, 0, 0)
    assert row_counts(folder.refresh()) == (1, 0, 0, 0)
    assert folder.refresh().loads == ()


def test_a_last_line_that_was_whole_is_not_doubled_when_the_file_goes_on(folder: Folder) -> None:
    folder.write("store_status.csv", (HEADER + row("09:00") + row("10:00")).rstrip())
    folder.refresh()
    folder.refresh()
    folder.append("store_status.csv", "\n" + row("11:00"))
    folder.refresh()
    assert tables(folder.url)["runs"][0]["polls"] == 3
    assert folder.refresh().loads == ()


def test_half_a_line_that_was_taken_for_a_whole_one_is_taken_back(folder: Folder) -> None:
    header = "store_id,status,timestamp_utc\n"
    folder.write("store_status.csv", header + "A,inactive,2023-01-23 10:00:00Z\n")
    folder.refresh()
    folder.append("store_status.csv", "A,active,2023-01-23 10:00:00")
    folder.refresh()
    assert row_counts(folder.refresh()) == (0, 1, 0, 0)
    folder.append("store_status.csv", ".250000Z\nA,active,2023-01-23 1")
    assert row_counts(folder.refresh()) == (1, 0, 0, 0)
    assert [(f"{seen['polled_at']:%T.%f}", seen["is_active"]) for seen in stored(folder.url)] == [
        ("10:00:00.000000", False),
        ("10:00:00.250000", True),
    ]
    assert row_counts(folder.refresh()) == (0, 0, 0, 1)
    folder.append("store_status.csv", "1:00:00Z\n")
    assert row_counts(folder.refresh()) == (1, 0, 0, 0)
    assert [run["polls"] for run in tables(folder.url)["runs"]] == [1, 2]
    with bulk_transaction(folder.url) as bulk:
        assert read_pending_rows(bulk) == []


@pytest.mark.parametrize("refreshes", [1, 2], ids=["at once", "after it was read as it is"])
def test_half_a_row_with_a_quoted_line_break_makes_no_store(folder: Folder, refreshes: int) -> None:
    folder.write("store_status.csv", HEADER + row("09:00") + '"A\n')
    for _ in range(refreshes):
        folder.refresh()
    folder.append("store_status.csv", '16",2023-01-23 10:00:00,active\n')
    folder.refresh()
    ids = fetch(folder.url, "SELECT store_id FROM stores ORDER BY store_id")
    assert [store["store_id"] for store in ids] == ["A", "A\n16"]
    with bulk_transaction(folder.url) as bulk:
        assert read_pending_rows(bulk) == []


def test_half_a_line_that_goes_on_slowly_is_taken_back_each_time(folder: Folder) -> None:
    folder.write("store_status.csv", "store_id,status,timestamp_utc\n")
    for text in ("A,active,2023-01-23 10:00:00", ".1", "2", "3456", "Z"):
        folder.append("store_status.csv", text)
        folder.refresh()
        folder.refresh()
    folder.append("store_status.csv", "\n")
    folder.refresh()
    assert [f"{seen['polled_at']:%T.%f}" for seen in stored(folder.url)] == ["10:00:00.123456"]


# Any way of cutting


def cut_at(text: bytes, cuts: Sequence[int]) -> list[bytes]:
    places = [0, *sorted(cuts), len(text)]
    return [text[start:end] for start, end in pairwise(places)]


def test_byte_by_byte_gives_the_tables_of_one_file(
    folder: Folder, fresh: Callable[[], str]
) -> None:
    folder.write("store_status.csv", HEADER[:-2])
    for byte in (HEADER[-2:] + "Ö,2023-01-23 09:00Z,active\r\n\r\nB,x,active\n").encode():
        folder.append("store_status.csv", bytes([byte]))
        folder.refresh()
    whole = Folder(fresh(), folder.path)
    whole.refresh()
    assert tables(folder.url) == tables(whole.url)


@pytest.mark.parametrize("seed", seeds(few=4, many=12))
def test_any_cutting_into_appends_gives_the_tables_of_one_file(
    folder: Folder, fresh: Callable[[], str], seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311
    text = MIXED.encode()
    if seed % 3 == 0:
        text = text.rstrip()
    cuts = [chance.randrange(len(text)) for _ in range(chance.randrange(1, 9))]
    loads = []
    for part in cut_at(text, cuts):
        folder.append("store_status.csv", part)
        loads.append(folder.refresh())
    loads.append(folder.refresh())
    assert sum(load.row_counts.read for load in loads) == 10
    whole = Folder(fresh(), folder.path)
    whole.refresh()
    whole.refresh()
    assert tables(folder.url) == tables(whole.url)


@pytest.mark.parametrize("seed", seeds(few=2, many=6))
def test_refreshes_in_the_middle_of_a_line_leave_no_wrong_poll_behind(
    folder: Folder, fresh: Callable[[], str], seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311
    text = MIXED.encode()
    for part in cut_at(text, [chance.randrange(len(text)) for _ in range(6)]):
        folder.append("store_status.csv", part)
        for _ in range(3):  # the file stays the same, and its last line is read as it is
            folder.refresh()
    whole = Folder(fresh(), folder.path)
    whole.refresh()
    whole.refresh()
    left, right = tables(folder.url), tables(whole.url)
    assert (left["polls"], left["runs"]) == (right["polls"], right["runs"])


# Part files


def test_part_files_are_loaded_in_the_order_of_their_names(folder: Folder) -> None:
    folder.write("store_status/2023/b.csv", HEADER + row("09:00", "inactive"))
    folder.write("store_status/2023/a.csv", HEADER + row("09:00") + row("10:00"))
    folder.write("store_status/2022.csv", HEADER + row("08:00"))
    folder.write("store_status.csv", HEADER + row("07:00"))
    load = folder.refresh()
    assert [made.file_path for made in load.loads] == [
        "store_status.csv",
        "store_status/2022.csv",
        "store_status/2023/a.csv",
        "store_status/2023/b.csv",
    ]
    assert row_counts(load) == (4, 1, 0, 0)
    assert polls(folder.url) == [
        ("A", "07:00", True),
        ("A", "08:00", True),
        ("A", "09:00", False),
        ("A", "10:00", True),
    ]
    assert folder.refresh().loads == ()


def test_between_refreshes_the_later_load_wins_whatever_its_name(folder: Folder) -> None:
    folder.write("store_status/b.csv", HEADER + row("09:00", "inactive"))
    folder.refresh()
    folder.write("store_status/a.csv", HEADER + row("09:00", "active"))
    assert row_counts(folder.refresh()) == (0, 1, 0, 0)
    assert polls(folder.url) == [("A", "09:00", True)]


def test_part_files_out_of_order_in_time_give_the_same_as_one_file(
    folder: Folder, fresh: Callable[[], str]
) -> None:
    rows = [row(f"{hour:02}:00", "active" if hour % 5 else "inactive") for hour in range(20)]
    chance = random.Random(4)  # noqa: S311
    chance.shuffle(rows)
    for number in range(5):
        folder.write(f"store_status/{number}.csv", HEADER + "".join(rows[number::5]))
        folder.refresh()
    other = folder.path / "other"
    whole = Folder(fresh(), other)
    whole.write("store_status.csv", HEADER + "".join(sorted(rows)))
    whole.refresh()
    assert tables(folder.url) == tables(whole.url)


def test_one_unusable_part_file_does_not_affect_the_others(folder: Folder) -> None:
    folder.write("store_status/a.csv", HEADER + row("09:00"))
    folder.write("store_status/b.csv", "what,is,this\n1,2,3\n")
    folder.write("store_status/c.csv", HEADER + row("10:00"))
    load = folder.refresh()
    assert row_counts(load) == (2, 0, 0, 0)
    assert [file.file_path for file in load.refused] == ["store_status/b.csv"]
    folder.write("store_status/b.csv", HEADER + row("11:00"))
    mended = folder.refresh()
    assert (row_counts(mended), mended.refused) == ((1, 0, 0, 0), ())


@pytest.mark.parametrize(
    "name", [".hidden.csv", "_temporary/0.csv", "notes.txt", "x.csv.part", "x.csv~"]
)
def test_other_files_in_the_folder_are_ignored(folder: Folder, name: str) -> None:
    folder.write("store_status/a.csv", HEADER + row("09:00"))
    folder.write(f"store_status/{name}", HEADER + row("10:00"))
    assert folder.refresh().files == 1


def test_a_renamed_file_loses_and_doubles_nothing(folder: Folder) -> None:
    path = folder.write("store_status/a.csv", HEADER + row("09:00"))
    folder.refresh()
    before = tables(folder.url)
    path.rename(path.with_name("b.csv"))
    assert row_counts(folder.refresh()) == (0, 0, 1, 0)
    assert tables(folder.url) == before


def test_a_vanished_file_loses_nothing_and_is_recognised_when_it_returns(folder: Folder) -> None:
    path = folder.write("store_status/a.csv", HEADER + row("09:00"))
    folder.refresh()
    path.rename(folder.path / "elsewhere")
    assert folder.refresh() == SourceLoad(0, (), ())
    (folder.path / "elsewhere").rename(path)
    assert folder.refresh() == SourceLoad(1, (), ())
    assert len(polls(folder.url)) == 1


def test_neither_file_nor_folder_is_a_missing_source(folder: Folder) -> None:
    with pytest.raises(MissingSourceError):
        folder.refresh()


# Forms


def parquet(text: str) -> bytes:
    table = pa_csv.read_csv(
        pa.py_buffer(text.encode()),
        convert_options=pa_csv.ConvertOptions(
            column_types={"store_id": pa.string(), "timestamp_utc": pa.string()}
        ),
    )
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    content: bytes = sink.getvalue().to_pybytes()
    return content


FORMS: Final[dict[str, Callable[[str], bytes]]] = {
    ".csv": str.encode,
    ".csv.gz": lambda text: gzip.compress(text.encode()),
    ".csv.zst": lambda text: pa.compress(text.encode(), "zstd", asbytes=True),
    ".parquet": parquet,
}
EVEN: Final = HEADER + row("09:00") + row("10:00", "inactive") + "B,never,active\n" + row("09:00")


@pytest.mark.parametrize("suffix", FORMS)
def test_every_form_gives_the_same_tables(
    folder: Folder, fresh: Callable[[], str], suffix: str
) -> None:
    folder.write(f"store_status{suffix}", FORMS[suffix](EVEN))
    assert row_counts(folder.refresh()) == (2, 0, 1, 1)
    assert folder.refresh().loads == ()
    plain = Folder(fresh(), folder.path / "plain")
    plain.write("store_status.csv", EVEN)
    plain.refresh()
    assert tables(folder.url) == tables(plain.url)


@pytest.mark.parametrize("suffix", [".csv.gz", ".csv.zst", ".parquet"])
def test_compressed_files_are_read_whole_when_they_change(folder: Folder, suffix: str) -> None:
    form = FORMS[suffix]
    path = folder.write(f"store_status/x{suffix}", form(HEADER + row("09:00")))
    folder.refresh()
    os.utime(path, (A_MINUTE_AGO, A_MINUTE_AGO))
    assert folder.refresh().loads == ()
    folder.write(f"store_status/x{suffix}", form(HEADER + row("09:00") + row("10:00")))
    assert row_counts(folder.refresh()) == (1, 0, 1, 0)


# Elsewhere


def load_from(url: str, place: str, *, source: Source = Source.STORE_STATUS) -> SourceLoad:
    # The clock of a file system in memory is the machine's own.
    return ingest_source(url, place, source, now=datetime.now(UTC), run_id=None)


def test_files_behind_a_url_give_the_same_tables(
    folder: Folder, fresh: Callable[[], str], memory: UPath
) -> None:
    for name, content in {
        "store_status.csv": EVEN.encode(),
        "store_status/1/x.csv.gz": gzip.compress((HEADER + row("11:00")).encode()),
        "store_status/_log/x.csv": b"",
    }.items():
        folder.write(name, content)
        (memory / name).parent.mkdir(parents=True, exist_ok=True)
        (memory / name).write_bytes(content)
    folder.refresh()
    url = fresh()
    load = load_from(url, str(memory))
    assert [made.file_path for made in load.loads] == [
        "store_status.csv",
        "store_status/1/x.csv.gz",
    ]
    assert tables(url) == tables(folder.url)
    assert load_from(url, str(memory)).loads == ()


def test_a_file_behind_a_url_is_read_on(database_url: str, memory: UPath) -> None:
    path = memory / "store_status.csv"
    path.write_text(HEADER + row("09:00"))
    load_from(database_url, str(memory))
    path.write_text(HEADER + row("09:00") + row("10:00"))
    assert row_counts(load_from(database_url, str(memory))) == (1, 0, 0, 0)


def test_a_file_url_is_the_local_folder(folder: Folder) -> None:
    folder.write("store_status.csv", HEADER + row("09:00"))
    folder.refresh()
    assert load_from(folder.url, folder.path.as_uri()) == SourceLoad(1, (), ())


def test_a_location_that_does_not_respond_is_reported_as_unreachable(database_url: str) -> None:
    pytest.importorskip("aiohttp")
    with pytest.raises(UnreachableError, match=r"http://127\.0\.0\.1:9/\S* cannot be reached"):
        load_from(database_url, "http://127.0.0.1:9/data")


def test_one_refresh_at_a_time(folder: Folder) -> None:
    names = string.ascii_lowercase[:6]
    for name in names:
        folder.write(f"store_status/{name}.csv", HEADER + row("09:00", store=name))
    with ThreadPoolExecutor(3) as pool:
        loads = list(pool.map(lambda _: folder.refresh(), range(3)))
    assert sorted(len(load.loads) for load in loads) == [0, 0, 6]
    assert len(polls(folder.url)) == 6
