"""Loading rejected messages again, after their settings were corrected."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from storemon_pipeline.database.bulk import Bulk, bulk_transaction
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.loads.load_log import RowCounts
from storemon_pipeline.loads.rejected_rows import PendingRow, mark_replayed, read_pending_rows
from storemon_pipeline.webhooks.message_events import UnmappedMessageError, read_message_events
from storemon_pipeline.webhooks.message_table import replace_load
from storemon_pipeline.webhooks.receive_message import Message, last_start, load_message
from storemon_pipeline.webhooks.webhook_settings import WEBHOOKS_FILE, WebhookSource


@dataclass(frozen=True, slots=True)
class ReplayedMessage:
    """A rejected message that was tried again: its load, or why it stays rejected.

    A load without rows is of a message that says nothing of the status of a store.
    """

    of_load_id: int
    name: str
    load_id: int | None = None
    row_counts: RowCounts | None = None
    error: str = ""


def has_rejected_messages(url: str, *, load_id: int | None) -> bool:
    """Whether any message, or one of this load, is rejected and was not loaded since."""
    with bulk_transaction(url) as bulk:
        return bool(_read_messages(bulk, load_id))


def replay_messages(
    url: str, sources: Mapping[str, WebhookSource], *, load_id: int | None, now: datetime
) -> list[ReplayedMessage]:
    """Read all rejected messages again, or that of one load, in one transaction.

    Each that becomes events now is a load of its own, in the order of their arrival. The others
    stay as they are.
    """
    with bulk_transaction(url, is_writing_polls=True) as bulk:
        return [
            _replay(bulk, name, sources.get(name), row, at=at, now=now)
            for name, at, row in _read_messages(bulk, load_id)
        ]


def _read_messages(bulk: Bulk, load_id: int | None) -> list[tuple[str, datetime, PendingRow]]:
    """The rejected messages with the name of their webhook and their time."""
    messages = []
    for row in read_pending_rows(bulk, load_id=load_id):
        if row.source is Source.STORE_EVENTS and row.file_path is None and row.header:
            name, at = row.header.split(" ")
            messages.append((name, datetime.fromisoformat(at), row))
    return messages


def _replay(
    bulk: Bulk,
    name: str,
    source: WebhookSource | None,
    row: PendingRow,
    *,
    at: datetime,
    now: datetime,
) -> ReplayedMessage:
    if source is None:
        return ReplayedMessage(row.load_id, name, error=f"{WEBHOOKS_FILE} has no [{name}].")
    message = Message(name, source, row.row, None, at)
    try:
        frame = read_message_events(name, source, row.row, at=at)
        load, row_counts = load_message(bulk, message, frame, now=now)
    except UnmappedMessageError as error:
        return ReplayedMessage(row.load_id, name, error=str(error))
    mark_replayed(bulk, [row.rejected_row_id], load.load_id)
    replace_load(bulk, row.load_id, load, last_start(message, frame))
    return ReplayedMessage(row.load_id, name, load.load_id, row_counts)
