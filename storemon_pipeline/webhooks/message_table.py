"""The table `webhook_messages`: which messages arrived before, by their ids."""

from dataclasses import dataclass

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


def remember_message(bulk: Bulk, source: str, message_id: str | None, load: Load) -> None:
    """Keep the id of a message, if it has one, with its load."""
    if message_id is not None:
        bulk.execute(
            """
            INSERT INTO webhook_messages (source, message_id, load_id) VALUES ($1, $2, $3)
            ON CONFLICT (source, message_id) DO UPDATE SET load_id = excluded.load_id
            """,
            (source, message_id, load.load_id),
        )
