"""Rows of store_status become polls."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from storemon_pipeline.domain.rejections import Reason, UnusableFileError
from storemon_pipeline.polls.poll_rows import (
    Polls,
    PollsRead,
    join_polls,
    parse_polls,
    read_polls_file,
)

NOON_US = 1_674_648_000_000_000  # 2023-01-25T12:00Z
MINUTE_US = 60_000_000
HEADER = "store_id,status,timestamp_utc"
NOON = "2023-01-25 12:00:00 UTC"


def read(tmp_path: Path, *lines: str, header: str = HEADER, block_bytes: int = 1000) -> PollsRead:
    path = tmp_path / "store_status.csv"
    path.write_text("\n".join([header, *lines, ""]), encoding="utf-8")
    return read_polls_file(path, now_us=NOON_US, block_bytes=block_bytes)


def rows_of(polls: Polls) -> list[tuple[str, int, bool, int]]:
    ids = polls.store_ids[polls.store].tolist()
    at_us, active = polls.polled_at_us.tolist(), polls.is_active.tolist()
    return list(zip(ids, at_us, active, polls.line.tolist(), strict=True))


def test_polls_are_read_in_the_order_of_the_file(tmp_path: Path) -> None:
    content = read(
        tmp_path,
        "8419537941919820732,active,2023-01-25 12:00:00 UTC",
        "8cb5e1c8-0d53-4cbf-8c40-9d5f4a8b7c11,inactive,2023-01-25 11:59:00.5 UTC",
        "8419537941919820732,inactive,2023-01-25T11:58:00Z",
    )
    assert rows_of(content.polls) == [
        ("8419537941919820732", NOON_US, True, 2),
        ("8cb5e1c8-0d53-4cbf-8c40-9d5f4a8b7c11", NOON_US - MINUTE_US + 500_000, False, 3),
        ("8419537941919820732", NOON_US - 2 * MINUTE_US, False, 4),
    ]
    assert (content.rejected, content.rows_read, content.header) == ((), 3, HEADER)


def test_arrays_are_compact(tmp_path: Path) -> None:
    polls = read(tmp_path, f"1,active,{NOON}").polls
    assert polls.store_ids.dtype == object
    assert polls.store.dtype == np.int32
    assert polls.polled_at_us.dtype == np.int64
    assert polls.is_active.dtype == np.bool_
    assert polls.line.dtype == np.int64


@pytest.mark.parametrize(
    ("field", "store_id"),
    [
        pytest.param("9223372036854775807", "9223372036854775807", id="all digits of 64 bits"),
        pytest.param("54515546588432327", "54515546588432327", id="beyond the digits of a float"),
        pytest.param("007", "007", id="leading zeros"),
        pytest.param("1e5", "1e5", id="no number"),
        pytest.param("12E34", "12E34", id="a name that could be a number"),
        pytest.param("8.4E+18b", "8.4E+18b", id="a name that begins as a rounded number"),
        pytest.param("-1", "-1", id="minus"),
        pytest.param("NA", "NA", id="NA"),
        pytest.param("null", "null", id="null"),
        pytest.param("nan", "nan", id="nan"),
        pytest.param("None", "None", id="None"),
        pytest.param("true", "true", id="true"),
        pytest.param("  12 ", "12", id="trimmed"),
        pytest.param('" 12 "', "12", id="trimmed within quotes"),
        pytest.param('"Main St, 5"', "Main St, 5", id="comma in quotes"),
        pytest.param("\N{NO-BREAK SPACE}12\t", "12", id="trimmed of any white space"),
        pytest.param("x" * 256, "x" * 256, id="256 characters"),
    ],
)
def test_a_store_id_is_text(tmp_path: Path, field: str, store_id: str) -> None:
    content = read(tmp_path, f"{field},active,{NOON}")
    assert rows_of(content.polls) == [(store_id, NOON_US, True, 2)]


def test_a_row_with_a_line_break_in_its_id_is_one_row(tmp_path: Path) -> None:
    content = read(tmp_path, f"15,active,{NOON}", f'"A\n16",active,{NOON}', f'"B\n17",up,{NOON}')
    assert rows_of(content.polls) == [("15", NOON_US, True, 2), ("A\n16", NOON_US, True, 3)]
    assert [(row.line, row.text, row.reason, row.original) for row in content.rejected] == [
        (5, f'"B\\n17",up,{NOON}', "unknown status", f'"B\n17",up,{NOON}'.encode())
    ]


def test_ids_that_are_equal_when_trimmed_are_one_store(tmp_path: Path) -> None:
    content = read(tmp_path, f"1,active,{NOON}", f" 1,inactive,{NOON}", f'"1 ",active,{NOON}')
    assert content.polls.store_ids.tolist() == ["1"]
    assert content.polls.store.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("status", "is_active"),
    [
        ("active", True),
        ("inactive", False),
        ("ACTIVE", True),
        ("Inactive ", False),
        ('" active"', True),
    ],
)
def test_a_status_ignores_case_and_blanks(tmp_path: Path, status: str, *, is_active: bool) -> None:
    assert read(tmp_path, f"1,{status},{NOON}").polls.is_active.tolist() == [is_active]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        pytest.param(f",active,{NOON}", "no store id", id="empty id"),
        pytest.param(f"  ,active,{NOON}", "no store id", id="blank id"),
        pytest.param(f'"",active,{NOON}', "no store id", id="nothing in quotes"),
        pytest.param(f"{'x' * 257},active,{NOON}", "store id is too long", id="long id"),
        pytest.param(
            f"8.41954E+18,active,{NOON}", "store id is a rounded number", id="of a spreadsheet"
        ),
        pytest.param(
            f'"8,41954E+18",active,{NOON}', "store id is a rounded number", id="with decimal comma"
        ),
        pytest.param(
            f"8.419537941403860e+18,active,{NOON}", "store id is a rounded number", id="of Python"
        ),
        pytest.param(
            f"8.41953794140386E18,active,{NOON}", "store id is a rounded number", id="of Java"
        ),
        pytest.param(f"8E+18,active,{NOON}", "store id is a rounded number", id="one digit"),
        pytest.param(f"1,up,{NOON}", "unknown status", id="unknown status"),
        pytest.param(f"1,,{NOON}", "unknown status", id="no status"),
        pytest.param("1,active,", "timestamp cannot be read", id="no timestamp"),
        pytest.param("1,active,2023-01-25", "timestamp cannot be read", id="date alone"),
        pytest.param("1,active,2023-02-30 12:00:00", "timestamp cannot be read", id="no such day"),
        pytest.param("1,active", "wrong number of fields", id="two fields"),
        pytest.param("1,active,2023-01-25 12:05:00.000001", "poll is in the future", id="future"),
        pytest.param("1,active,9999-12-31 23:59:59", "poll is in the future", id="year 9999"),
        pytest.param(",up,never", "no store id", id="the first of several reasons"),
    ],
)
def test_only_the_bad_row_is_rejected(tmp_path: Path, line: str, reason: str) -> None:
    content = read(tmp_path, f"1,active,{NOON}", line, f"2,inactive,{NOON}")
    assert rows_of(content.polls) == [("1", NOON_US, True, 2), ("2", NOON_US, False, 4)]
    assert [(row.line, row.text, row.reason) for row in content.rejected] == [(3, line, reason)]
    assert content.rows_read == 3


def test_a_poll_five_minutes_ahead_of_the_clock_is_taken(tmp_path: Path) -> None:
    content = read(tmp_path, "1,active,2023-01-25 12:05:00")
    assert content.polls.polled_at_us.tolist() == [NOON_US + 5 * MINUTE_US]


def test_a_store_with_only_rejected_rows_is_no_store(tmp_path: Path) -> None:
    content = read(tmp_path, f"1,up,{NOON}", f"2,active,{NOON}", f"3,active,{NOON}", "1,,")
    assert content.polls.store_ids.tolist() == ["2", "3"]
    assert content.polls.store.tolist() == [0, 1]


@pytest.mark.parametrize("block_bytes", [64, 65, 100, 1000])
def test_stores_are_numbered_alike_in_all_blocks(tmp_path: Path, block_bytes: int) -> None:
    lines = [f"{number % 3},active,2023-01-25 11:{number:02}:00 UTC" for number in range(60)]
    lines[30] = "9,maybe,2023-01-25 11:30:00 UTC"
    content = read(tmp_path, *lines, block_bytes=block_bytes)
    assert sorted(content.polls.store_ids.tolist()) == ["0", "1", "2"]
    assert rows_of(content.polls) == [
        (str(number % 3), NOON_US - (60 - number) * MINUTE_US, True, number + 2)
        for number in range(60)
        if number != 30
    ]
    assert [row.line for row in content.rejected] == [32]
    assert content.rows_read == 60


def test_progress_is_reported_after_every_block(tmp_path: Path) -> None:
    path = tmp_path / "store_status.csv"
    line = f"1,active,{NOON}\n"
    path.write_text(HEADER + "\n" + line * 10, encoding="ascii")
    total = len(HEADER) + 1 + 10 * len(line)
    calls: list[tuple[int, int, int]] = []
    content = read_polls_file(
        path,
        now_us=NOON_US,
        block_bytes=len(HEADER) + 1 + 4 * len(line),
        on_progress=lambda done, in_all, rows: calls.append((done, in_all, rows)),
    )
    assert content.bytes_read == total
    assert calls[0] == (len(HEADER) + 1 + 4 * len(line), total, 4)
    assert calls[-1] == (total, total, 10)
    assert calls == sorted(calls)


def test_a_file_without_rows_has_no_polls(tmp_path: Path) -> None:
    content = read(tmp_path)
    assert rows_of(content.polls) == []
    assert content.rows_read == 0
    assert rows_of(join_polls([])) == []


def test_a_file_without_a_needed_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnusableFileError, match=r"no column timestamp_utc \(found: store_id"):
        read(tmp_path, "1,active", header="store_id,status")


def test_rows_may_come_without_a_file() -> None:
    polls, verdict = parse_polls(
        pa.array(["1", None, "2", "2"]),
        pa.array([NOON, NOON, None, NOON]),
        pa.array(["active", "active", "active", None]),
        np.arange(4),
        now_us=NOON_US,
    )
    assert rows_of(polls) == [("1", NOON_US, True, 0)]
    assert verdict.findings() == [
        (1, Reason.NO_STORE_ID),
        (2, Reason.UNREADABLE_TIMESTAMP),
        (3, Reason.UNKNOWN_STATUS),
    ]
