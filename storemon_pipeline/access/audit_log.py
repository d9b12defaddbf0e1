"""The audit table: appending to it, in the transaction of the deed. Nothing reads it here."""

from dataclasses import asdict, dataclass

import sqlalchemy as sa

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.tables import audit_events


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """Something that was done; the instant is the database's."""

    action: str
    key_id: str | None = None
    client: str | None = None
    request_id: str | None = None
    subject: str | None = None


def record_event(connection: sa.Connection, event: AuditEvent) -> None:
    """The event stands in the table."""
    connection.execute(sa.insert(audit_events).values(**asdict(event)))


def append_event(bulk: Bulk, event: AuditEvent | None) -> None:
    """As `record_event`, within a bulk transaction; without an event nothing is done."""
    if event is not None:
        bulk.execute(
            """
            INSERT INTO audit_events (action, key_id, client, request_id, subject)
            VALUES ($1, $2, $3, $4, $5)
            """,
            (event.action, event.key_id, event.client, event.request_id, event.subject),
        )
