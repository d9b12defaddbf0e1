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
        (
            (
                "sep=;\r\nFiliale;Zustand;Zeitpunkt\r\n"
                "A;an;25.01.2023 10:00\r\nB;aus;24.01.2023 9:00\r\n"
            ),
            Source.STORE_STATUS,
            [
                (
                    'columns = { store_id = "Filiale", timestamp_utc = "Zeitpunkt", '
                    'status = "Zustand" }'
                ),
                'delimiter = ";"',
                'date_format = "%d.%m.%Y %H:%M"',
                'active = ["an"]',
                'inactive = ["aus"]',
            ],
        ),
        (
            "Filiale;Wochentag;Öffnung;Schließung\nA;Mi.;09:00;17:00\nA;So.;10:00;14:00\n",
            Source.BUSINESS_HOURS,
            [
                (
                    'columns = { store_id = "Filiale", dayofweek = "Wochentag", '
                    'start_time_local = "Öffnung", end_time_local = "Schließung" }'
                ),
                'delimiter = ";"',
                'weekdays = ["mo", "di", "mi", "do", "fr", "sa", "so"]',
            ],
        ),
        (
            "store_id,day,start_time_local,end_time_local\nA,MERCREDI,09:00,17:00\n",
            Source.BUSINESS_HOURS,
            [
                (
                    'weekdays = ["lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", '
                    '"dimanche"]'
                )
            ],
        ),
        (
            "store_id,day,start_time_local,end_time_local\nA,sabado,9:00,17:00\nA,lunes,9:00,17:00\n",
            Source.BUSINESS_HOURS,
            [
                (
                    'weekdays = ["lunes", "martes", "miercoles", "jueves", "viernes", "sabado", '
                    '"domingo"]'
                )
            ],
        ),
        (
            POLLS + "A,active,44951.4166666667\nB,inactive,44951\n",
            Source.STORE_STATUS,
            ['date_format = "spreadsheet days"'],
        ),
        (
            (POLLS + "A,active,2023-01-25 10:00\n").encode("utf-16-be"),
            Source.STORE_STATUS,
            ['encoding = "utf-16-be"'],
        ),
        (
            "store_id,date,start_time_local,end_time_local\nA,24/12/2026,10:00,14:00\n",
            Source.SPECIAL_HOURS,
            ['date_format = "%d/%m/%Y"'],
        ),
        (
            "store_id,from_utc,to_utc,state\nA,2023-01-25 10:00,,offline\n",
            Source.STORE_EVENTS,
            ['inactive = ["offline"]'],
        ),
    ],
    ids=[
        *("semicolons", "tabs", "names", "hours", "Sunday is 7", "zones"),
        *("German polls", "German hours", "French days", "Spanish days", "days of a spreadsheet"),
        *("UTF-16 without a mark", "dates of special hours", "words of events"),
    ],
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


def test_fields_within_objects_are_proposed_by_their_paths(tmp_path: Path) -> None:
    content = '{"store": {"id": "A"}, "poll": {"status": "active", "at": "2023-01-25T10:00:00Z"}}\n'
    checked = check(tmp_path, content, "export.jsonl")
    assert checked.lines[1:] == (
        'columns = { store_id = "store.id", timestamp_utc = "poll.at", status = "poll.status" }',
    )
    assert counts(checked.then) == (1, 0)


def test_a_day_that_means_two_days_in_two_languages_is_not_guessed(tmp_path: Path) -> None:
    # The second day in German and Dutch, and the last one in French.
    checked = check(tmp_path, "store_id,day,start_time_local,end_time_local\nA,di,9:00,17:00\n")
    assert (counts(checked.now), checked.lines) == ((0, 1), ())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("12.0", "store id is no whole number"),
        ('"12,0"', "store id is no whole number"),
        ('"1,234"', 'store id is written as in a spreadsheet, such as ="123" or 1,234'),
        ("1.234.567", 'store id is written as in a spreadsheet, such as ="123" or 1,234'),
        ("'0042", 'store id is written as in a spreadsheet, such as ="123" or 1,234'),
        ('"=""0042"""', 'store id is written as in a spreadsheet, such as ="123" or 1,234'),
        ('="0042"', 'store id is written as in a spreadsheet, such as ="123" or 1,234'),
        *((text, None) for text in ("0042", "12.5", "1.234", '"A,1"', "'A", "=A1", "12-0", "v1.0")),
    ],
)
def test_an_id_that_a_spreadsheet_spoiled_is_rejected_by_name_of_that_cause(
    tmp_path: Path, text: str, reason: str | None
) -> None:
    checked = check(tmp_path, f"{POLLS}{text},active,2023-01-25 10:00\n")
    assert isinstance(checked.now, Outcome)
    assert [row.reason for row in checked.now.rejected] == ([] if reason is None else [reason])


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
