"""Rewriting the values of files in another form as the usual ones.

A value that the form does not have stays as it is: the reader of the source accepts it, or rejects
its row.
"""

import re
from collections.abc import Callable
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from storemon_pipeline.business_time.zones import local_to_utc_us
from storemon_pipeline.domain.windows import BoolArray, IntArray
from storemon_pipeline.files.distinct_texts import distinct_texts
from storemon_pipeline.files.file_form import EPOCHS, SPREADSHEET_DAYS, FileForm
from storemon_pipeline.files.timestamps import (
    parse_epochs,
    parse_fields,
    parse_spreadsheet_days,
    parse_wall_clocks,
)

INSTANTS: Final = {"timestamp_utc", "valid_from", "from_utc", "to_utc", "ordered_at"}
WALL_CLOCKS: Final = {"start_local", "end_local"}
DATE: Final = "date"
_DATE_LENGTH: Final = len("2026-12-24")
STATES: Final = {"status", "state"}
_TIMES: Final = {"start_time_local", "end_time_local"}
_UNREADABLE: Final = "?"

_DIRECTIVES: Final = {
    "a": r"[A-Za-z]{3}",
    "A": r"[A-Za-z]{6,9}",
    "d": r"(?P<day>\d{1,2})",
    "m": r"(?P<month>\d{1,2})",
    "b": r"(?P<month_name>[A-Za-z]{3})",
    "B": r"(?P<month_name>[A-Za-z]{3,9})",
    "Y": r"(?P<year>\d{4})",
    "y": r"(?P<short_year>\d{2})",
    "H": r"(?P<hour>\d{1,2})",
    "I": r"(?P<hour>\d{1,2})",
    "M": r"(?P<minute>\d{2})",
    "S": r"(?P<second>\d{2})",
    "f": r"(?P<fraction>\d{1,9})",
    "p": r"(?P<half>[AaPp])\.?[Mm]\.?",
    "z": r"(?:(?i:UTC|GMT|Z)|(?P<sign>[+-])(?P<zone_hour>\d{2}):?(?P<zone_minute>\d{2}))",
    "%": "%",
}
_CLOCK_12: Final = re.compile(
    r"(?P<hour>0?[1-9]|1[0-2])(?P<rest>(?::[0-5]\d){0,2}) *(?P<half>[ap])\.?m\.?", re.ASCII
)


class DateFormatError(Exception):
    """A date format that cannot be used; `str()` says why."""


def usual_values(form: FileForm, columns: dict[str, pa.Array]) -> dict[str, pa.Array]:
    """The text columns (n,) of a source in their usual form."""
    return {name: _rewrite(form, name, text) for name, text in columns.items()}


def date_pattern(date_format: str, *, needs_time: bool = True) -> str:
    """A regular expression for `parse_fields`. Raises DateFormatError.

    A weekday in the format may be any.
    """
    pattern = ""
    directives: list[str] = []
    place = 0
    while place < len(date_format):
        if date_format[place] != "%":
            pattern += re.escape(date_format[place])
            place += 1
            continue
        directive = date_format[place + 1 : place + 2]
        if directive not in _DIRECTIVES:
            raise DateFormatError(f"%{directive} is not one of %{', %'.join(_DIRECTIVES)}")
        directives.append(directive)
        pattern += _DIRECTIVES[directive]
        place += 2
    for needed in ("d", "mbB", "Yy", "HI"):
        if needed == "HI" and not needs_time and "H" not in directives and "I" not in directives:
            continue
        if sum(directives.count(letter) for letter in needed) != 1:
            raise DateFormatError(f"it needs %{' or %'.join(needed)} once")
    if "I" in directives and "p" not in directives:
        raise DateFormatError("%I needs %p")
    if len(set(directives)) < len(directives):
        raise DateFormatError("it has a directive twice")
    return f"^{pattern}$"


def _rewrite(form: FileForm, name: str, text: pa.Array) -> pa.Array:
    if name in INSTANTS and (form.date_format or form.zone):
        return _instants(form, text)
    if name in {*WALL_CLOCKS, DATE} and form.date_format:
        local = _wall_clocks(form, text)
        return pc.utf8_slice_codeunits(local, 0, _DATE_LENGTH) if name == DATE else local
    if name in STATES and form.statuses:
        words = dict(form.statuses)
        return _distinct(text, lambda value: words.get(value.lower(), value))
    if name == "dayofweek" and form.weekdays:
        days = dict(form.weekdays)
        return _distinct(text, lambda value: days.get(value.lower().rstrip("."), _UNREADABLE))
    if name in _TIMES and form.is_12_hour:
        return _distinct(text, _clock_24)
    return text


def _distinct(text: pa.Array, rewrite: Callable[[str], str]) -> pa.Array:
    """Rewrite each distinct trimmed text once."""
    values, number = distinct_texts(text)
    return pa.array([rewrite(value) for value in values], pa.string()).take(pa.array(number))


def _clock_24(text: str) -> str:
    """A time of the 24-hour clock; without `am` or `pm` the text cannot be read.

    >>> _clock_24("12:30 AM"), _clock_24("5 pm"), _clock_24("11:59:30 P.M."), _clock_24("9:00")
    ('0:30', '17:00', '23:59:30', '?')
    """
    found = _CLOCK_12.fullmatch(text.lower())
    if found is None:
        return _UNREADABLE
    hour = int(found["hour"]) % 12 + (12 if found["half"] == "p" else 0)
    return f"{hour}{found['rest'] or ':00'}"


def _instants(form: FileForm, text: pa.Array) -> pa.Array:
    text = pc.utf8_trim_whitespace(pc.fill_null(text, ""))
    if form.date_format in EPOCHS:
        at_us, is_read = parse_epochs(text, EPOCHS[form.date_format])
        return pc.if_else(pa.array(is_read), _texts(at_us), text)
    at_us, is_read = _parse(form, text)
    plain_us, is_plain = parse_wall_clocks(text)
    is_local = is_plain | (is_read if "%z" not in form.date_format else False)
    at_us = np.where(is_plain, plain_us, at_us)
    utc_us, exists = local_to_utc_us(form.zone or "UTC", at_us)
    texts = _texts(np.where(is_local, utc_us, at_us))
    texts = pc.if_else(pa.array(exists | ~is_local), texts, _UNREADABLE)
    return pc.if_else(pa.array(is_read | is_plain), texts, text)


def _wall_clocks(form: FileForm, text: pa.Array) -> pa.Array:
    text = pc.utf8_trim_whitespace(pc.fill_null(text, ""))
    if form.date_format in EPOCHS:
        return text
    local_us, is_read = _parse(form, text)
    return pc.if_else(pa.array(is_read), _texts(local_us), text)


def _parse(form: FileForm, text: pa.Array) -> tuple[IntArray, BoolArray]:
    if not form.date_format:
        return np.zeros(len(text), np.int64), np.zeros(len(text), np.bool_)
    if form.date_format == SPREADSHEET_DAYS:
        return parse_spreadsheet_days(text)
    return parse_fields(text, date_pattern(form.date_format, needs_time=False))


def _texts(at_us: IntArray) -> pa.Array:
    return pa.array(at_us).cast(pa.timestamp("us")).cast(pa.string())
