"""What a message of a platform becomes: events, by the paths in the settings of its source."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import pandas as pd
import pyarrow as pa

from storemon_pipeline.database.instants import instant
from storemon_pipeline.domain.rejections import Reason
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.files.form_values import usual_values
from storemon_pipeline.ingestion.push_schedules import parse_rows
from storemon_pipeline.loads.pushed_load import BadRowsError
from storemon_pipeline.uptime.event_stretches import OPEN_EVENT
from storemon_pipeline.webhooks.webhook_settings import WebhookSource, word_of

MOST_EVENTS: Final = 10_000
"""At most this many events are in one message."""

_LONGEST_REASON: Final = 2_000
_MISSING: Final = object()


class UnmappedMessageError(Exception):
    """A message that cannot become events. `path` is where it differs from the settings."""

    def __init__(self, path: str, message: str, reason: Reason = Reason.UNMAPPED_MESSAGE) -> None:
        self.path = path
        self.reason = reason
        super().__init__(message)


def read_message_events(
    name: str, source: WebhookSource, body: bytes, *, at: datetime
) -> pd.DataFrame | None:
    """The events of a message; None when it says nothing of the status of a store.

    The columns are those of `events_file.read_events_file`, without `line`. `at` is the start of an
    event where the message has none. Raises UnmappedMessageError.
    """
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UnmappedMessageError("body", "The body is not JSON.") from error
    items: Sequence[Any] = [message]
    prefix = ""
    if source.events:
        items = _find(message, source.events, "")
        if not isinstance(items, list):
            raise UnmappedMessageError(source.events, f"{source.events} is not a list.")
        if len(items) > MOST_EVENTS:
            raise UnmappedMessageError(source.events, f"It has more than {MOST_EVENTS:,} events.")
        prefix = f"{source.events}."
    numbered = [(f"{prefix}{number}." if prefix else "", item) for number, item in enumerate(items)]
    rows = [
        (place, row)
        for place, item in numbered
        if (row := _row(name, source, item, place, at=at)) is not None
    ]
    if not rows:
        return None
    frame = _parse(source, rows)
    if not source.up_lasts:
        # The platform says that the store is up at this instant. Polls say what follows.
        is_moment = frame["is_up"] & (frame["to_us"] == OPEN_EVENT)
        frame["to_us"] = frame["to_us"].mask(is_moment, frame["from_us"] + 1)
    return frame


def describe_events(events: pd.DataFrame) -> list[str]:
    """A line for each event of `read_message_events`."""
    lines = []
    for event in events.to_dict("records"):
        start, end = event["from_us"], event["to_us"]
        until = "until the next event of this source"
        if end != OPEN_EVENT:
            until = f"to {instant(end):%Y-%m-%d %H:%M:%S}Z"
        state = f"down from {instant(start):%Y-%m-%d %H:%M:%S}Z {until}"
        if event["is_up"]:
            state = f"up at {instant(start):%Y-%m-%d %H:%M:%S}Z"
            state += ", until the next event" if end == OPEN_EVENT else "; ends an event down"
        reason = f", reason: {event['reason']}" if event["reason"] else ""
        lines.append(f"{event['store_id']}: {state}{reason}, source: {event['source']}")
    return lines


def _row(
    name: str, source: WebhookSource, item: object, place: str, *, at: datetime
) -> dict[str, str] | None:
    """The columns of an event as text; None for a state that is ignored."""
    word = word_of(_text(item, source.state, place))
    if word in source.ignored:
        return None
    is_up = word in source.up
    if not is_up and word not in source.down:
        known = ", ".join(repr(known) for known in (*source.down, *source.up, *source.ignored))
        raise UnmappedMessageError(
            place + source.state,
            f"{place}{source.state} is {word[:200]!r}, which is none of {known}.",
        )
    start = at.isoformat() if not source.start_time else _text(item, source.start_time, place)
    end = ""
    if source.end_time and not is_up:
        found = _find(item, source.end_time, place, default=None)
        end = "" if found is None else _scalar(found, place + source.end_time)
    reasons = [
        _scalar(found, place + path)
        for path in source.reason
        if (found := _find(item, path, place, default=None)) is not None
    ]
    return {
        "store_id": _text(item, source.store_id, place),
        "from_utc": start,
        "to_utc": end,
        "state": "up" if is_up else "down",
        "reason": ": ".join(filter(None, reasons))[:_LONGEST_REASON],
        "source": name,
    }


def _parse(source: WebhookSource, rows: Sequence[tuple[str, dict[str, str]]]) -> pd.DataFrame:
    texts = {name: pa.array([row[name] for _, row in rows]) for name in ("from_utc", "to_utc")}
    if not source.start_time:
        del texts["from_utc"]
    usual = usual_values(source.form, texts)
    for name, values in usual.items():
        for (_, row), value in zip(rows, values.to_pylist(), strict=True):
            row[name] = value
    try:
        return parse_rows(Source.STORE_EVENTS, [row for _, row in rows])
    except BadRowsError as error:
        first = error.rejected[0]
        place = rows[first.line][0]
        path = place + _path_of(source, first.reason)
        raise UnmappedMessageError(path, f"{path}: {first.reason}.", first.reason) from error


def _path_of(source: WebhookSource, reason: Reason) -> str:
    """The path that a reason to reject an event is about."""
    match reason:
        case Reason.UNREADABLE_TIMESTAMP:
            return source.start_time or source.end_time
        case Reason.EVENT_ORDER:
            return source.end_time
        case Reason.NUL_BYTE:
            return "body"
        case _:
            return source.store_id


def _text(item: object, path: str, place: str) -> str:
    text = _scalar(_find(item, path, place), place + path)
    if not text:
        raise UnmappedMessageError(place + path, f"{place}{path} is empty.")
    return text


def _scalar(value: object, path: str) -> str:
    if isinstance(value, dict | list):
        raise UnmappedMessageError(path, f"{path} is not a text or a number.")
    text = str(value).lower() if isinstance(value, bool) else str(value).strip()
    try:
        text.encode()
    except UnicodeEncodeError as error:  # half of a surrogate pair, which JSON can escape
        raise UnmappedMessageError(path, f"{path} is not valid Unicode.") from error
    return text


def _find(item: object, path: str, place: str, *, default: object = _MISSING) -> Any:  # noqa: ANN401 - a JSON value
    """The value at a path; `null` counts as missing, for which the default stands.

    Raises UnmappedMessageError without a default.
    """
    found: Any = item
    for step in path.split("."):
        if isinstance(found, Mapping):
            found = found.get(step)
        elif isinstance(found, list) and step.isdecimal() and int(step[:9]) < len(found):
            found = found[int(step[:9])]
        else:
            found = None
    if found is not None:
        return found
    if default is _MISSING:
        raise UnmappedMessageError(place + path, f"{place}{path} is missing.")
    return default
