"""One evaluation of all alert rules: reads, decides and writes in one transaction.

Messages are written to a queue together with their alerts; `deliver` sends them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Final

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
    read_refusals,
    read_source_checks,
    read_watch,
    take_watch_lock,
    update_lasting,
    write_watch,
)
from storemon_pipeline.alerts.budget_conditions import StoreBudgets, budget_conditions
from storemon_pipeline.alerts.conditions import (
    MANY_SILENT,
    OF_BUDGETS,
    OF_STORES,
    REJECTED_HOURS,
    Condition,
    Feed,
    Key,
    Kind,
    OpenAlert,
    OpenAlerts,
    Rules,
    SourceCheck,
    file_conditions,
    source_conditions,
)
from storemon_pipeline.alerts.messages import Message, Recovery, StoreName
from storemon_pipeline.alerts.store_states import (
    FleetStates,
    read_feed,
    read_recoveries,
    read_store_states,
)
from storemon_pipeline.alerts.transitions import (
    Changes,
    evaluate_budgets,
    evaluate_sources,
    evaluate_stores,
)
from storemon_pipeline.database.bulk import Bulk, bulk_transaction, is_conflict
from storemon_pipeline.database.instants import instant, microseconds
from storemon_pipeline.domain.windows import DEFAULT_ZONE, LOOKBACK_US
from storemon_pipeline.figures.data_version import read_data_version
from storemon_pipeline.figures.uptime_table import read_newest_poll
from storemon_pipeline.loads.rejected_hours import fetch_rejected_hours
from storemon_pipeline.objectives.objective_table import read_objectives_changed_at
from storemon_pipeline.objectives.precedence import PERIODS
from storemon_pipeline.views.budgets_view import read_budgets_of_fleet

LONGEST_QUIET: Final = timedelta(minutes=10)
"""An evaluation is due after this time even when nothing changed; less than LONGEST_PAUSE."""

LONGEST_PAUSE: Final = timedelta(minutes=15)
"""After a longer pause between two evaluations the service was not running."""

_DUPLICATE: Final = "23505"
"""The SQLSTATE of a row that another transaction has inserted first."""


@dataclass(frozen=True, slots=True)
class Notification:
    """Where messages go: labels of addresses, and the root address of the pages for links."""

    targets: Sequence[str] = ()
    pages: str | None = None


@dataclass(frozen=True, slots=True)
class EvaluationCounts:
    """Counts of one evaluation. `is_evaluated`: stores were evaluated, as there was new data."""

    is_evaluated: bool = False
    opened: int = 0
    closed: int = 0
    lasting: int = 0
    in_cooldown: int = 0
    inhibited: int = 0


@dataclass(frozen=True, slots=True)
class _Evaluation:
    """What the steps of one evaluation share."""

    bulk: Bulk
    notification: Notification
    now: datetime
    deliveries: list[NewDelivery] = field(default_factory=list)


def evaluate_rules(
    url: str, *, rules: Rules, notification: Notification, now: datetime, is_loading: bool
) -> EvaluationCounts | None:
    """Start and resolve alerts; returns None when another evaluation is running.

    Stores are evaluated at the newest poll when the data or the rules changed since the last
    evaluation, but not during a refresh, when only some files are loaded. Sources are evaluated by
    the clock, `now`. The first evaluation of stores records alerts without messages.
    """
    try:
        with bulk_transaction(url) as bulk:
            if not take_watch_lock(bulk):
                return None
            return _evaluate(_Evaluation(bulk, notification, now), rules, is_loading=is_loading)
    except adbc_driver_manager.Error as error:
        if is_conflict(error) or error.sqlstate == _DUPLICATE:
            return None
        raise


def is_evaluation_due(url: str, *, rules: Rules, now: datetime, is_loading: bool) -> bool:
    """Whether `evaluate_rules` would change anything, or is due anyway. Only reads."""
    with bulk_transaction(url) as bulk:
        last = read_watch(bulk)
        if last is None or now - last.looked_at >= LONGEST_QUIET:
            return True
        is_changed = _version(bulk, rules) != last.seen
        if is_changed and not is_loading and read_newest_poll(bulk) is not None:
            return True
        alerts = read_open_alerts(bulk)
        sources = _evaluate_sources(
            bulk, rules, alerts, now=now, watching_since=last.watching_since
        )
        return bool(sources.changes.opened or sources.changes.closed or sources.has_held_changes)


def _version(bulk: Bulk, rules: Rules) -> str:
    """The version of everything that alerts about stores depend on."""
    load_id, refreshed_at = read_data_version(bulk).without_days
    return f"{load_id} {refreshed_at} {rules}"


def _evaluate(evaluation: _Evaluation, rules: Rules, *, is_loading: bool) -> EvaluationCounts:
    bulk, now = evaluation.bulk, evaluation.now
    last = read_watch(bulk)
    is_watching = last is not None and now - last.looked_at <= LONGEST_PAUSE
    watching_since = last.watching_since if last is not None and is_watching else now
    seen = last.seen if last is not None else None
    alerts = read_open_alerts(bulk)
    changes, is_evaluated = Changes(), False
    version = _version(bulk, rules)
    if version != seen and not is_loading:
        fleet = read_store_states(bulk)
        if fleet is not None:
            is_evaluated = True
            is_first = seen is None
            changes += _evaluate_stores(evaluation, rules, alerts, fleet, is_first=is_first)
            changes += _evaluate_budgets(
                evaluation,
                rules,
                alerts,
                fleet,
                is_first=is_first or _has_new_objectives(bulk, last),
                of_stores=changes,
            )
            seen = version
    evaluated = _evaluate_sources(bulk, rules, alerts, now=now, watching_since=watching_since)
    _write_sources(evaluation, evaluated)
    changes += evaluated.changes
    insert_deliveries(bulk, evaluation.deliveries, evaluation.notification.targets, now=now)
    write_watch(bulk, Watch(now, watching_since, seen))
    return EvaluationCounts(
        is_evaluated,
        len(changes.opened),
        len(changes.closed),
        len(changes.lasting),
        len(changes.in_cooldown),
        len(changes.inhibited),
    )


def _evaluate_stores(
    evaluation: _Evaluation, rules: Rules, alerts: OpenAlerts, fleet: FleetStates, *, is_first: bool
) -> Changes:
    """Start and resolve alerts about stores; hold messages outside business time."""
    bulk, states = evaluation.bulk, fleet.states
    cooldown = timedelta(microseconds=rules.cooldown_us)
    closed_at = read_closed_at(bulk, since=fleet.as_of - cooldown)
    changes = evaluate_stores(states, alerts, closed_at, rules, is_first=is_first)
    _write_stores(
        evaluation,
        fleet,
        changes,
        partial(_opening, evaluation, fleet),
        is_first=is_first,
    )
    pending = [one for one in read_pending(bulk) if not _is_by_clock(one.key)]
    _hold(bulk, pending, lambda key: _is_outside_business(fleet, key))
    return changes


def _evaluate_budgets(
    evaluation: _Evaluation,
    rules: Rules,
    alerts: OpenAlerts,
    fleet: FleetStates,
    *,
    is_first: bool,
    of_stores: Changes,
) -> Changes:
    """Start and resolve alerts about error budgets. Without objectives nothing is computed.

    The first evaluation after a change of objectives, `is_first`, sends no messages: a new
    objective may be missed already by many stores.
    """
    bulk, states = evaluation.bulk, fleet.states
    budgets = [
        StoreBudgets(period, rows, found)
        for period in reversed(PERIODS)
        for rows, found, _ in [
            read_budgets_of_fleet(bulk, fleet.stores, fleet.details, fleet.as_of, period)
        ]
    ]
    if not any(len(one.store) for one in budgets) and all(
        key.kind not in OF_BUDGETS for key in alerts
    ):
        return Changes()
    found = budget_conditions(states, budgets)
    cooldown = timedelta(microseconds=rules.cooldown_us)
    changes = evaluate_budgets(
        found.conditions,
        states,
        alerts,
        read_closed_at(bulk, since=fleet.as_of - cooldown),
        rules,
        of_stores=of_stores,
    )
    pages = evaluation.notification.pages

    def opening(one: Condition) -> Message:
        is_burn = one.key.kind is Kind.BURN
        write = messages.burn_opened if is_burn else messages.exhausted_opened
        return write(_store_name(fleet, one.key), *found.budgets[one.key], pages)

    _write_stores(evaluation, fleet, changes, opening, is_first=is_first)
    return changes


def _has_new_objectives(bulk: Bulk, last: Watch | None) -> bool:
    changed_at = read_objectives_changed_at(bulk)
    return changed_at is not None and (last is None or changed_at > last.looked_at)


def _write_stores(
    evaluation: _Evaluation,
    fleet: FleetStates,
    changes: Changes,
    opening: Callable[[Condition], Message],
    *,
    is_first: bool,
) -> None:
    """Write the changes of alerts about stores. `opening` words the message of a new alert.

    The first evaluation, `is_first`, sends no messages about new alerts.
    """
    is_told = bool(evaluation.notification.targets) and not is_first
    ids = insert_alerts(
        evaluation.bulk,
        changes.opened,
        [_store_key(fleet, one) for one in changes.opened],
        opened_at=fleet.as_of,
        is_told=is_told,
    )
    if is_told:
        evaluation.deliveries.extend(
            NewDelivery(alert_id, True, opening(one), is_held=False)
            for alert_id, one in zip(ids, changes.opened, strict=True)
        )
    update_lasting(evaluation.bulk, changes.lasting)
    _close_stores(evaluation, fleet, changes.closed)


def _close_stores(evaluation: _Evaluation, fleet: FleetStates, closed: Sequence[OpenAlert]) -> None:
    undone = {alert.alert_id for alert in closed if _is_undone(fleet, alert.key)}
    down = [
        alert for alert in closed if alert.key.kind is Kind.DOWN and alert.alert_id not in undone
    ]
    recoveries = dict(
        zip(
            (alert.alert_id for alert in down),
            read_recoveries(
                evaluation.bulk,
                fleet,
                [(fleet.position[alert.key.subject], alert.since_us) for alert in down],
            ),
            strict=True,
        )
    )
    close_alerts(
        evaluation.bulk,
        {
            alert.alert_id: "taken back"
            if alert.alert_id in undone
            else _ending(alert, recoveries.get(alert.alert_id))
            for alert in closed
        },
        {alert_id: ended.lost_us for alert_id, ended in recoveries.items() if ended is not None},
        closed_at=fleet.as_of,
    )
    for alert in closed:
        if alert.is_told:
            message = _closing(evaluation, fleet, alert, recoveries.get(alert.alert_id))
            is_held = _is_outside_business(fleet, alert.key)
            evaluation.deliveries.append(
                NewDelivery(alert.alert_id, False, message, is_held=is_held)
            )


@dataclass(frozen=True, slots=True)
class _SourceEvaluation:
    """Changes of alerts about sources and files, and the waiting messages about sources.

    `reasons` say why a file is refused.
    """

    changes: Changes
    pending: Sequence[PendingDelivery]
    is_business_now: bool
    reasons: Mapping[Key, str]

    @property
    def has_held_changes(self) -> bool:
        """Whether a waiting message must be held or released."""
        return any(one.is_held is self.is_business_now for one in self.pending)


def _evaluate_sources(
    bulk: Bulk, rules: Rules, alerts: OpenAlerts, *, now: datetime, watching_since: datetime
) -> _SourceEvaluation:
    """Evaluate the rules about sources and files. Writes nothing."""
    now_us = microseconds(now)
    checks = read_source_checks(bulk)
    pending = [one for one in read_pending(bulk) if _is_of_source(one.key)]
    feed = _feed(bulk, rules, checks, alerts, now=now, is_needed=bool(pending))
    conditions = source_conditions(
        checks,
        feed,
        rules,
        alerts,
        now_us=now_us,
        watching_since_us=microseconds(watching_since),
    )
    refusals = read_refusals(bulk)
    of_files = file_conditions(refusals, now_us=now_us)
    conditions += of_files
    rejected = fetch_rejected_hours(bulk)
    if rejected.since is not None:
        since_us, stores = microseconds(rejected.since), len(rejected.store_ids)
        conditions.append(
            Condition(REJECTED_HOURS, may_open=True, since_us=since_us, stores=stores)
        )
    cooldown = timedelta(microseconds=rules.cooldown_us)
    closed_at = read_closed_at(bulk, since=now - cooldown)
    changes = evaluate_sources(conditions, alerts, closed_at, rules, now_us=now_us)
    reasons = {one.key: refusal.reason for one, refusal in zip(of_files, refusals, strict=True)}
    return _SourceEvaluation(changes, pending, feed.is_business_now, reasons)


def _write_sources(evaluation: _Evaluation, evaluated: _SourceEvaluation) -> None:
    """Start and resolve alerts about sources and files, and queue their messages."""
    bulk, now, changes = evaluation.bulk, evaluation.now, evaluated.changes
    is_told = bool(evaluation.notification.targets)
    none: list[int | None] = [None] * len(changes.opened)
    ids = insert_alerts(bulk, changes.opened, none, opened_at=now, is_told=is_told)
    update_lasting(bulk, changes.lasting)
    pages = evaluation.notification.pages
    if is_told:
        for alert_id, one in zip(ids, changes.opened, strict=True):
            since = instant(one.since_us)
            if one.key == REJECTED_HOURS:
                message = messages.hours_rejected(one.stores or 0, pages)
            elif one.key.kind is Kind.DATA:
                message = messages.file_refused(one.key, since, evaluated.reasons[one.key], pages)
            else:
                message = messages.source_opened(one.key, since, now, pages)
            evaluation.deliveries.append(NewDelivery(alert_id, True, message, is_held=False))
    close_alerts(
        bulk,
        {alert.alert_id: _ending(alert, None) for alert in changes.closed},
        {},
        closed_at=now,
    )
    for alert in changes.closed:
        if alert.is_told:
            is_of_data = alert.key.kind is Kind.DATA
            closed = messages.data_corrected if is_of_data else messages.source_closed
            message = closed(alert.key, now, pages)
            is_held = not is_of_data and not evaluated.is_business_now
            evaluation.deliveries.append(
                NewDelivery(alert.alert_id, False, message, is_held=is_held)
            )
    _hold(bulk, evaluated.pending, lambda _: not evaluated.is_business_now)


def _feed(
    bulk: Bulk,
    rules: Rules,
    checks: Sequence[SourceCheck],
    alerts: OpenAlerts,
    *,
    now: datetime,
    is_needed: bool,
) -> Feed:
    """The feed, read only when it can matter: it needs the calendar of all stores."""
    now_us, late_us = microseconds(now), rules.source_us
    if not is_needed:
        is_needed = any(_is_of_source(key) for key in alerts) or any(
            now_us - one.refreshed_us > late_us for one in checks
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
    """Hold waiting messages outside business time, and release them inside it."""
    for is_held in (False, True):
        turned = [
            one.delivery_id
            for one in pending
            if one.is_held is not is_held and is_outside_business(one.key) is is_held
        ]
        hold_deliveries(bulk, turned, is_held=is_held)


def _is_by_clock(key: Key) -> bool:
    """Whether an alert is evaluated by the clock, not at the newest poll."""
    return _is_of_source(key) or key.kind is Kind.DATA


def _is_of_source(key: Key) -> bool:
    return key.kind is Kind.SOURCE and key != MANY_SILENT


def _is_of_store(key: Key) -> bool:
    return key.kind in OF_STORES


def _is_undone(fleet: FleetStates, key: Key) -> bool:
    """Whether an alert is about a store without polls, because a load was undone."""
    position = fleet.position.get(key.subject)
    return _is_of_store(key) and (position is None or not fleet.states.has_poll[position])


def _is_outside_business(fleet: FleetStates, key: Key) -> bool:
    """Whether the store is closed at the newest poll; for an alert about many, whether all are."""
    is_open = fleet.states.is_open
    if not _is_of_store(key):
        return not bool(is_open.any())
    position = fleet.position.get(key.subject)
    return position is not None and not bool(is_open[position])


def _store_key(fleet: FleetStates, condition: Condition) -> int | None:
    return None if condition.store is None else int(fleet.stores.store_keys[condition.store])


def _store_name(fleet: FleetStates, key: Key) -> StoreName:
    position = fleet.position.get(key.subject)
    if position is None:
        return StoreName(key.subject, None, DEFAULT_ZONE)
    return StoreName(key.subject, fleet.details.names[position], fleet.states.zones[position])


def _opening(evaluation: _Evaluation, fleet: FleetStates, one: Condition) -> Message:
    """The message for an alert about stores that starts firing."""
    pages, since = evaluation.notification.pages, instant(one.since_us)
    if one.key.kind is Kind.DOWN:
        return messages.down_opened(_store_name(fleet, one.key), since, one.lost_us, pages)
    if one.key.kind is Kind.SILENT:
        return messages.silent_opened(_store_name(fleet, one.key), since, one.lost_us, pages)
    return messages.many_opened(one.key, fleet.as_of, one.stores or 0, one.of_stores or 0, pages)


def _closing(
    evaluation: _Evaluation, fleet: FleetStates, alert: OpenAlert, recovery: Recovery | None
) -> Message:
    """The message for a resolved alert about stores."""
    pages = evaluation.notification.pages
    if _is_undone(fleet, alert.key):
        return messages.taken_back(_store_name(fleet, alert.key))
    if alert.key.kind is Kind.DOWN:
        return messages.down_closed(_store_name(fleet, alert.key), recovery, pages)
    if alert.key.kind is Kind.BURN:
        return messages.burn_closed(_store_name(fleet, alert.key), pages)
    if alert.key.kind is Kind.EXHAUSTED:
        return messages.exhausted_closed(_store_name(fleet, alert.key), pages)
    if alert.key.kind is Kind.SILENT:
        last_poll_us = fleet.states.last_poll_us[fleet.position[alert.key.subject]]
        polled_at = instant(int(last_poll_us))
        return messages.silent_closed(_store_name(fleet, alert.key), polled_at, pages)
    return messages.many_closed(alert.key, fleet.as_of, pages)


_ENDINGS: Final = {
    Kind.SILENT: "polled again",
    Kind.SOURCE: "refreshed again",
    Kind.PLATFORM: "most are up again",
    Kind.DATA: "corrected",
    Kind.BURN: "slower again",
    Kind.EXHAUSTED: "within its objective again",
}


def _ending(alert: OpenAlert, recovery: Recovery | None) -> str:
    """How an alert ended, for lists."""
    if alert.key.kind is Kind.DOWN:
        if recovery is None:
            return "taken back"
        return "no longer polled" if recovery.ended_at is None else "up again"
    return "polls arrive again" if alert.key == MANY_SILENT else _ENDINGS[alert.key.kind]
