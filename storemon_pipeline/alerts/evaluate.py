"""One look for alerts: what is wrong is read, decided and written in one transaction.

The messages are written with the alerts that they tell of, and wait; `deliver_alerts` sends them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, assert_never

import adbc_driver_manager

from storemon_pipeline.alerts import messages
from storemon_pipeline.alerts.alert_table import (
    NewDelivery,
    PendingDelivery,
    Watch,
    close_alerts,
    hold_deliveries,
    insert_alerts,
    insert_deliveries,
    read_closed_at,
    read_open_alerts,
    read_pending,
    read_source_looks,
    read_watch,
    take_watch_lock,
    update_lasting,
    write_watch,
)
from storemon_pipeline.alerts.conditions import (
    MANY_SILENT,
    Condition,
    Feed,
    Key,
    Kind,
    OpenAlert,
    OpenAlerts,
    Rules,
    SourceLook,
    source_conditions,
)
from storemon_pipeline.alerts.messages import Message, Recovery, StoreName
from storemon_pipeline.alerts.store_states import (
    FleetStates,
    read_feed,
    read_recoveries,
    read_store_states,
)
from storemon_pipeline.alerts.transitions import Changes, judge_sources, judge_stores
from storemon_pipeline.database.bulk import Bulk, bulk_transaction
from storemon_pipeline.database.instants import instant, microseconds
from storemon_pipeline.domain.windows import LOOKBACK_US
from storemon_pipeline.figures.data_version import read_data_version
from storemon_pipeline.figures.uptime_table import read_newest_poll

LONGEST_QUIET: Final = timedelta(minutes=10)
"""An evaluation is due after this long, even when nothing has changed: before LONGEST_PAUSE."""

LONGEST_PAUSE: Final = timedelta(minutes=15)
"""After a longer pause between two looks nobody was watching: the machine was off, for one."""

_WRITTEN_MEANWHILE: Final = frozenset({"40001", "23505"})
"""SQLSTATEs of a snapshot that another transaction has overtaken."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Whom alerts are told to: labels of addresses, and the root of the pages for links."""

    targets: Sequence[str] = ()
    pages: str | None = None


@dataclass(frozen=True, slots=True)
class Watched:
    """What a look has found; `is_judged`: there was something new to judge stores by."""

    is_judged: bool = False
    opened: int = 0
    closed: int = 0
    lasting: int = 0
    damped: int = 0
    covered: int = 0


@dataclass(frozen=True, slots=True)
class _Look:
    """What the steps of one look have in common."""

    bulk: Bulk
    notice: Notice
    now: datetime
    deliveries: list[NewDelivery] = field(default_factory=list)


def watch_alerts(
    url: str, *, rules: Rules, notice: Notice, now: datetime, is_loading: bool
) -> Watched | None:
    """Alerts are open for what is wrong now, and closed for what is not any more.

    Stores are judged at the newest poll, when the data or the rules have changed since the last
    look, and not while a refresh is loading: half of its files would be judged. Sources are judged
    by the clock, `now`. What is wrong when stores are judged for the first time is recorded without
    a message. None when another look is under way.
    """
    try:
        with bulk_transaction(url) as bulk:
            if not take_watch_lock(bulk):
                return None
            return _look(_Look(bulk, notice, now), rules, is_loading=is_loading)
    except adbc_driver_manager.Error as error:
        if error.sqlstate in _WRITTEN_MEANWHILE:
            return None
        raise


def is_evaluation_due(url: str, *, rules: Rules, now: datetime, is_loading: bool) -> bool:
    """Whether `watch_alerts` would change anything, or has not been called for a while.

    Reads, and writes nothing.
    """
    with bulk_transaction(url) as bulk:
        last = read_watch(bulk)
        if last is None or now - last.looked_at >= LONGEST_QUIET:
            return True
        is_changed = _version(bulk, rules) != last.seen
        if is_changed and not is_loading and read_newest_poll(bulk) is not None:
            return True
        alerts = read_open_alerts(bulk)
        judged = _judge_sources(bulk, rules, alerts, now=now, watching_since=last.watching_since)
        return bool(judged.changes.opened or judged.changes.closed or judged.has_turned)


def _version(bulk: Bulk, rules: Rules) -> str:
    """The state of everything that alerts about stores depend on."""
    load_id, refreshed_at = read_data_version(bulk).without_days
    return f"{load_id} {refreshed_at} {rules}"


def _look(look: _Look, rules: Rules, *, is_loading: bool) -> Watched:
    bulk, now = look.bulk, look.now
    last = read_watch(bulk)
    is_watching = last is not None and now - last.looked_at <= LONGEST_PAUSE
    watching_since = last.watching_since if last is not None and is_watching else now
    seen = last.seen if last is not None else None
    alerts = read_open_alerts(bulk)
    changes, is_judged = Changes(), False
    version = _version(bulk, rules)
    if version != seen and not is_loading:
        fleet = read_store_states(bulk)
        if fleet is not None:
            is_judged = True
            changes += _judge_stores(look, rules, alerts, fleet, is_first=seen is None)
            seen = version
    judged = _judge_sources(bulk, rules, alerts, now=now, watching_since=watching_since)
    _write_sources(look, judged)
    changes += judged.changes
    insert_deliveries(bulk, look.deliveries, look.notice.targets, now=now)
    write_watch(bulk, Watch(now, watching_since, seen))
    return Watched(
        is_judged,
        len(changes.opened),
        len(changes.closed),
        len(changes.lasting),
        len(changes.damped),
        len(changes.covered),
    )


def _judge_stores(
    look: _Look, rules: Rules, alerts: OpenAlerts, fleet: FleetStates, *, is_first: bool
) -> Changes:
    """Open and close what is about stores; hold back messages outside of business time."""
    bulk, states = look.bulk, fleet.states
    damp = timedelta(microseconds=rules.damp_us)
    closed_at = read_closed_at(bulk, since=fleet.as_of - damp)
    changes = judge_stores(states, alerts, closed_at, rules, is_first=is_first)
    is_told = bool(look.notice.targets) and not is_first
    ids = insert_alerts(
        bulk,
        changes.opened,
        [_store_key(fleet, one) for one in changes.opened],
        opened_at=fleet.as_of,
        is_told=is_told,
    )
    update_lasting(bulk, changes.lasting)
    if is_told:
        for alert_id, one in zip(ids, changes.opened, strict=True):
            message = _opening(look, fleet, one)
            look.deliveries.append(NewDelivery(alert_id, True, message, is_held=False))
    _close_stores(look, fleet, changes.closed)
    pending = [one for one in read_pending(bulk) if not _is_of_source(one.key)]
    _hold(bulk, pending, lambda key: _is_outside_business(fleet, key))
    return changes


def _close_stores(look: _Look, fleet: FleetStates, closed: Sequence[OpenAlert]) -> None:
    down = [alert for alert in closed if alert.key.kind is Kind.DOWN]
    recoveries = dict(
        zip(
            (alert.alert_id for alert in down),
            read_recoveries(
                look.bulk,
                fleet,
                [(fleet.position[alert.key.subject], alert.since_us) for alert in down],
            ),
            strict=True,
        )
    )
    close_alerts(
        look.bulk,
        {alert.alert_id: _ending(alert, recoveries.get(alert.alert_id)) for alert in closed},
        {alert_id: ended.lost_us for alert_id, ended in recoveries.items() if ended is not None},
        closed_at=fleet.as_of,
    )
    for alert in closed:
        if alert.is_told:
            message = _closing(look, fleet, alert, recoveries.get(alert.alert_id))
            is_held = _is_outside_business(fleet, alert.key)
            look.deliveries.append(NewDelivery(alert.alert_id, False, message, is_held=is_held))


@dataclass(frozen=True, slots=True)
class _SourceJudgement:
    """What the clock changes in alerts about sources and in their messages that wait."""

    changes: Changes
    pending: Sequence[PendingDelivery]
    is_business_now: bool

    @property
    def has_turned(self) -> bool:
        """Whether a message that waits is to be held back, or let go."""
        return any(one.is_held is self.is_business_now for one in self.pending)


def _judge_sources(
    bulk: Bulk, rules: Rules, alerts: OpenAlerts, *, now: datetime, watching_since: datetime
) -> _SourceJudgement:
    """Decide on alerts about sources. Writes nothing."""
    now_us = microseconds(now)
    looks = read_source_looks(bulk)
    pending = [one for one in read_pending(bulk) if _is_of_source(one.key)]
    feed = _feed(bulk, rules, looks, alerts, now=now, is_needed=bool(pending))
    conditions = source_conditions(
        looks,
        feed,
        rules,
        alerts,
        now_us=now_us,
        watching_since_us=microseconds(watching_since),
    )
    damp = timedelta(microseconds=rules.damp_us)
    closed_at = read_closed_at(bulk, since=now - damp)
    changes = judge_sources(conditions, alerts, closed_at, rules, now_us=now_us)
    return _SourceJudgement(changes, pending, feed.is_business_now)


def _write_sources(look: _Look, judged: _SourceJudgement) -> None:
    """Open and close alerts about sources, with their messages."""
    bulk, now, changes = look.bulk, look.now, judged.changes
    is_told = bool(look.notice.targets)
    none: list[int | None] = [None] * len(changes.opened)
    ids = insert_alerts(bulk, changes.opened, none, opened_at=now, is_told=is_told)
    pages = look.notice.pages
    if is_told:
        for alert_id, one in zip(ids, changes.opened, strict=True):
            since = instant(one.since_us)
            message = messages.source_opened(one.key, since, now, pages)
            look.deliveries.append(NewDelivery(alert_id, True, message, is_held=False))
    close_alerts(
        bulk,
        {alert.alert_id: _ending(alert, None) for alert in changes.closed},
        {},
        closed_at=now,
    )
    for alert in changes.closed:
        if alert.is_told:
            message = messages.source_closed(alert.key, now, pages)
            is_held = not judged.is_business_now
            look.deliveries.append(NewDelivery(alert.alert_id, False, message, is_held=is_held))
    _hold(bulk, judged.pending, lambda _: not judged.is_business_now)


def _feed(
    bulk: Bulk,
    rules: Rules,
    looks: Sequence[SourceLook],
    alerts: OpenAlerts,
    *,
    now: datetime,
    is_needed: bool,
) -> Feed:
    """The feed, read only where it can make a difference: it costs a calendar of all stores."""
    now_us, late_us = microseconds(now), rules.source_us
    if not is_needed:
        is_needed = any(_is_of_source(key) for key in alerts) or any(
            now_us - one.refreshed_us > late_us for one in looks
        )
    if not is_needed:
        newest = read_newest_poll(bulk)
        is_needed = newest is not None and late_us < now_us - microseconds(newest) < LOOKBACK_US
    if is_needed:
        return read_feed(bulk, now=now)
    return Feed(None, None, is_business_now=False)


def _hold(
    bulk: Bulk, pending: Sequence[PendingDelivery], is_outside_business: Callable[[Key], bool]
) -> None:
    """Messages that wait are held back outside of business time, and let go within it."""
    for is_held in (False, True):
        turned = [
            one.delivery_id
            for one in pending
            if one.is_held is not is_held and is_outside_business(one.key) is is_held
        ]
        hold_deliveries(bulk, turned, is_held=is_held)


def _is_of_source(key: Key) -> bool:
    """Whether an alert is judged by the clock."""
    return key.kind is Kind.SOURCE and key != MANY_SILENT


def _is_of_store(key: Key) -> bool:
    return key.kind in {Kind.DOWN, Kind.SILENT}


def _is_outside_business(fleet: FleetStates, key: Key) -> bool:
    """Whether the store is closed at the newest poll; of an alert about many, all stores."""
    is_open = fleet.states.is_open
    return not bool(is_open[fleet.position[key.subject]] if _is_of_store(key) else is_open.any())


def _store_key(fleet: FleetStates, condition: Condition) -> int | None:
    return None if condition.store is None else int(fleet.stores.store_keys[condition.store])


def _store_name(fleet: FleetStates, key: Key) -> StoreName:
    position = fleet.position[key.subject]
    return StoreName(key.subject, fleet.details.names[position], fleet.states.zones[position])


def _opening(look: _Look, fleet: FleetStates, one: Condition) -> Message:
    """What people are told of an alert about stores that opens."""
    pages, since = look.notice.pages, instant(one.since_us)
    if one.key.kind is Kind.DOWN:
        return messages.down_opened(_store_name(fleet, one.key), since, one.lost_us, pages)
    if one.key.kind is Kind.SILENT:
        return messages.silent_opened(_store_name(fleet, one.key), since, one.lost_us, pages)
    return messages.many_opened(one.key, fleet.as_of, one.stores or 0, one.of_stores or 0, pages)


def _closing(
    look: _Look, fleet: FleetStates, alert: OpenAlert, recovery: Recovery | None
) -> Message:
    """What people are told of an alert about stores that closes."""
    pages = look.notice.pages
    if alert.key.kind is Kind.DOWN:
        return messages.down_closed(_store_name(fleet, alert.key), recovery, pages)
    if alert.key.kind is Kind.SILENT:
        last_poll_us = fleet.states.last_poll_us[fleet.position[alert.key.subject]]
        polled_at = instant(int(last_poll_us))
        return messages.silent_closed(_store_name(fleet, alert.key), polled_at, pages)
    return messages.many_closed(alert.key, fleet.as_of, pages)


def _ending(alert: OpenAlert, recovery: Recovery | None) -> str:
    """How an alert ended, in words for lists."""
    match alert.key.kind:
        case Kind.DOWN:
            if recovery is None:
                return "taken back"
            return "lost sight of" if recovery.ended_at is None else "up again"
        case Kind.SILENT:
            return "polled again"
        case Kind.SOURCE:
            return "polls arrive again" if alert.key == MANY_SILENT else "refreshed again"
        case Kind.PLATFORM:
            return "most are up again"
        case _:
            assert_never(alert.key.kind)
