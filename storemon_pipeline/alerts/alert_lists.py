"""What people read and write about alerts: lists, counts, and actions such as a silence."""

from collections.abc import Collection
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

import sqlalchemy as sa

from storemon_pipeline.alerts.conditions import Kind
from storemon_pipeline.database.tables import (
    alert_actions,
    alert_deliveries,
    alerts,
    store_details,
    store_timezones,
)


class Action(StrEnum):
    """What was done about an alert."""

    ACKNOWLEDGE = "acknowledge"
    UNACKNOWLEDGE = "unacknowledge"
    SILENCE = "silence"
    UNSILENCE = "unsilence"
    NOTE = "note"


class NoAlertError(Exception):
    """There is no such alert, or it is not about one of the given stores."""


@dataclass(frozen=True, slots=True)
class NewAction:
    """An action to record: `until` is the end of a silence, `by` the name of the key."""

    action: Action
    by: str | None
    note: str = ""
    until: datetime | None = None


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
class ListedAction:
    """What somebody did about an alert; `by` is the name of the key."""

    action: str
    note: str
    until: datetime | None
    by: str | None
    at: datetime


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
    acknowledged_at: datetime | None
    silenced_until: datetime | None
    actions: list[ListedAction] = field(default_factory=list)
    deliveries: list[ListedDelivery] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """Filters of a list of alerts; None means any. `subjects` are ids of stores."""

    is_open: bool | None = None
    kind: Kind | None = None
    subjects: Collection[str] | None = None
    text: str | None = None
    """Part of the subject or of the store's name, in upper or lower case."""
    is_acknowledged: bool | None = None
    is_silenced: bool | None = None
    never_online: bool | None = None
    """Only alerts about the stores of `never_online_ids`, or all others."""
    never_online_ids: Collection[str] = ()


class AlertOrder(StrEnum):
    """Sort key of a list of alerts."""

    WHAT = "what"
    KIND = "kind"
    SINCE = "since"
    OPENED = "opened"
    LOST = "lost"


def list_alerts(
    connection: sa.Connection,
    wanted: AlertFilter,
    *,
    offset: int,
    limit: int,
    sort: AlertOrder | None = None,
    is_descending: bool = False,
) -> tuple[int, list[ListedAlert]]:
    """The number of alerts and one page of them.

    Without `sort` firing ones come first, then the newest first.
    """
    conditions = _conditions(wanted)
    named = alerts.outerjoin(store_details, store_details.c.store_key == alerts.c.store_key)
    total = connection.execute(
        sa.select(sa.func.count())
        .select_from(alerts if wanted.text is None else named)
        .where(*conditions)
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
            alerts.c.acknowledged_at,
            _silence_of_alert().label("silenced_until"),
        )
        .select_from(named)
        .where(*conditions)
        .order_by(*_order(sort, is_descending=is_descending))
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
    done = alert_actions.c
    actions = connection.execute(
        sa.select(
            done.alert_id, done.action, done.note, done.silenced_until, done.acted_by, done.acted_at
        )
        .where(done.alert_id.in_(by_id))
        .order_by(done.action_id)
    )
    for alert_id, *values in actions:
        by_id[alert_id].actions.append(ListedAction(*values))
    return total, found


def write_action(
    connection: sa.Connection,
    alert_id: int,
    new: NewAction,
    *,
    now: datetime,
    only_stores: AbstractSet[str] | None,
) -> None:
    """Keep the action, and set what it changes. Raises NoAlertError."""
    alert = connection.execute(
        sa.select(alerts.c.kind, alerts.c.subject, alerts.c.store_key)
        .where(alerts.c.alert_id == alert_id)
        .with_for_update()
    ).one_or_none()
    is_hidden = only_stores is not None and (
        alert is None or alert.store_key is None or alert.subject not in only_stores
    )
    if alert is None or is_hidden:
        raise NoAlertError(f"there is no alert {alert_id}")
    connection.execute(
        sa.insert(alert_actions).values(
            alert_id=alert_id,
            action=new.action.value,
            note=new.note,
            silenced_until=new.until,
            acted_by=new.by,
            acted_at=now,
        )
    )
    this = alerts.c.alert_id == alert_id
    same = (alerts.c.kind == alert.kind) & (alerts.c.subject == alert.subject)
    match new.action:
        case Action.ACKNOWLEDGE | Action.UNACKNOWLEDGE:
            at = now if new.action is Action.ACKNOWLEDGE else None
            connection.execute(sa.update(alerts).where(this).values(acknowledged_at=at))
        case Action.SILENCE | Action.UNSILENCE:
            connection.execute(sa.update(alerts).where(same).values(silenced_until=None))
            connection.execute(sa.update(alerts).where(this).values(silenced_until=new.until))
        case Action.NOTE:
            pass


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


_NAME: Final = sa.func.coalesce(store_details.c.name, alerts.c.subject)


def _order(sort: AlertOrder | None, *, is_descending: bool) -> "list[sa.ColumnElement[object]]":
    if sort is None:
        return [alerts.c.closed_at.is_not(None), alerts.c.opened_at.desc(), alerts.c.alert_id]
    key: sa.ColumnElement[object] = {
        AlertOrder.WHAT: sa.func.lower(_NAME),
        AlertOrder.KIND: alerts.c.kind,
        AlertOrder.SINCE: alerts.c.since,
        AlertOrder.OPENED: alerts.c.opened_at,
        AlertOrder.LOST: alerts.c.lost_us,
    }[sort]
    return [key.desc() if is_descending else key.asc(), alerts.c.alert_id]


def _silence_of_alert() -> "sa.ColumnElement[datetime | None]":
    """The end of the silence that holds now for an alert's kind and subject, or NULL."""
    silencing = alerts.alias("silencing")
    return (
        sa.select(sa.func.max(silencing.c.silenced_until))
        .where(
            silencing.c.kind == alerts.c.kind,
            silencing.c.subject == alerts.c.subject,
            silencing.c.silenced_until > sa.func.now(),
        )
        .scalar_subquery()
    )


def _conditions(wanted: AlertFilter) -> "list[sa.ColumnElement[bool]]":
    found: list[sa.ColumnElement[bool]] = []
    if wanted.is_open is not None:
        at = alerts.c.closed_at
        found.append(at.is_(None) if wanted.is_open else at.is_not(None))
    if wanted.kind is not None:
        found.append(alerts.c.kind == wanted.kind.value)
    if wanted.never_online is not None:
        is_about = alerts.c.store_key.is_not(None) & alerts.c.subject.in_(
            sorted(wanted.never_online_ids)
        )
        found.append(is_about if wanted.never_online else ~is_about)
    if wanted.subjects is not None:
        found.append(alerts.c.subject.in_(sorted(wanted.subjects)))
        found.append(alerts.c.store_key.is_not(None))
    if wanted.text is not None:
        text = wanted.text.strip()
        found.append(
            alerts.c.subject.icontains(text, autoescape=True)
            | store_details.c.name.icontains(text, autoescape=True)
        )
    if wanted.is_acknowledged is not None:
        is_new = alerts.c.acknowledged_at.is_(None)
        found.append(~is_new if wanted.is_acknowledged else is_new)
    if wanted.is_silenced is not None:
        is_loud = _silence_of_alert().is_(None)
        found.append(~is_loud if wanted.is_silenced else is_loud)
    return found
