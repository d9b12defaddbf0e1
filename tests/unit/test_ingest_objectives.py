"""Rows of objectives become objectives of stores, groups, regions and all stores."""

from pathlib import Path

import pandas as pd

from storemon_pipeline.business_time.calendar import ALWAYS
from storemon_pipeline.files.snapshots import SnapshotRead
from storemon_pipeline.objectives.objectives_file import read_objectives_file

NOON_US = 1_674_648_000_000_000  # 2023-01-25T12:00Z


def read(tmp_path: Path, *lines: str, header: str) -> SnapshotRead:
    path = tmp_path / "objectives.csv"
    path.write_text("\n".join([header, *lines, ""]), encoding="utf-8")
    return read_objectives_file(path)


def test_an_objective_is_for_a_store_a_group_a_region_or_all(tmp_path: Path) -> None:
    content = read(
        tmp_path,
        "store,42,98.5,month,2023-01-25T12:00:00Z",
        "Group,Bay Area,99.9999 %,Week,always",
        "region,West,none,,",
        "all,,100%,week,",
        "all,*,0,month,",
        header="applies_to,name,objective,by,valid_from",
    )
    expected = pd.DataFrame(
        {
            "applies_to": pd.Series(["store", "group", "region", "all", "all"], dtype="str"),
            "name": pd.Series(["42", "Bay Area", "West", "", ""], dtype="str"),
            "objective": pd.Series(["98.5", "99.9999", "none", "100", "0"], dtype="str"),
            "by": pd.Series(["month", "week", "month", "week", "month"], dtype="str"),
            "valid_from_us": pd.Series([NOON_US, ALWAYS, None, None, None], dtype="Int64"),
            "line": [2, 3, 4, 5, 6],
        }
    )
    pd.testing.assert_frame_equal(content.frame, expected)
    assert content.rejected == ()


def test_an_objective_that_cannot_be_read_is_rejected(tmp_path: Path) -> None:
    content = read(
        tmp_path,
        "shop,42,98.5",
        ",42,98.5",
        "store,,98.5",
        "store,8.4E+18,98.5",
        "group,8.4E+18,98.5",
        "group,,98.5",
        "region,*,98.5",
        "all,West,98.5",
        "all,,100.1",
        "all,,-1",
        "all,,98.50001",
        "all,,",
        header="applies_to,name,objective",
    )
    assert content.frame.line.tolist() == [6]
    assert [(row.line, row.reason) for row in content.rejected] == [
        (2, "applies_to is not store, group, region or all"),
        (3, "applies_to is not store, group, region or all"),
        (4, "no store id"),
        (5, "store id is a rounded number"),
        (7, "name is missing, or there is one with all"),
        (8, "name is missing, or there is one with all"),
        (9, "name is missing, or there is one with all"),
        (10, "objective is not a percentage from 0 to 100, or none"),
        (11, "objective is not a percentage from 0 to 100, or none"),
        (12, "objective is not a percentage from 0 to 100, or none"),
        (13, "objective is not a percentage from 0 to 100, or none"),
    ]
    periods = read(tmp_path, "all,,98.5,day", "all,,98.5,", header="applies_to,name,objective,by")
    assert [(row.line, row.reason) for row in periods.rejected] == [(2, "by is not week or month")]
