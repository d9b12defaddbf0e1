"""Reading the events of an iCalendar file (RFC 5545) as rows of closures, in text columns.

What the columns mean belongs to `schedules.closures_file`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import recurring_ical_events
from icalendar import Calendar, Event

from storemon_pipeline.domain.rejections import (
    EmptyFileError,
    Reason,
    RejectedRow,
    UnusableFileError,
)
from storemon_pipeline.files.csv_text import Column, TextBlock, TextFile, find_columns

NAMES: Final = ("store_id", "start_local", "end_local", "reason", "zone_of_times")
"""The columns of every calendar."""

STORE_MARK: Final = "store:"
"""What the location of an event begins with if the closure is of one store."""

OPEN_END: Final = "X-STOREMON-OPEN-END"
"""The property of an event whose closure has no end."""

REPEATS_FROM: Final = date(2000, 1, 1)
REPEATS_BEFORE: Final = date(2040, 1, 1)
MOST_REPEATS: Final = 2_000
"""Events that are repeated are read in this period, if they are not more."""

MOST_BYTES: Final = 32 << 20

_EVERY_STORE: Final = "*"
_READ: Final = {"DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID"}
_BEGIN: Final = re.compile(rb"^BEGIN:VEVENT[ \t]*\r?$", re.MULTILINE | re.IGNORECASE)
_END: Final = re.compile(rb"^END:VEVENT[ \t]*\r?$", re.MULTILINE | re.IGNORECASE)
_OFTEN: Final = ("SECONDLY", "MINUTELY", "HOURLY")
_PARTS_OF_A_DAY: Final = ("BYHOUR", "BYMINUTE", "BYSECOND")


class _BadEventError(Exception):
    """An event that cannot be read."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


def read_icalendar(
    name: Path | str, stream: BinaryIO, columns: Sequence[Column], *, bytes_total: int
) -> TextFile:
    """Read the events as rows of the wanted columns. Raises UnusableFileError.

    An event that is repeated gives a row for each time. Events with the status CANCELLED give none.
    """
    wanted = list(find_columns(name, NAMES, columns))
    if bytes_total > MOST_BYTES:
        raise UnusableFileError(name, f"the calendar has more than {MOST_BYTES >> 20} MiB")
    text = stream.read()
    check_icalendar(name, text)
    try:
        calendar = Calendar.from_ical(text.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UnusableFileError(name, "the calendar is not in UTF-8") from error
    except ValueError as error:
        raise UnusableFileError(name, f"the calendar cannot be read ({error})") from error
    events = [event for event in calendar.walk("VEVENT") if isinstance(event, Event)]
    starts = [found.start() for found in _BEGIN.finditer(text)]
    if len(starts) != len(events):
        raise UnusableFileError(name, "the calendar has events within other events")
    ends = [found.end() for found in _END.finditer(text)]
    lines = [text.count(b"\n", 0, start) + 1 for start in starts]
    texts = {
        line: text[start:end].replace(b"\r\n", b"\n").strip()
        for line, start, end in zip(lines, starts, ends, strict=True)
    }
    zone = calendar.get("X-WR-TIMEZONE")
    block = _block(_series(lines, events), texts, wanted, zone=zone, bytes_done=len(text))
    return TextFile(",".join(wanted), bytes_total, iter((block,)))


def check_icalendar(name: Path | str, text: bytes) -> None:
    """Raise UnusableFileError unless the text begins like a calendar."""
    if not text.strip():
        raise EmptyFileError(name)
    if b"BEGIN:VCALENDAR" not in text[:1_000].upper():
        raise UnusableFileError(name, "it does not begin with the line BEGIN:VCALENDAR")


@dataclass(frozen=True, slots=True)
class _Events:
    """The texts of events by their first lines."""

    texts: dict[int, bytes]

    def text(self, line: int) -> bytes:
        return self.texts[line]


def _series(lines: Sequence[int], events: Sequence[Event]) -> list[tuple[int, list[Event]]]:
    """The events with the line of the first one; those that change times of another are with it."""
    series: dict[str, tuple[int, list[Event]]] = {}
    for line, event in zip(lines, events, strict=True):
        if str(event.get("STATUS", "")).upper() == "CANCELLED" and "RECURRENCE-ID" not in event:
            continue
        uid = str(event.get("UID") or f"line {line}")
        series.setdefault(uid, (line, []))[1].append(event)
    return list(series.values())


def _block(
    series: Sequence[tuple[int, list[Event]]],
    texts: dict[int, bytes],
    wanted: Sequence[str],
    *,
    zone: str | None,
    bytes_done: int,
) -> TextBlock:
    rows: list[dict[str, str]] = []
    numbers: list[int] = []
    rejected: list[RejectedRow] = []
    for line, events in series:
        try:
            found = [_row(event) for event in _times(events, zone)]
        except _BadEventError as error:
            rejected.append(RejectedRow.of(line, texts[line], error.reason))
        else:
            rows += found
            numbers += [line] * len(found)
    line_numbers: npt.NDArray[np.int64] = np.array(numbers, np.int64)
    return TextBlock(
        columns={name: pa.array([row[name] for row in rows], pa.string()) for name in wanted},
        line=line_numbers,
        rejected=tuple(rejected),
        rows_read=len(rows) + len(rejected),
        bytes_done=bytes_done,
        next_line=max(texts, default=0) + 1,
        lines=_Events(texts),
    )


def _times(events: Sequence[Event], zone: str | None) -> list[Event]:
    """One event for each time. Raises _BadEventError."""
    for event in events:
        _check(event)
    if len(events) == 1 and not {"RRULE", "RDATE"} & set(events[0]):
        return list(events)
    if any(OPEN_END in event or event.end <= event.start for event in events):
        return list(events)
    calendar = Calendar()
    if zone is not None:
        calendar.add("X-WR-TIMEZONE", zone)
    for event in events:
        calendar.add_component(event)
    try:
        found = recurring_ical_events.of(calendar).between(REPEATS_FROM, REPEATS_BEFORE)
    except (ValueError, TypeError, OverflowError) as error:
        raise _BadEventError(Reason.CALENDAR_EVENT) from error
    if len(found) > MOST_REPEATS:
        raise _BadEventError(Reason.CALENDAR_REPEATS)
    return [
        event
        for event in sorted(found, key=lambda event: _text(event.start))
        if str(event.get("STATUS", "")).upper() != "CANCELLED"
    ]


def _check(event: Event) -> None:
    """Raise _BadEventError for an event that cannot be read, or is repeated within a day."""
    if _READ & {name for name, _ in event.errors}:
        raise _BadEventError(Reason.CALENDAR_EVENT)
    try:
        start, end = event.start, event.end
    except ValueError as error:
        raise _BadEventError(Reason.CALENDAR_EVENT) from error
    for name, at in (("DTSTART", start), ("DTEND", end)):
        is_zoned = isinstance(at, datetime) and at.tzinfo is not None
        if name in event and "TZID" in event[name].params and not is_zoned:
            raise _BadEventError(Reason.UNKNOWN_ZONE)
    if _is_zoned(start) != _is_zoned(end):
        raise _BadEventError(Reason.CALENDAR_EVENT)
    rules = event.get("RRULE", [])
    for rule in rules if isinstance(rules, list) else [rules]:
        frequency = [str(each).upper() for each in rule.get("FREQ", [])]
        if set(_OFTEN) & set(frequency) or any(part in rule for part in _PARTS_OF_A_DAY):
            raise _BadEventError(Reason.CALENDAR_REPEATS)


def _row(event: Event) -> dict[str, str]:
    """The values of an event by name. Raises _BadEventError."""
    location = str(event.get("LOCATION", "")).strip()
    is_of_store = location.lower().startswith(STORE_MARK)
    is_open = str(event.get(OPEN_END, "")).upper() == "TRUE"
    values = (
        location[len(STORE_MARK) :].strip() if is_of_store else _EVERY_STORE,
        _text(event.start),
        "" if is_open else _text(event.end),
        str(event.get("SUMMARY", "")),
        "UTC" if _is_zoned(event.start) else "",
    )
    if "\0" in "".join(values):
        raise _BadEventError(Reason.NUL_BYTE)
    return dict(zip(NAMES, values, strict=True))


def _is_zoned(at: date) -> bool:
    return isinstance(at, datetime) and at.tzinfo is not None


def _text(at: date) -> str:
    """A time as in a file of closures; one with a zone in UTC, a date as its begin."""
    if not isinstance(at, datetime):
        return f"{at.isoformat()} 00:00:00"
    if at.tzinfo is not None:
        at = at.astimezone(UTC)
    return at.strftime("%Y-%m-%d %H:%M:%S")
