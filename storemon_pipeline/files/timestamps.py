"""Parsing columns of timestamps into microseconds.

Times of day belong to `hours_formats.times_of_day`.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

_MINUTE_US: Final = 60_000_000
_DAY_US: Final = 86_400_000_000
_FIRST_US: Final = -62_135_596_800_000_000  # 0001-01-01T00:00, the first instant of a datetime
_LAST_US: Final = 253_402_300_799_999_999  # 9999-12-31T23:59:59.999999, the last one

_SHORTEST: Final = len("2023-01-25 18:13:22")
_LONGEST: Final = len("2023-01-25 18:13:22.479220")
_PLAIN: Final = r"^\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d{1,6})?(?: UTC|Z)?$"
_CLOCK: Final = (
    r"^(?P<year>\d{4})-(?P<month>0[1-9]|1[0-2])-(?P<day>0[1-9]|[12]\d|3[01])"
    r"[ Tt](?P<hour>[01]\d|2[0-3]):(?P<minute>[0-5]\d)"
    r"(?::(?P<second>[0-5]\d)(?:\.(?P<fraction>\d+))?)?"
)
_ZONE: Final = (
    r"(?:\s*(?:(?i:UTC|GMT|Z)"
    r"|(?P<sign>[+-])(?P<zone_hour>[01]\d|2[0-3])(?::?(?P<zone_minute>[0-5]\d))?))?"
)

_FEW: Final = 500
"""So many timestamps are parsed by their fields as fast as they are split further."""

_MONTHS: Final = (
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
)
_MONTH_NAMES: Final = {
    *_MONTHS,
    *("january", "february", "march", "april", "june", "july", "august", "september", "october"),
    *("november", "december"),
}
_FIRST_SHORT_YEAR: Final = 1969
_HOURS: Final = 24
_HALF_HOURS: Final = 12
_SIXTY: Final = 60
_EPOCH: Final = r"^(?P<sign>-?)(?P<whole>\d{1,18})(?:\.(?P<fraction>\d+))?$"

_DAYS: Final = r"^\d{1,7}(?:[.,]\d+)?$"
_DAYS_TO_1970: Final = 25_569

_MICROSECONDS: Final = pa.timestamp("us")


def parse_instants(text: pa.Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Return microseconds since 1970-01-01T00:00Z (n,), and which of them could be parsed (n,).

    The format is `YYYY-MM-DD`, a space or `T`, `HH:MM[:SS[.f]]`, then nothing (which means UTC),
    `UTC`, `GMT`, `Z` or an offset such as `+05:30`, `+0530`, `+05`. Digits below the microsecond
    are cut off. Values that could not be parsed are 0.
    """
    text = pc.utf8_trim_whitespace(pc.fill_null(text, ""))
    at_us = _cast(text)
    if at_us is not None:
        return at_us, np.ones(len(at_us), np.bool_)
    is_plain = pc.match_substring_regex(text, _PLAIN).to_numpy(zero_copy_only=False)
    at_us = np.zeros(len(text), np.int64)
    is_read = is_plain.copy()
    at_us[is_plain], is_read[is_plain] = _parse_plain(
        pc.ascii_rtrim(text.filter(pa.array(is_plain)), " UTCZ")
    )
    at_us[~is_plain], is_read[~is_plain] = parse_fields(
        text.filter(pa.array(~is_plain)), _CLOCK + _ZONE + "$"
    )
    return at_us, is_read


def _parse_plain(text: pa.Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Parse plain timestamps without a suffix; a date such as 30 February cannot be parsed.

    Halves without such a date are parsed the fast way.
    """
    at_us = _cast(text)
    if at_us is not None:
        return at_us, np.ones(len(at_us), np.bool_)
    if len(text) <= _FEW:
        return parse_fields(text, _CLOCK + _ZONE + "$")
    middle = len(text) // 2
    halves = [_parse_plain(half) for half in (text[:middle], text[middle:])]
    at_us, is_read = (np.concatenate(parts) for parts in zip(*halves, strict=True))
    return at_us, is_read


def parse_wall_clocks(text: pa.Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Return local microseconds since 1970-01-01T00:00 (n,), and which could be parsed (n,).

    The format is that of parse_instants without a zone.
    """
    return parse_fields(pc.utf8_trim_whitespace(pc.fill_null(text, "")), _CLOCK + "$")


def parse_epochs(
    text: pa.Array, unit_us: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """As parse_instants, from numbers of units since 1970-01-01T00:00Z."""
    found = pc.extract_regex(text, _EPOCH)
    is_read: npt.NDArray[np.bool_] = found.is_valid().to_numpy(zero_copy_only=False)
    found = found.drop_null()
    whole = found.field("whole").cast(pa.int64()).to_numpy()
    digits = pc.utf8_slice_codeunits(pc.utf8_rpad(found.field("fraction"), 6, "0"), 0, 6)
    part_us = digits.cast(pa.int64()).to_numpy() * unit_us // 1_000_000
    is_valid = whole <= _LAST_US // unit_us
    found_us = np.where(is_valid, whole, 0) * unit_us + part_us
    found_us = np.where(
        pc.equal(found.field("sign"), "-").to_numpy(zero_copy_only=False), -1, 1
    ) * (found_us)
    is_valid &= found_us >= _FIRST_US
    at_us = np.zeros(len(text), np.int64)
    at_us[is_read] = np.where(is_valid, found_us, 0)
    is_read[is_read] = is_valid
    return at_us, is_read


def parse_spreadsheet_days(
    text: pa.Array,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """As parse_wall_clocks, from days since 1899-12-30, rounded to milliseconds."""
    is_read: npt.NDArray[np.bool_] = pc.match_substring_regex(text, _DAYS).to_numpy(
        zero_copy_only=False
    )
    numbers = pc.replace_substring(text.filter(pa.array(is_read)), ",", ".")
    days = numbers.cast(pa.float64()).to_numpy() - _DAYS_TO_1970
    found_us = np.rint(days * (_DAY_US / 1_000)).astype(np.int64) * 1_000
    at_us = np.zeros(len(text), np.int64)
    at_us[is_read] = found_us
    is_read[is_read] = (found_us >= _FIRST_US) & (found_us <= _LAST_US)
    return np.where(is_read, at_us, 0), is_read


def _month_numbers(names: pa.Array) -> npt.NDArray[np.int64]:
    """The numbers of months by their English names or the first three letters; 0 for others."""
    numbers = {
        name: _MONTHS.index(name.lower()[:3]) + 1
        for name in pc.unique(names).to_pylist()
        if name.lower() in _MONTH_NAMES
    }
    return np.array([numbers.get(name, 0) for name in names.to_pylist()], np.int64)


def _cast(text: pa.Array) -> npt.NDArray[np.int64] | None:
    """Parse plain timestamps that all have the same suffix; None if any has another format."""
    for suffix in (" UTC", "Z", " GMT"):
        if pc.all(pc.ends_with(text, suffix)).as_py():
            text = pc.utf8_slice_codeunits(text, 0, -len(suffix))
            break
    length = pc.min_max(pc.binary_length(text)).as_py()
    if length["min"] is None:
        return np.zeros(0, np.int64)
    # Arrow also accepts a date without a time, or with the hour only: both are shorter.
    if length["min"] < _SHORTEST or length["max"] > _LONGEST:
        return None
    try:
        at_us: npt.NDArray[np.int64] = text.cast(_MICROSECONDS).cast(pa.int64()).to_numpy()
    except pa.ArrowInvalid:
        return None
    return at_us if at_us.min() >= _FIRST_US else None  # Arrow accepts the year 0


def parse_fields(
    text: pa.Array, pattern: str
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """As parse_instants, by a pattern with a named group for each field.

    Slower, but it handles every format. The groups: year or short_year, month or month_name, day,
    hour, half (of the day, `a` or `p`), minute, second, fraction, sign, zone_hour, zone_minute.
    """
    found = pc.extract_regex(text, pattern)
    is_read: npt.NDArray[np.bool_] = found.is_valid().to_numpy(zero_copy_only=False)
    at_us = np.zeros(len(text), np.int64)
    found = found.drop_null()
    names = {field.name for field in found.type}

    def number(name: str) -> npt.NDArray[np.int64]:
        if name not in names:
            return np.zeros(len(found), np.int64)
        digits = found.field(name)
        if name == "fraction":
            digits = pc.utf8_slice_codeunits(pc.utf8_rpad(digits, 6, "0"), 0, 6)
        digits = pc.if_else(pc.equal(digits, ""), "0", digits)
        values: npt.NDArray[np.int64] = digits.cast(pa.int64()).to_numpy()
        return values

    year, month, day = number("year"), number("month"), number("day")
    hour, minute, second = number("hour"), number("minute"), number("second")
    if "short_year" in names:  # as POSIX has it
        year = 1900 + number("short_year")
        year += np.where(year < _FIRST_SHORT_YEAR, 100, 0)
    if "month_name" in names:
        month = _month_numbers(found.field("month_name"))
    is_clock = (hour < _HOURS) & (minute < _SIXTY) & (second < _SIXTY)
    if "half" in names:
        is_clock &= (hour >= 1) & (hour <= _HALF_HOURS)
        is_afternoon = pc.equal(pc.utf8_lower(found.field("half")), "p")
        hour = hour % _HALF_HOURS + _HALF_HOURS * is_afternoon.to_numpy(zero_copy_only=False)
    is_date = (month >= 1) & (month <= len(_MONTHS)) & (day >= 1) & (year >= 1)
    year, month = np.where(is_date, year, 1970), np.where(is_date, month, 1)
    zone_hour, zone_minute = number("zone_hour"), number("zone_minute")
    first_of_month = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    first_day = first_of_month.astype("datetime64[D]").astype(np.int64)
    next_first_day = (first_of_month + 1).astype("datetime64[D]").astype(np.int64)
    offset_us = (zone_hour * 60 + zone_minute) * _MINUTE_US
    if "sign" in names:
        is_west = pc.equal(found.field("sign"), "-").to_numpy(zero_copy_only=False)
        offset_us = np.where(is_west, -offset_us, offset_us)
    found_us = (
        (first_day + day - 1) * _DAY_US
        + (hour * 60 + minute) * _MINUTE_US
        + second * 1_000_000
        + number("fraction")
        - offset_us
    )
    is_valid = (
        is_date
        & is_clock
        & (day <= next_first_day - first_day)
        & (found_us >= _FIRST_US)
        & (found_us <= _LAST_US)
    )
    at_us[is_read] = np.where(is_valid, found_us, 0)
    is_read[is_read] = is_valid
    return at_us, is_read
