"""The changes of one store's hours, zone, closures and corrections, from the audit log."""

from dataclasses import dataclass
from datetime import datetime

from storemon_pipeline.database.bulk import Bulk


@dataclass(frozen=True, slots=True)
class LoggedChange:
    """A change, with the name of the key or account and the address of the client that made it."""

    at: datetime
    action: str
    sender_name: str | None
    client: str | None
    closure_id: int | None
    correction_id: int | None


def read_changes(bulk: Bulk, store_id: str, *, limit: int) -> list[LoggedChange]:
    """The newest changes of the store's own schedule and corrections, the last first."""
    rows = bulk.fetch(
        """
        WITH own_closures AS (
            SELECT closure_id FROM closures LEFT JOIN stores USING (store_key)
            WHERE store_id = $1 OR closures.store_key IS NULL
        ), own_corrections AS (
            SELECT correction_id FROM corrections JOIN stores USING (store_key)
            WHERE store_id = $1
        )
        SELECT a.at, a.action, coalesce(k.name, p.name) AS sender_name, a.client, c.closure_id,
               o.correction_id
        FROM audit_events a
        LEFT JOIN api_keys k USING (key_id)
        LEFT JOIN accounts p USING (account_id)
        LEFT JOIN own_closures c ON a.action = 'closure.cancel' AND a.subject = c.closure_id::text
        LEFT JOIN own_corrections o
            ON a.action = 'correction.cancel' AND a.subject = o.correction_id::text
        WHERE (a.action IN ('hours.put', 'hours.undo', 'timezone.put', 'closure.add',
                            'special-hours.put', 'special-hours.cancel',
                            'correction.add')
               AND a.subject = $1)
           OR (a.action = 'closure.add' AND a.subject = '*')
           OR c.closure_id IS NOT NULL OR o.correction_id IS NOT NULL
        ORDER BY a.event_id DESC LIMIT $2
        """,
        (store_id, limit),
    ).to_pylist()
    return [LoggedChange(**row) for row in rows]
