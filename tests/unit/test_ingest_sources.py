"""Finding the files of each source in the data folder, by their names and columns."""

import gzip
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from upath import UPath

from storemon_pipeline.domain.sources import Source
from storemon_pipeline.sources.find_files import MissingSourceError, find_files, survey_files

POLLS = "store_id,status,timestamp_utc\n"
HOURS = "store_id,day,start_time_local,end_time_local\n"
ZONES = "store_id,timezone_str\n"
CLOSURES = "store_id,start_local,end_local,reason\n"
DETAILS = "store_id,name\n"


def write(folder: Path | UPath, files: Mapping[str, str | bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def found(folder: Path | str) -> dict[Source, list[str]]:
    return {
        source: [file.file_path for file in files]
        for source, files in survey_files(folder).files.items()
    }


def passed_over(folder: Path) -> dict[str, tuple[Source | None, str]]:
    return {file.file_path: (file.source, file.reason) for file in survey_files(folder).passed_over}


@pytest.mark.parametrize(
    ("source", "names"),
    [
        (Source.STORE_STATUS, ["store_status.csv"]),
        (Source.BUSINESS_HOURS, ["business_hours.csv", "menu_hours.csv"]),
        (Source.STORE_TIMEZONES, ["timezones.csv", "store_timezones.csv"]),
        (Source.CLOSURES, ["closures.csv"]),
    ],
)
def test_each_name_is_found_and_the_first_one_wins(
    tmp_path: Path, source: Source, names: list[str]
) -> None:
    for name in reversed(names):
        (tmp_path / name).touch()
        assert [file.path for file in find_files(tmp_path, source)] == [tmp_path / name]


PUBLIC = {
    "store status.csv": POLLS,
    "Menu hours.csv": HOURS,
    "bq-results-20230125-202210-1674678181880.csv": ZONES,
}
"""The files of the public data set, by the names that they have there."""


def test_the_public_data_set_is_found_by_its_own_names(tmp_path: Path) -> None:
    write(tmp_path, PUBLIC)
    assert found(tmp_path) == {
        Source.STORE_STATUS: ["store status.csv"],
        Source.BUSINESS_HOURS: ["Menu hours.csv"],
        Source.STORE_TIMEZONES: ["bq-results-20230125-202210-1674678181880.csv"],
    }
    assert passed_over(tmp_path) == {}


def test_files_elsewhere_are_recognised_by_their_columns(memory: UPath) -> None:
    write(memory, PUBLIC)
    assert {source: len(files) for source, files in found(str(memory)).items()} == {
        Source.STORE_STATUS: 1,
        Source.BUSINESS_HOURS: 1,
        Source.STORE_TIMEZONES: 1,
    }


@pytest.mark.parametrize(
    ("name", "content", "source"),
    [
        ("STORE_STATUS.CSV", POLLS, Source.STORE_STATUS),
        ("polls.csv.gz", gzip.compress(POLLS.encode(), mtime=0), Source.STORE_STATUS),
        ("polls.csv", "\ufeff\n" + POLLS.upper(), Source.STORE_STATUS),
        ("polls.csv", '"STATUS"," store_id",x,"timestamp_utc"\n', Source.STORE_STATUS),
        ("hours (1).csv", HOURS.replace("day", "dayOfWeek"), Source.BUSINESS_HOURS),
        ("polls.csv", POLLS.encode("utf-16"), Source.STORE_STATUS),
        ("holidays.csv", CLOSURES, Source.CLOSURES),
        ("names.csv", DETAILS, Source.STORE_DETAILS),
        # Its own name would have hidden what it is.
        ("stores.csv", ZONES, Source.STORE_TIMEZONES),
        ("timezones.csv", HOURS, Source.BUSINESS_HOURS),
        # Its own name decides: it has the columns of two sources, or of none.
        ("timezones.csv", "store_id,timezone_str,name\n", Source.STORE_TIMEZONES),
        ("stores.csv", "store_id,city\n", Source.STORE_DETAILS),
        ("closures.csv", "store_id;start_local\n", Source.CLOSURES),
        ("store_status.csv", b"", Source.STORE_STATUS),
    ],
)
def test_a_file_is_recognised_by_its_columns(
    tmp_path: Path, name: str, content: str | bytes, source: Source
) -> None:
    write(tmp_path, {name: content})
    assert (found(tmp_path), passed_over(tmp_path)) == ({source: [name]}, {})


def test_a_parquet_file_is_recognised_by_its_columns(tmp_path: Path) -> None:
    columns = {"store_id": ["A"], "timezone_str": ["UTC"]}
    pq.write_table(pa.table(columns), tmp_path / "export.PARQUET")
    assert found(tmp_path) == {Source.STORE_TIMEZONES: ["export.PARQUET"]}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("a,b\n1,2\n", "its columns are those of no source; found: a, b"),
        ("store_id\n", "its columns are those of no source; found: store_id"),
        ("", "it is empty"),
        (
            POLLS.replace(",", ";"),
            (
                "its fields are separated by semicolons (;): save it as CSV with commas (,), "
                'or add the line delimiter = ";" to sources.toml'
            ),
        ),
        (
            "store_id,timezone_str,name\n",
            (
                "its columns are those of time zones and names of stores: "
                "give it the name of a file of one of them"
            ),
        ),
    ],
)
def test_a_file_of_no_source_or_of_two_is_named_with_the_reason(
    tmp_path: Path, content: str | bytes, reason: str
) -> None:
    write(tmp_path, {"export.csv": content})
    assert (found(tmp_path), passed_over(tmp_path)) == ({}, {"export.csv": (None, reason)})


def test_polls_are_read_from_all_files(tmp_path: Path) -> None:
    write(tmp_path, {"a.csv": POLLS, "store_status/b.csv": POLLS, "store_status.csv": POLLS})
    assert found(tmp_path) == {
        Source.STORE_STATUS: ["store_status.csv", "store_status/b.csv", "a.csv"]
    }


def test_beside_files_with_its_own_name_a_snapshot_has_no_others(tmp_path: Path) -> None:
    write(tmp_path, {"business_hours/new.csv": HOURS, "Hours of 2019.csv": HOURS})
    assert found(tmp_path) == {Source.BUSINESS_HOURS: ["business_hours/new.csv"]}
    assert passed_over(tmp_path) == {
        "Hours of 2019.csv": (
            Source.BUSINESS_HOURS,
            "there are files named business_hours, which are read instead",
        )
    }


def test_several_files_of_a_snapshot_with_other_names_are_all_read(tmp_path: Path) -> None:
    write(tmp_path, {"north.csv": HOURS, "south.csv": HOURS})
    assert found(tmp_path) == {Source.BUSINESS_HOURS: ["north.csv", "south.csv"]}


def test_a_file_whose_columns_change_is_recognised_anew(tmp_path: Path) -> None:
    write(tmp_path, {"export.csv": "a,b\n"})
    assert found(tmp_path) == {}
    write(tmp_path, {"export.csv": POLLS})
    assert found(tmp_path) == {Source.STORE_STATUS: ["export.csv"]}


def test_a_missing_file_says_where_it_was_looked_for_and_what_was_there_instead(
    tmp_path: Path,
) -> None:
    (tmp_path / "menu_hours.csv").mkdir()
    write(tmp_path, {"export.csv": "a,b\n", "Menu hours.xlsx": "?"})
    with pytest.raises(MissingSourceError) as caught:
        find_files(tmp_path, Source.BUSINESS_HOURS)
    assert str(caught.value) == (
        f"no file for business_hours in {tmp_path}: "
        "looked for business_hours.csv and menu_hours.csv "
        "(or .csv.gz, .csv.zst, .jsonl, .ndjson, .parquet), "
        "for such files in a folder business_hours/ or menu_hours/, and for files with the "
        "columns store_id, dayofweek, start_time_local, end_time_local; "
        "Menu hours.xlsx: its name does not end in .csv, .csv.gz, .csv.zst, .jsonl, .ndjson, "
        ".parquet, .ics or .json; "
        "export.csv: its columns are those of no source; found: a, b"
    )
    assert caught.value.names == ("business_hours.csv", "menu_hours.csv")


def test_a_missing_folder_is_reported_as_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingSourceError, match="which is not a folder: looked for store_status"):
        find_files(tmp_path / "nowhere", Source.STORE_STATUS)
