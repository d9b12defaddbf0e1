"""Loading a message whose signature was checked: one message is one load, and counts once."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd
import sqlalchemy as sa

from storemon_pipeline.access.audit_log import AuditEvent, append_event, record_event
from storemon_pipeline.database.bulk import Bulk, bulk_transaction
from storemon_pipeline.database.instants import instant
from storemon_pipeline.domain.rejections import Reason, RejectedRow, printable
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.events.event_table import write_events
from storemon_pipeline.events.reactivations import with_earlier_ends
from storemon_pipeline.loads.load_log import NO_ROWS, Load, RowCounts, close_load, open_load
from storemon_pipeline.loads.pushed_load import PushedLoad
from storemon_pipeline.loads.rejected_rows import mark_load_replayed
from storemon_pipeline.webhooks.message_events import UnmappedMessageError, read_message_events
from storemon_pipeline.webhooks.message_table import (
    find_earlier,
    read_messages_kept_from,
    remember_message,
)
from storemon_pipeline.webhooks.webhook_settings import WebhookSource


@dataclass(frozen=True, slots=True)
class Message:
    """A message of a source. `message_id` None: repeats of it cannot be told from new ones."""

    name: str
    source: WebhookSource
    body: bytes
    message_id: str | None
    at: datetime
    """When it was signed, or else when it arrived."""


def receive_message(
    url: str,
    message: Message,
    *,
    now: datetime,
    patience: timedelta,
    audit: AuditEvent | None = None,
) -> PushedLoad:
    """Load the events of a message, and write the `audit` event.

    A message with an id that was loaded before changes nothing, even when its load was undone. One
    that cannot become events is kept as a rejected row, once for each id; then raises
    UnmappedMessageError. If it can when it arrives again, it is loaded, and the row counts as
    replayed. Raises BusyError when another load takes longer than `patience`.
    """
    try:
        frame = read_message_events(message.name, message.source, message.body, at=message.at)
        if frame is None:
            return PushedLoad(None, NO_ROWS, ())
        with bulk_transaction(url, is_writing_polls=True, patience=patience) as bulk:
            earlier = find_earlier(bulk, message.name, message.message_id)
            if earlier is not None and not earlier.is_rejected:
                return PushedLoad(earlier.load_id, NO_ROWS, ())
            load, row_counts = load_message(bulk, message, frame, now=now)
            if earlier is not None:
                mark_load_replayed(bulk, earlier.load_id, by_load_id=load.load_id)
            remember_message(
                *(bulk, message.name, message.message_id, load),
                last_start=last_start(message, frame),
            )
            append_event(bulk, audit)
    except UnmappedMessageError as error:
        _keep_rejected(url, message, error, now=now, patience=patience, audit=audit)
        raise
    return PushedLoad(load.load_id, row_counts, ())


def load_message(
    bulk: Bulk, message: Message, frame: pd.DataFrame | None, *, now: datetime
) -> tuple[Load, RowCounts]:
    """Load the events of `read_message_events`; without any, the load has no rows.

    Raises UnmappedMessageError when it may be a message whose id was dropped.
    """
    start = last_start(message, frame)
    kept_from = read_messages_kept_from(bulk)
    if start is not None and kept_from is not None and start < kept_from:
        path = message.source.start_time
        raise UnmappedMessageError(
            path,
            f"{path} is before {kept_from:%Y-%m-%d}, since when the ids of messages are kept.",
            Reason.MESSAGE_NOT_KEPT,
        )
    load = open_load(bulk, Source.STORE_EVENTS, file_path=None, run_id=None, loaded_at=now)
    row_counts = NO_ROWS
    if frame is not None:
        (row_counts,) = write_events(bulk, [load], [with_earlier_ends(bulk, frame)])
    close_load(bulk, load, row_counts, ())
    return load, row_counts


def last_start(message: Message, frame: pd.DataFrame | None) -> datetime | None:
    """The last start that a message tells; None where a repeat of it would tell another one.

    A signature with a time is refused soon after that time, so its repeats tell the same.
    """
    if frame is None or not (message.source.start_time or message.source.signature == "standard"):
        return None
    return instant(int(frame["from_us"].max()))


def _keep_rejected(
    url: str,
    message: Message,
    error: UnmappedMessageError,
    *,
    now: datetime,
    patience: timedelta,
    audit: AuditEvent | None,
) -> None:
    """Keep a message as a rejected row of its own load, unless one with its id arrived before."""
    text = f"webhook {message.name}: {error} {printable(message.body)}"
    with bulk_transaction(url, is_writing_polls=True, patience=patience) as bulk:
        if find_earlier(bulk, message.name, message.message_id) is not None:
            return
        load = open_load(bulk, Source.STORE_EVENTS, file_path=None, run_id=None, loaded_at=now)
        rejected = [RejectedRow(0, text, error.reason, message.body)]
        header = f"{message.name} {message.at.isoformat()}"
        close_load(bulk, load, NO_ROWS, rejected, header=header)
        remember_message(bulk, message.name, message.message_id, load, last_start=None)
        append_event(bulk, audit)


def record_refusal(engine: sa.Engine, audit: AuditEvent) -> None:
    """Write the audit event of a message that was refused."""
    with engine.begin() as connection:
        record_event(connection, audit)
