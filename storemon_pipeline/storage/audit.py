"""The audit table: appending to it. Nothing here reads, changes or deletes."""

from dataclasses import asdict, dataclass

import sqlalchemy as sa

from storemon_pipeline.storage.tables import audit_events


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """Something that was done; the instant is the database's."""

    action: str
    key_id: str | None = None
    client: str | None = None
    request_id: str | None = None
    subject: str | None = None
    status: int | None = None


def record_event(connection: sa.Connection, event: AuditEvent) -> None:
    """The event stands in the table."""
    connection.execute(sa.insert(audit_events).values(**asdict(event)))
