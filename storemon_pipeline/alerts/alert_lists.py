"""Queries that list and count alerts and their messages."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from storemon_pipeline.alerts.conditions import Kind
from storemon_pipeline.database.tables import (
    alert_deliveries,
    alerts,
    store_details,
    store_timezones,
)


@dataclass(frozen=True, slots=True)
class ListedDelivery:
    """A message to one address, identified by its label."""

    change: str
    target: str
    title: str
    body: str
    state: str
    is_held: bool
    tries: int
    next_try_at: datetime
    sent_at: datetime | None
    error: str | None


@dataclass(frozen=True, slots=True)
class ListedAlert:
    """An alert with its messages."""

    alert_id: int
    kind: Kind
    subject: str
    name: str | None
    timezone: str | None
    opened_at: datetime
    since: datetime
    closed_at: datetime | None
    ending: str | None
    lost_us: int
    stores: int | None
    of_stores: int | None
    is_told: bool
    recorded_at: datetime
    deliveries: list[ListedDelivery] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """Filters of a list of alerts; None means any. `subjects` are ids of stores."""

    is_open: bool | None = None
    kind: Kind | None = None
    subjects: Collection[str] | None = None


def list_alerts(
    connection: sa.Connection, wanted: AlertFilter, *, offset: int, limit: int
) -> tuple[int, list[ListedAlert]]:
    """The number of alerts and one page of them: firing ones first, then newest first."""
    conditions = _conditions(wanted)
    total = connection.execute(
        sa.select(sa.func.count()).select_from(alerts).where(*conditions)
    ).scalar_one()
    rows = connection.execute(
        sa.select(
            alerts.c.alert_id,
            alerts.c.kind,
            alerts.c.subject,
            store_details.c.name,
            _zone_of_store(),
            alerts.c.opened_at,
            alerts.c.since,
            alerts.c.closed_at,
            alerts.c.ending,
            alerts.c.lost_us,
            alerts.c.stores,
            alerts.c.of_stores,
            alerts.c.is_told,
            alerts.c.recorded_at,
        )
        .select_from(
            alerts.outerjoin(store_details, store_details.c.store_key == alerts.c.store_key)
        )
        .where(*conditions)
        .order_by(alerts.c.closed_at.is_not(None), alerts.c.opened_at.desc(), alerts.c.alert_id)
        .offset(offset)
        .limit(limit)
    ).mappings()
    found = [ListedAlert(**{**row, "kind": Kind(row["kind"])}) for row in rows]
    by_id = {alert.alert_id: alert for alert in found}
    names = list(ListedDelivery.__dataclass_fields__)
    messages = connection.execute(
        sa.select(alert_deliveries.c.alert_id, *(alert_deliveries.c[name] for name in names))
        .where(alert_deliveries.c.alert_id.in_(by_id))
        .order_by(alert_deliveries.c.delivery_id)
    )
    for alert_id, *values in messages:
        by_id[alert_id].deliveries.append(ListedDelivery(*values))
    return total, found


def count_open_alerts(connection: sa.Connection) -> dict[Kind, int]:
    """The number of firing alerts of each kind."""
    counts = connection.execute(
        sa.select(alerts.c.kind, sa.func.count())
        .where(alerts.c.closed_at.is_(None))
        .group_by(alerts.c.kind)
    ).all()
    return dict.fromkeys(Kind, 0) | {Kind(kind): count for kind, count in counts}


def count_unsent(connection: sa.Connection) -> dict[str, int]:
    """The number of messages that wait, are being sent, and failed finally."""
    counts = connection.execute(
        sa.select(alert_deliveries.c.state, sa.func.count())
        .where(alert_deliveries.c.state != "sent")
        .group_by(alert_deliveries.c.state)
    ).all()
    return dict.fromkeys(("waiting", "sending", "failed"), 0) | {
        str(state): count for state, count in counts
    }


def _zone_of_store() -> "sa.ColumnElement[str | None]":
    """The zone that counts now for an alert's store, as `timezone`."""
    zones, now = store_timezones.c, sa.func.now()
    return (
        sa.select(zones.timezone)
        .where(zones.store_key == alerts.c.store_key)
        .order_by(
            (zones.valid_from <= now).desc(),
            sa.case((zones.valid_from <= now, zones.valid_from)).desc(),
            zones.valid_from,
            zones.load_id.desc(),
            zones.row_number.desc(),
        )
        .limit(1)
        .scalar_subquery()
        .label("timezone")
    )


def _conditions(wanted: AlertFilter) -> "list[sa.ColumnElement[bool]]":
    found: list[sa.ColumnElement[bool]] = []
    if wanted.is_open is not None:
        at = alerts.c.closed_at
        found.append(at.is_(None) if wanted.is_open else at.is_not(None))
    if wanted.kind is not None:
        found.append(alerts.c.kind == wanted.kind.value)
    if wanted.subjects is not None:
        found.append(alerts.c.subject.in_(sorted(wanted.subjects)))
        found.append(alerts.c.store_key.is_not(None))
    return found
