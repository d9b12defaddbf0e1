"""Acting on an alert: acknowledging it, silencing it until a time, writing a note."""

from collections.abc import Set as AbstractSet
from datetime import datetime

import sqlalchemy as sa

from storemon_pipeline.access.audit_log import AuditEvent, record_event
from storemon_pipeline.alerts.alert_lists import NewAction, write_action


def record_action(
    engine: sa.Engine,
    alert_id: int,
    new: NewAction,
    *,
    now: datetime,
    only_stores: AbstractSet[str] | None,
    audit: AuditEvent,
) -> None:
    """Record the action, and let it take effect. Raises NoAlertError.

    A silence holds for later alerts of the same kind and subject too.
    """
    with engine.begin() as connection:
        write_action(connection, alert_id, new, now=now, only_stores=only_stores)
        record_event(connection, audit)
