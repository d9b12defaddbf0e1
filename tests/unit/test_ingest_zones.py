"""Rows of store_timezones become the zone of each store."""

from pathlib import Path

import pandas as pd
import pytest

from storemon_pipeline.business_time.calendar import ALWAYS
from storemon_pipeline.business_time.zones import zone_keys, zone_of
from storemon_pipeline.files.snapshots import SnapshotRead
from storemon_pipeline.schedules.zones_file import read_zones_file


def read(tmp_path: Path, *lines: str, header: str = "store_id,timezone_str") -> SnapshotRead:
    path = tmp_path / "timezones.csv"
    path.write_text("\n".join([header, *lines, ""]), encoding="utf-8")
    return read_zones_file(path)


def test_rows_are_read_in_the_order_of_the_file(tmp_path: Path) -> None:
    content = read(tmp_path, "2,Asia/Kolkata", "1, America/New_York ", "2,UTC")
    expected = pd.DataFrame(
        {
            "store_id": pd.Series(["2", "1", "2"], dtype="str").astype(
                pd.CategoricalDtype(["2", "1"])
            ),
            "timezone": pd.Series(["Asia/Kolkata", "America/New_York", "UTC"], dtype="str"),
            "valid_from_us": pd.Series([pd.NA, pd.NA, pd.NA], dtype="Int64"),
            "line": [2, 3, 4],
        }
    )
    pd.testing.assert_frame_equal(content.frame, expected)
    assert (content.rejected, content.rows_read) == ((), 3)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("america/new_york", "America/New_York"),
        ("AMERICA/NEW_YORK", "America/New_York"),
        ("asia/ho_chi_minh", "Asia/Ho_Chi_Minh"),
        ("utc", "UTC"),
        ("gmt", "GMT"),
    ],
)
def test_the_name_of_a_zone_matches_in_any_case(tmp_path: Path, name: str, key: str) -> None:
    content = read(tmp_path, f"1,{name}")
    assert content.frame.timezone.tolist() == [key]


@pytest.mark.parametrize(
    "zone",
    [
        "",
        "America",
        "America/Nowhere",
        "EST5EDT4",
        "UTC+1",
        "+01:00",
        "localtime",
        "Factory",
        "posixrules",
        "../etc/passwd",
        "/usr/share/zoneinfo/UTC",
    ],
)
def test_a_row_with_an_unknown_zone_is_rejected(tmp_path: Path, zone: str) -> None:
    content = read(tmp_path, "1,UTC", f"1,{zone}", "2,UTC")
    assert content.frame.line.tolist() == [2, 4]
    assert [(row.line, row.text, row.reason) for row in content.rejected] == [
        (3, f"1,{zone}", "unknown time zone")
    ]


def test_a_row_without_a_store_is_rejected(tmp_path: Path) -> None:
    content = read(tmp_path, ",UTC", "UTC")
    assert len(content.frame) == 0
    assert [row.reason for row in content.rejected] == ["no store id", "wrong number of fields"]


def test_rows_may_say_from_when_they_hold(tmp_path: Path) -> None:
    content = read(
        tmp_path,
        "always,1,UTC",
        "1970-01-01 00:00:01,1,Asia/Tokyo",
        "soon,1,Asia/Tokyo",
        header="valid_from,store_id,timezone_str",
    )
    assert content.frame.valid_from_us.tolist() == [ALWAYS, 1_000_000]
    assert [row.reason for row in content.rejected] == ["valid_from cannot be read"]


def test_every_known_zone_can_be_used() -> None:
    assert {"America/Chicago", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"} <= zone_keys()
    for key in zone_keys():
        assert zone_of(key).key == key
