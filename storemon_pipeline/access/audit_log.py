"""The audit log: one row per change, written in the transaction of the change."""

from dataclasses import asdict, dataclass

import sqlalchemy as sa

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.tables import audit_events


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """A change and who made it. The database adds the time."""

    action: str
    key_id: str | None = None
    account_id: int | None = None
    client: str | None = None
    request_id: str | None = None
    subject: str | None = None


def record_event(connection: sa.Connection, event: AuditEvent) -> None:
    """Append the event."""
    connection.execute(sa.insert(audit_events).values(**asdict(event)))


def append_event(bulk: Bulk, event: AuditEvent | None) -> None:
    """Append the event in a bulk transaction; do nothing when there is none."""
    if event is not None:
        bulk.execute(
            """
            INSERT INTO audit_events (action, key_id, account_id, client, request_id, subject)
            VALUES ($1, $2, $3, $4, $5, $6)
            """,
            (
                event.action,
                event.key_id,
                event.account_id,
                event.client,
                event.request_id,
                event.subject,
            ),
        )
