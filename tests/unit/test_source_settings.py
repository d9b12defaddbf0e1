"""The settings of sources: files in many forms become the rows that they mean."""

from datetime import date
from pathlib import Path

import pytest

from storemon_pipeline.domain.sources import Source
from storemon_pipeline.files.folders import data_folder, open_file
from storemon_pipeline.files.snapshots import SnapshotRead
from storemon_pipeline.polls.poll_rows import PollsRead, read_polls_file
from storemon_pipeline.sources.find_files import find_files, survey_files
from storemon_pipeline.sources.registry import SNAPSHOTS
from storemon_pipeline.sources.source_settings import (
    SettingsError,
    parse_source_settings,
    read_source_settings,
)

NOW_US = 1_700_000_000_000_000
TEN = "2023-01-25T10:00:00.000000"


def read_polls(data: Path, settings: str, content: str | bytes, name: str = "x.csv") -> PollsRead:
    (data / "sources.toml").write_text(settings, encoding="utf-8")
    (data / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    (file,) = find_files(data, Source.STORE_STATUS)
    with open_file(file) as opened:
        return read_polls_file(opened, now_us=NOW_US)


def polls(read: PollsRead) -> list[tuple[str, str, bool]]:
    found = read.polls
    at = found.polled_at_us.astype("datetime64[us]").astype(str).tolist()
    ids = found.store_ids[found.store].tolist()
    return list(zip(ids, at, found.is_active.tolist(), strict=True))


def read_snapshot(data: Path, source: Source, settings: str, content: str) -> SnapshotRead:
    (data / "sources.toml").write_text(settings)
    (data / "x.csv").write_text(content)
    (file,) = find_files(data, source)
    with open_file(file) as opened:
        return SNAPSHOTS[source].read(opened)


COMMAS = "store_id,status,timestamp_utc\n"


@pytest.mark.parametrize(
    ("settings", "content"),
    [
        pytest.param(
            'delimiter = ";"',
            "store_id;status;timestamp_utc\nA;active;2023-01-25 10:00:00 UTC\n",
            id="semicolons",
        ),
        pytest.param(
            'delimiter = ";"',
            'store_id;status;timestamp_utc;\n"A";"active";2023-01-25 10:00;\n',
            id="semicolons, quotes and one more at the end of each row",
        ),
        pytest.param(
            'delimiter = "\\t"',
            "store_id\tstatus\ttimestamp_utc\nA\tactive\t2023-01-25 10:00:00 UTC\n",
            id="tabs",
        ),
        pytest.param(
            'delimiter = "\\t"\nencoding = "utf-16"',
            "store_id\tstatus\ttimestamp_utc\nA\tactive\t2023-01-25 10:00\n".encode("utf-16"),
            id="Unicode text of a spreadsheet",
        ),
        pytest.param(
            'delimiter = "\\t"',
            "store_id\tstatus\ttimestamp_utc\nA\tactive\t2023-01-25 10:00\n".encode("utf-16"),
            id="UTF-16 that says so itself",
        ),
        pytest.param(
            'columns = { store_id = "Störe", status = "State", timestamp_utc = "Checked at" }\n'
            'encoding = "cp1252"',
            "State,Störe,checked at,status\nactive,A,2023-01-25 10:00,404\n".encode("cp1252"),
            id="other names of columns in another encoding",
        ),
        pytest.param(
            'date_format = "%d/%m/%Y %H:%M:%S"',
            COMMAS + "A,active,25/01/2023 10:00:00\n",
            id="day before month",
        ),
        pytest.param(
            'date_format = "%m/%d/%y %I:%M %p"',
            COMMAS + "A,active,1/25/23 10:00 AM\n",
            id="month before day, 12-hour clock",
        ),
        pytest.param(
            'date_format = "%d-%b-%Y %H:%M:%S.%f %z"',
            COMMAS + "A,active,25-Jan-2023 15:30:00.0 +0530\n",
            id="a month's name and an offset",
        ),
        pytest.param(
            'date_format = "epoch seconds"', COMMAS + "A,active,1674640800\n", id="seconds"
        ),
        pytest.param(
            'date_format = "epoch milliseconds"',
            COMMAS + "A,active,1674640800000\n",
            id="milliseconds",
        ),
        pytest.param(
            'date_format = "epoch seconds"', COMMAS + "A,active,1674640800.0\n", id="a fraction"
        ),
        pytest.param(
            'zone = "europe/berlin"', COMMAS + "A,active,2023-01-25 11:00:00\n", id="a zone"
        ),
        pytest.param(
            'zone = "Europe/Berlin"',
            COMMAS + "A,active,2023-01-25T10:00:00Z\n",
            id="a timestamp with its own zone keeps it",
        ),
        pytest.param(
            'zone = "America/New_York"\ndate_format = "%d.%m.%Y %H:%M"',
            COMMAS + "A,active,25.01.2023 05:00\n",
            id="a zone and a format",
        ),
        pytest.param(
            'active = ["online"]\ninactive = ["offline"]',
            COMMAS + "A,Online,2023-01-25 10:00\n",
            id="words of status",
        ),
        pytest.param(
            'date_format = "spreadsheet days"\nzone = "Europe/Berlin"',
            COMMAS + "A,active,44951.4583333333\n",
            id="days of a spreadsheet",
        ),
        pytest.param(
            'date_format = "spreadsheet days"\ndelimiter = ";"',
            "store_id;status;timestamp_utc\nA;active;44951,4166666667\n",
            id="days of a spreadsheet with a decimal comma",
        ),
        pytest.param(
            'date_format = "%a, %d %b %Y %H:%M:%S %z"',
            COMMAS + 'A,active,"Wed, 25 Jan 2023 10:00:00 GMT"\n',
            id="the date of a mail",
        ),
        pytest.param(
            'delimiter = ";"',
            "sep=;\r\nstore_id;status;timestamp_utc\r\nA;active;2023-01-25 10:00\r\n",
            id="a first line that names the delimiter",
        ),
        pytest.param(
            'encoding = "utf-16-le"',
            (COMMAS + "A,active,2023-01-25 10:00\n").encode("utf-16-le"),
            id="UTF-16 without a mark",
        ),
        pytest.param(
            "active = 1\ninactive = 0", COMMAS + "A,1,2023-01-25 10:00\n", id="numbers of status"
        ),
    ],
)
def test_polls_in_another_form_are_read(
    tmp_path: Path, settings: str, content: str | bytes
) -> None:
    read = read_polls(tmp_path, f"[store_status]\n{settings}\n", content)
    assert (polls(read), read.rejected) == ([("A", TEN, True)], ())


def test_lines_are_numbered_after_one_that_names_the_delimiter(tmp_path: Path) -> None:
    settings = '[store_status]\ndelimiter = ";"'
    rows = "A;active;2023-01-25 10:00\nB;broken;2023-01-25 10:00\n"
    read = read_polls(tmp_path, settings, f'"sep=;"\nstore_id;status;timestamp_utc\n{rows}')
    assert polls(read) == [("A", TEN, True)]
    assert [(row.line, row.text) for row in read.rejected] == [(4, "B;broken;2023-01-25 10:00")]


def test_what_another_form_does_not_have_is_rejected_as_it_stands(tmp_path: Path) -> None:
    settings = (
        '[store_status]\ndate_format = "%d/%m/%Y %H:%M"\nactive = ["up"]\ninactive = ["down"]'
    )
    rows = "A,up,25/01/2023 10:00\nB,broken,25/01/2023 10:00\nC,down,31/02/2023 10:00\n"
    rows += "D,down,01/25/2023 10:00\nE,down,25/01/2023 24:00\nF,active,2023-01-25 10:00\n"
    read = read_polls(tmp_path, settings, COMMAS + rows)
    assert polls(read) == [("A", TEN, True), ("F", TEN, True)]
    assert [(row.line, row.text, row.reason) for row in read.rejected] == [
        (3, "B,broken,25/01/2023 10:00", "unknown status"),
        (4, "C,down,31/02/2023 10:00", "timestamp cannot be read"),
        (5, "D,down,01/25/2023 10:00", "timestamp cannot be read"),
        (6, "E,down,25/01/2023 24:00", "timestamp cannot be read"),
    ]


@pytest.mark.parametrize(
    ("local", "utc"),
    [
        ("2023-03-12 01:59:59", "2023-03-12T07:59:59.000000"),
        ("2023-03-12 02:30:00", None),  # clocks skip it
        ("2023-03-12 03:00:00", "2023-03-12T08:00:00.000000"),
        ("2023-11-05 01:30:00", "2023-11-05T06:30:00.000000"),  # the first of two
        ("2023-11-05 02:00:00", "2023-11-05T08:00:00.000000"),
    ],
)
def test_local_timestamps_follow_the_clock_of_their_zone(
    tmp_path: Path, local: str, utc: str | None
) -> None:
    settings = '[store_status]\nzone = "America/Chicago"'
    read = read_polls(tmp_path, settings, f"{COMMAS}A,active,{local}\n")
    assert [at for _, at, _ in polls(read)] == ([] if utc is None else [utc])


def test_bytes_that_are_no_text_in_the_encoding_reject_their_row(tmp_path: Path) -> None:
    read = read_polls(
        tmp_path,
        '[store_status]\nencoding = "cp1252"',
        COMMAS.encode() + b"\x81,active,2023-01-25 10:00\n\xe9,active,2023-01-25 10:00\n",
    )
    assert polls(read) == [("é", TEN, True)]
    assert [(row.line, row.reason) for row in read.rejected] == [(2, "not UTF-8")]


def test_a_file_in_the_usual_form_is_read_beside_others(tmp_path: Path) -> None:
    read = read_polls(
        tmp_path,
        '[store_status]\ndelimiter = ";"\nactive = ["up"]',
        COMMAS + "A,active,2023-01-25 10:00\n",
    )
    assert polls(read) == [("A", TEN, True)]


def test_a_file_in_a_folder_of_a_source_has_the_form_of_its_settings(tmp_path: Path) -> None:
    (tmp_path / "store_status").mkdir()
    rows = "store_id;status;timestamp_utc\nA;active;2023-01-25 10:00\n"
    read = read_polls(tmp_path, '[store_status]\ndelimiter = ";"', rows, "store_status/a.csv")
    assert polls(read) == [("A", TEN, True)]


HOURS = "store_id,day,start_time_local,end_time_local\n"
HOUR_US = 3_600_000_000
ENCODINGS = '"utf-16" or "cp1252"'


@pytest.mark.parametrize(
    ("settings", "row", "day", "start_hour", "end_hour"),
    [
        ("clock = 12", "A,0,9:00 AM,5 pm", 0, 9, 17),
        ("clock = 12", "A,0,12:00PM,12:00 a.m.", 0, 12, 0),
        ('weekdays = "names"', "A,Monday,09:00,17:00", 0, 9, 17),
        ('weekdays = "names"', "A,Sun,09:00,17:00", 6, 9, 17),
        ('weekdays = "1-7"', "A,7,09:00,17:00", 6, 9, 17),
        ('weekdays = "1-7"\nfirst_weekday = "Sunday"', "A,1,09:00,17:00", 6, 9, 17),
        ('first_weekday = "Sunday"', "A,1,09:00,17:00", 0, 9, 17),
        (
            'weekdays = ["Lu", "Ma", "Me", "Je", "Ve", "Sa", "Di"]',
            "A,me,09:00,17:00",
            2,
            9,
            17,
        ),
    ],
)
def test_hours_in_another_form_are_read(
    tmp_path: Path, settings: str, row: str, day: int, start_hour: int, end_hour: int
) -> None:
    settings = f"[business_hours]\n{settings}"
    read = read_snapshot(tmp_path, Source.BUSINESS_HOURS, settings, f"{HOURS}{row}\n")
    frame = read.frame
    assert (frame.day_of_week.tolist(), frame.start_us.tolist(), frame.end_us.tolist()) == (
        [day],
        [start_hour * HOUR_US],
        [end_hour * HOUR_US],
    )


@pytest.mark.parametrize(
    ("settings", "row", "reason"),
    [
        ("clock = 12", "A,0,9:00,5 pm", "time cannot be read"),
        ("clock = 12", "A,0,13:00 pm,5 pm", "time cannot be read"),
        ('weekdays = "1-7"', "A,0,09:00,17:00", "weekday is not 0 to 6"),
        ('weekdays = "names"', "A,0,09:00,17:00", "weekday is not 0 to 6"),
    ],
)
def test_hours_that_are_not_in_the_form_are_rejected(
    tmp_path: Path, settings: str, row: str, reason: str
) -> None:
    settings = f"[business_hours]\n{settings}"
    read = read_snapshot(tmp_path, Source.BUSINESS_HOURS, settings, f"{HOURS}{row}\n")
    assert [(each.text, each.reason) for each in read.rejected] == [(row, reason)]


@pytest.mark.parametrize(
    ("date_format", "text"),
    [("%d/%m/%Y", "24/12/2026"), ("%d %B %Y", "24 December 2026"), ("spreadsheet days", "46380")],
)
def test_dates_of_special_hours_in_another_form_are_read(
    tmp_path: Path, date_format: str, text: str
) -> None:
    read = read_snapshot(
        tmp_path,
        Source.SPECIAL_HOURS,
        f'[special_hours]\ndate_format = "{date_format}"',
        f"store_id,date,start_time_local,end_time_local\nA,{text},10:00,14:00\nA,2026-12-25,,\n",
    )
    days = [date.fromordinal(719_163 + day) for day in read.frame["day"].tolist()]
    assert (days, read.rejected) == ([date(2026, 12, 24), date(2026, 12, 25)], ())


def test_events_may_have_other_words_of_state(tmp_path: Path) -> None:
    read = read_snapshot(
        tmp_path,
        Source.STORE_EVENTS,
        '[store_events]\nactive = "open"\ninactive = ["closed", "paused"]',
        "store_id,from_utc,to_utc,state\n"
        "A,2023-01-25 10:00,2023-01-25 11:00,Paused\n"
        "A,2023-01-25 11:00,2023-01-25 12:00,open\n"
        "A,2023-01-25 12:00,2023-01-25 13:00,down\n",
    )
    assert (read.frame["is_up"].tolist(), read.rejected) == ([False, True, False], ())


def test_closures_keep_the_clock_of_each_store(tmp_path: Path) -> None:
    read = read_snapshot(
        tmp_path,
        Source.CLOSURES,
        '[closures]\ndate_format = "%d.%m.%Y %H:%M"\n'
        'columns = { start_local = "from", end_local = "to" }',
        "store_id,from,to\n*,24.12.2023 18:00,\n",
    )
    assert read.frame.start_local_us.tolist() == [1_703_440_800_000_000]
    assert read.rejected == ()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            "[polls]",
            (
                "line 1: polls is none of [store_status], [business_hours], [store_timezones], "
                "[closures], [store_details], [objectives], [special_hours], "
                "[demand], [store_events], [hourly_orders], [channels]"
            ),
        ),
        ("store_status = 1", "line 1: store_status is a table: [store_status]"),
        (
            "[store_status]\n\nstatus = 1",
            (
                "line 3: [store_status] has no setting status; it may have active, columns, "
                "database, date_format, delimiter, encoding, inactive, query, zone"
            ),
        ),
        (
            "[closures]\nzone = 'UTC'",
            (
                "line 2: [closures] has no setting zone; it may have calendar_url, columns, "
                "database, date_format, delimiter, encoding, query"
            ),
        ),
        (
            "[closures]\ndatabase = 'sqlite://'",
            "line 2: database and query need each other",
        ),
        ("[closures]\nquery = 1\ndatabase = 'sqlite://'", "line 2: query is a text in quotes"),
        (
            "[store_status]\ndelimiter = ';;'",
            'line 2: delimiter is one character such as ";" or "\\t"',
        ),
        (
            "# zone\n[store_timezones]\nzone = 'UTC'\n[store_status]\nzone = 'Berlin'",
            "line 5: zone is 'Berlin', which is not an IANA time zone such as \"Europe/Berlin\"",
        ),
        (
            "[store_status]\nencoding = 'utf-17'",
            "line 2: encoding is 'utf-17', which is not an encoding such as " + ENCODINGS,
        ),
        (
            "[store_status]\nencoding = 'base64'",
            "line 2: encoding is 'base64', which is not an encoding such as " + ENCODINGS,
        ),
        (
            "[store_status]\ndate_format = '%d/%m'",
            (
                'line 2: date_format is "%d/%m": it needs %Y or %y once, as in "%d/%m/%Y '
                '%H:%M:%S"; or use "epoch seconds", "epoch milliseconds", "epoch microseconds", '
                '"spreadsheet days"'
            ),
        ),
        (
            "[store_status]\ncolumns = { id = 'x' }",
            "line 2: columns names id, which is none of store_id, timestamp_utc, status",
        ),
        (
            "[store_status]\ncolumns = { store_id = 1 }",
            "line 2: columns gives store_id no name in quotes",
        ),
        (
            "[store_status]\nactive = 'up'\ninactive = ['UP']",
            "line 3: 'up' is among the words of active, too",
        ),
        ("[business_hours]\nclock = 13", "line 2: clock is 12 or 24"),
        (
            "[business_hours]\nweekdays = 'days'",
            ('line 2: weekdays is "0-6", "1-7", "names" or a list of seven names from Monday on'),
        ),
        (
            "[business_hours]\nweekdays = ['Lu']",
            "line 2: weekdays has not seven names, from Monday to Sunday",
        ),
        (
            "[business_hours]\nfirst_weekday = 'So'",
            "line 2: first_weekday is 'So', which is not a day such as \"Sunday\"",
        ),
        ("[store_status]\nzone = UTC", "line 2: Invalid value"),
    ],
)
def test_a_bad_setting_is_named_with_its_line(settings: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_source_settings(settings)
    assert str(caught.value) == f"sources.toml, {message}"


def test_settings_that_are_no_text_are_named(tmp_path: Path) -> None:
    (tmp_path / "sources.toml").write_bytes(b"\xff")
    with pytest.raises(SettingsError, match=r"^sources\.toml is not UTF-8 text$"):
        read_source_settings(data_folder(tmp_path))


def test_without_settings_a_file_in_another_form_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("store_id;status;timestamp_utc\nA;active;2023-01-25 10:00\n")
    (file,) = survey_files(tmp_path).passed_over
    assert 'add the line delimiter = ";" to sources.toml' in file.reason


def test_calendars_at_addresses_are_files_of_closures() -> None:
    text = '[closures]\ncalendar_url = ["https://a.example/x.ics", "http://b.example/y.ics"]\n'
    calendars = parse_source_settings(text)[Source.CLOSURES].calendars
    assert [(each.name, each.url) for each in calendars] == [
        ("closures.url.1.ics", "https://a.example/x.ics"),
        ("closures.url.2.ics", "http://b.example/y.ics"),
    ]
    # The address of a private calendar is a secret.
    assert "example" not in f"{calendars!r} {calendars[0]}"


@pytest.mark.parametrize("url", ['"file:///etc/hosts"', '"webcal://a.example/x.ics"', "[]", "7"])
def test_a_calendar_of_another_scheme_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match=r"line 2: calendar_url is an address such as"):
        parse_source_settings(f"[closures]\ncalendar_url = {url}\n")
