"""The table `webhook_messages`: which messages arrived before, by their ids, and its retention.

Ids are kept as long as raw polls. What tells of a start before that is rejected from then on, since
it may be a message whose id is gone.
"""

from dataclasses import dataclass
from datetime import datetime

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.loads.load_log import Load


@dataclass(frozen=True, slots=True)
class EarlierMessage:
    """The load of a message that arrived before with the same id."""

    load_id: int
    is_rejected: bool


def find_earlier(bulk: Bulk, source: str, message_id: str | None) -> EarlierMessage | None:
    """The message of this source and id that arrived before; None without an id."""
    if message_id is None:
        return None
    rows = bulk.fetch(
        """
        SELECT m.load_id, l.rows_rejected > 0 AS is_rejected
        FROM webhook_messages m JOIN loads l USING (load_id)
        WHERE m.source = $1 AND m.message_id = $2
        """,
        (source, message_id),
    ).to_pylist()
    return EarlierMessage(**rows[0]) if rows else None


def remember_message(
    bulk: Bulk, source: str, message_id: str | None, load: Load, *, last_start: datetime | None
) -> None:
    """Keep the id of a message, if it has one, with its load.

    `last_start` is the last start that it tells; None for one whose id is never dropped.
    """
    if message_id is not None:
        bulk.execute(
            """
            INSERT INTO webhook_messages (source, message_id, load_id, last_start_at)
            VALUES ($1, $2, $3, $4)
            ON CONFLICT (source, message_id) DO UPDATE
            SET load_id = excluded.load_id, last_start_at = excluded.last_start_at
            """,
            (source, message_id, load.load_id, last_start),
        )


def replace_load(
    bulk: Bulk, rejected_load_id: int, load: Load, last_start: datetime | None
) -> None:
    """A message that was rejected is now loaded by this load."""
    bulk.execute(
        "UPDATE webhook_messages SET load_id = $2, last_start_at = $3 WHERE load_id = $1",
        (rejected_load_id, load.load_id, last_start),
    )


def read_messages_kept_from(bulk: Bulk) -> datetime | None:
    """Ids of messages that tell of no start from this instant on are gone; None: none are."""
    rows = bulk.fetch("SELECT messages_kept_from FROM retention_state").to_pylist()
    return rows[0]["messages_kept_from"] if rows else None


def drop_old_messages(bulk: Bulk) -> int:
    """Drop the ids of messages that tell of times before the retention of polls; return how many.

    The start of their retention never moves back. The transaction holds the lock of writers of
    polls, as receiving a message does.
    """
    bulk.execute(
        """
        UPDATE retention_state
        SET messages_kept_from = greatest(messages_kept_from, polls_kept_from)
        """
    )
    dropped = bulk.fetch(
        """
        DELETE FROM webhook_messages
        WHERE last_start_at < (SELECT messages_kept_from FROM retention_state)
        RETURNING load_id
        """
    )
    return int(dropped.num_rows)
