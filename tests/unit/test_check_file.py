"""Checking a file says what would become of its rows, and which settings would read more."""

import gzip
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from storemon_pipeline.commands.cli import app
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.sources.check_file import CheckedFile, Outcome, check_file
from storemon_pipeline.sources.source_settings import parse_source_settings

NOW_US = 1_700_000_000_000_000
POLLS = "store_id,status,timestamp_utc\n"


def check(data: Path, content: str | bytes, name: str = "export.csv") -> CheckedFile:
    (data / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return check_file(str(data), str(data / name), now_us=NOW_US)


def counts(outcome: Outcome | str | None) -> tuple[int, int]:
    assert isinstance(outcome, Outcome)
    return outcome.loaded, len(outcome.rejected)


@pytest.mark.parametrize(
    ("content", "source", "lines"),
    [
        (
            "store_id;status;timestamp_utc\nA;active;2023-01-25 10:00\n",
            Source.STORE_STATUS,
            ['delimiter = ";"'],
        ),
        (
            "store_id\tstatus\ttimestamp_utc\nA\tup\t25.01.2023 10:00\nB\tdown\t24.01.2023 10:00\n",
            Source.STORE_STATUS,
            [
                'delimiter = "\\t"',
                'date_format = "%d.%m.%Y %H:%M"',
                'active = ["up"]',
                'inactive = ["down"]',
            ],
        ),
        (
            "Store,State,Checked at\nCafé,1,1674640800\n".encode("cp1252"),
            Source.STORE_STATUS,
            [
                'columns = { store_id = "Store", timestamp_utc = "Checked at", status = "State" }',
                'encoding = "cp1252"',
                'date_format = "epoch seconds"',
                'active = ["1"]',
            ],
        ),
        (
            "store_id,Weekday,Opens,Closes\nA,Monday,9:00 AM,5:00 PM\n",
            Source.BUSINESS_HOURS,
            [
                (
                    'columns = { dayofweek = "Weekday", start_time_local = "Opens", '
                    'end_time_local = "Closes" }'
                ),
                'weekdays = "names"',
                "clock = 12",
            ],
        ),
        (
            "store_id,day,start_time_local,end_time_local\nA,1,09:00,17:00\nA,7,10:00,16:00\n",
            Source.BUSINESS_HOURS,
            ['weekdays = "1-7"'],
        ),
        (
            "Shop,Time zone\nA,Europe/Berlin\n",
            Source.STORE_TIMEZONES,
            ['columns = { store_id = "Shop", timezone_str = "Time zone" }'],
        ),
    ],
    ids=["semicolons", "tabs", "names", "hours", "Sunday is 7", "zones"],
)
def test_the_proposed_lines_read_the_whole_file(
    tmp_path: Path, content: str | bytes, source: Source, lines: list[str]
) -> None:
    checked = check(tmp_path, content)
    assert (checked.source, list(checked.lines)) == (source, [f"[{source}]", *lines])
    rows, rejected = counts(checked.then)
    assert (rows > 0, rejected) == (True, 0)
    # They do so when they stand in the data folder.
    (tmp_path / "sources.toml").write_text("\n".join(checked.lines))
    assert counts(check(tmp_path, content).now) == (rows, 0)


def test_a_bad_row_does_not_hide_the_form_of_the_others(tmp_path: Path) -> None:
    rows = "A,active,unknown\nB,active,31/01/2023 10:00:00\nC,active,13/01/2023 11:00:00\n"
    checked = check(tmp_path, POLLS + rows)
    assert checked.lines[1:] == ('date_format = "%d/%m/%Y %H:%M:%S"',)
    assert (counts(checked.now), counts(checked.then)) == ((0, 3), (2, 1))


def test_a_date_that_may_be_read_in_two_ways_is_pointed_out(tmp_path: Path) -> None:
    checked = check(tmp_path, POLLS + "A,active,05/01/2023 10:00\n")
    assert checked.lines[1:] == ('date_format = "%d/%m/%Y %H:%M"',)
    assert checked.remarks == ('date_format = "%m/%d/%Y %H:%M" fits as many rows',)


def test_a_good_file_needs_nothing(tmp_path: Path) -> None:
    checked = check(
        tmp_path, gzip.compress((POLLS + "A,active,2023-01-25 10:00\n").encode()), "x.csv.gz"
    )
    assert (checked.source, counts(checked.now)) == (Source.STORE_STATUS, (1, 0))
    assert (checked.lines, checked.then) == ((), None)


def test_a_file_that_is_like_no_source_is_refused_with_the_reason(tmp_path: Path) -> None:
    checked = check(tmp_path, "a,b\n1,2\n")
    assert (checked.source, checked.now, checked.lines) == (
        None,
        "its columns are those of no source; found: a, b",
        (),
    )


def test_the_reason_for_a_file_with_other_names_has_the_line_to_add(tmp_path: Path) -> None:
    checked = check(tmp_path, "Store,State,Time\nA,active,2023-01-25 10:00\n")
    assert isinstance(checked.now, str)
    line, table = (
        'columns = { store_id = "Store", timestamp_utc = "Time", status = "State" }',
        "[store_status]",
    )
    assert f"add the line {line} below {table} to sources.toml" in checked.now
    assert tomllib.loads(f"{table}\n{line}")
    assert parse_source_settings(f"{table}\n{line}")


def test_a_name_with_another_ending_is_pointed_out(tmp_path: Path) -> None:
    checked = check(tmp_path, POLLS + "A,active,2023-01-25 10:00\n", "store_status.txt")
    assert checked.now == (
        "its name does not end in .csv, .csv.gz, .csv.zst, .jsonl, .ndjson, .parquet, .ics or .json"
    )
    assert counts(checked.then) == (1, 0)


def test_the_command_says_all_of_it_and_loads_nothing(tmp_path: Path) -> None:
    file = tmp_path / "online.csv"
    file.write_text(POLLS + "A,online,2023-01-25 10:00\nB,active,2023-01-25 10:00\n")
    done = CliRunner().invoke(app, ["check-file", str(file), "--data", str(tmp_path)])
    assert (done.exit_code, done.output) == (
        0,
        f"""{file}: store checks (store_status)
As it is: 2 rows, 1 would be loaded, 1 would be rejected
  1 x unknown status
  line 2: A,online,2023-01-25 10:00

Proposed lines for sources.toml:

[store_status]
active = ["online"]

With these lines: 2 rows, 2 would be loaded, 0 would be rejected
Nothing was loaded.
""",
    )


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("nowhere.csv", "", "There is no file"),
        ("x.csv", "[polls]", "sources.toml, line 1: polls is none of"),
    ],
)
def test_the_command_fails_with_one_line(
    tmp_path: Path, name: str, settings: str, message: str
) -> None:
    (tmp_path / "x.csv").write_text(POLLS)
    (tmp_path / "sources.toml").write_text(settings)
    done = CliRunner().invoke(app, ["check-file", str(tmp_path / name), "--data", str(tmp_path)])
    assert done.exit_code == 1
    assert done.output.startswith(f"storemon: {message}")
    assert done.output.count("\n") == 1
