"""Timestamps as text become microseconds."""

from datetime import UTC, datetime, timedelta, timezone

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storemon_pipeline.files.timestamps import parse_instants, parse_wall_clocks

NOON_US = 1_674_648_000_000_000  # 2023-01-25T12:00Z: 19,382 days and a half
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instants(*texts: str | None) -> list[int | None]:
    at_us, is_read = parse_instants(pa.array(texts, pa.string()))
    return [
        value if is_good else None
        for value, is_good in zip(at_us.tolist(), is_read.tolist(), strict=True)
    ]


READABLE = [
    pytest.param("2023-01-25 12:00:00.000000 UTC", NOON_US, id="as the polls come"),
    pytest.param("2023-01-25 12:00:00 UTC", NOON_US, id="no fraction"),
    pytest.param("2023-01-25 12:00:00.25 UTC", NOON_US + 250_000, id="short fraction"),
    pytest.param("2023-01-25 12:00:00.000001", NOON_US + 1, id="no zone is UTC"),
    pytest.param("2023-01-25 12:00:00 GMT", NOON_US, id="GMT"),
    pytest.param("2023-01-25 12:00:00.5gmt", NOON_US + 500_000, id="gmt without a blank"),
    pytest.param("2023-01-25T12:00:00Z", NOON_US, id="T and Z"),
    pytest.param("2023-01-25t12:00:00z", NOON_US, id="t and z"),
    pytest.param("2023-01-25 12:00:00 utc", NOON_US, id="small utc"),
    pytest.param("2023-01-25 12:00:00UTC", NOON_US, id="UTC without a blank"),
    pytest.param("2023-01-25 12:00", NOON_US, id="no seconds"),
    pytest.param("2023-01-25T12:00Z", NOON_US, id="no seconds, Z"),
    pytest.param("  2023-01-25 12:00:00  ", NOON_US, id="blanks around"),
    pytest.param("2023-01-25T17:30:00+05:30", NOON_US, id="east"),
    pytest.param("2023-01-25T17:30:00+0530", NOON_US, id="east without a colon"),
    pytest.param("2023-01-25 07:00:00-05", NOON_US, id="west, hours alone"),
    pytest.param("2023-01-24 22:30:00.5 -13:30", NOON_US + 500_000, id="west, the day before"),
    pytest.param("2023-01-25 12:00:00-00:00", NOON_US, id="minus nothing"),
    pytest.param("2023-01-25 12:00:00.123456789Z", NOON_US + 123_456, id="nanoseconds are cut"),
    pytest.param("2023-01-25 12:00:00.9999999", NOON_US + 999_999, id="cut, not rounded"),
    pytest.param("1969-12-31 23:59:59.9999999", -1, id="cut downwards before 1970 as well"),
    pytest.param("0001-01-01 00:00:00", -62_135_596_800_000_000, id="year 1"),
    pytest.param("9999-12-31 23:59:59.999999", 253_402_300_799_999_999, id="year 9999"),
    pytest.param("2024-02-29 00:00:00+00", 1_709_164_800_000_000, id="leap day"),
    pytest.param("2000-02-29T00:00:00+00", 951_782_400_000_000, id="leap day of 2000"),
]

UNREADABLE = [
    pytest.param(text, id=text or "empty")
    for text in (
        "",
        "UTC",
        "yesterday",
        "1674648000",
        "2023-01-25",
        "2023-01-25 12",
        "2023-01-25T12Z",
        "20230125T120000Z",
        "2023-01-25 1200",
        "2023-01-25_12:00:00",
        "2023/01/25 12:00:00",
        "25-01-2023 12:00:00",
        "23-01-25 12:00:00",
        "12023-01-25 12:00:00",
        "2023-1-25 12:00:00",
        "2023-02-29 12:00:00",
        "1900-02-29 12:00:00",
        "2023-04-31 12:00:00 UTC",
        "2023-00-25 12:00:00",
        "2023-13-25 12:00:00",
        "2023-01-00 12:00:00",
        "2023-01-32 12:00:00",
        "2023-01-25 24:00:00",
        "2023-01-25 12:60:00",
        "2023-01-25 12:00:60",
        "2023-01-25 12:00:00.",
        "2023-01-25 12:00:00,5",
        "2023-01-25 12:00:00 CET",
        "2023-01-25 12:00:00 UTC+1",
        "2023-01-25 12:00:00Z UTC",
        "2023-01-25 12:00:00 UTC UTC",
        "2023-01-25 12:00:00+1",
        "2023-01-25 12:00:00+24:00",
        "2023-01-25 12:00:00+01:60",
        "2023-01-25 12:00:00 x",
        "2023-01-25 12:00:0\N{ARABIC-INDIC DIGIT ONE}",
        "0000-01-01 00:00:00",
        "0001-01-01 00:00:00+00:01",
        "9999-12-31 23:59:59-00:01",
    )
]


@pytest.mark.parametrize(("text", "at_us"), READABLE)
def test_a_timestamp_is_read(text: str, at_us: int) -> None:
    assert instants(text) == [at_us]
    # The same among others, which are read in another way.
    assert instants("2023-01-25 12:00:00 UTC", text, "?") == [NOON_US, at_us, None]
    assert instants(text, "2023-02-30 12:00:00 UTC") == [at_us, None]


@pytest.mark.parametrize("text", UNREADABLE)
def test_text_that_is_no_timestamp_is_not_read(text: str) -> None:
    assert instants(text) == [None]
    assert instants(text, "2023-01-25 12:00:00 UTC") == [None, NOON_US]
    assert instants("2023-01-25T12:00:00Z", text, "2023-02-30 12:00:00") == [NOON_US, None, None]


@pytest.mark.parametrize("place", [0, 1_234, 2_999])
def test_one_impossible_date_among_thousands_leaves_the_others_as_they_are(place: int) -> None:
    texts = [f"2023-01-25 12:{second // 60:02}:{second % 60:02} UTC" for second in range(3_000)]
    found = instants(*texts[:place], "2023-02-30 12:00:00 UTC", *texts[place:])
    assert found.pop(place) is None
    assert found == [NOON_US + second * 1_000_000 for second in range(3_000)]


def test_a_null_is_not_read_and_no_rows_give_none() -> None:
    assert instants(None, "2023-01-25 12:00:00") == [None, NOON_US]
    assert instants() == []


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 12, 31)),  # noqa: DTZ001
            st.sampled_from(["", " UTC", "Z", "offset"]),
            st.integers(-23 * 60 - 59, 23 * 60 + 59),
            st.sampled_from(["T", " "]),
            st.sampled_from(["auto", "microseconds", "minutes", "milliseconds"]),
        )
    )
)
def test_every_timestamp_that_python_writes_is_read(
    moments: list[tuple[datetime, str, int, str, str]],
) -> None:
    texts, expected = [], []
    for moment, suffix, offset_minutes, separator, precision in moments:
        zone = timezone(timedelta(minutes=offset_minutes)) if suffix == "offset" else UTC
        text = moment.isoformat(separator, precision)
        shown = datetime.fromisoformat(text).replace(tzinfo=zone)
        ending = shown.isoformat()[-6:] if suffix == "offset" else suffix
        texts.append(text + ending)
        expected.append((shown - EPOCH) // timedelta(microseconds=1))
    assert instants(*texts) == expected


def test_wall_clocks_have_no_zone() -> None:
    texts = ["2023-01-25 12:00:00", "2023-01-25T12:00", "2023-01-25 12:00:00Z", "", None]
    at_us, is_read = parse_wall_clocks(pa.array(texts, pa.string()))
    assert is_read.tolist() == [True, True, False, False, False]
    assert at_us.tolist() == [NOON_US, NOON_US, 0, 0, 0]
