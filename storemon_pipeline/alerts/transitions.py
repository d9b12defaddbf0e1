"""Alert transitions: which alerts start firing, stay firing, are resolved or inhibited. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Self

import numpy as np

from storemon_pipeline.alerts.conditions import (
    GROUP_PREFIX,
    MANY_SILENT,
    OF_BUDGETS,
    ZONE_PREFIX,
    Condition,
    Key,
    Kind,
    OpenAlert,
    OpenAlerts,
    Rules,
    StoreStates,
    down_conditions,
    many_silent_condition,
    members,
    platform_conditions,
    silent_conditions,
)

ClosedAt = Mapping[Key, int]
"""When the last alert of each key was resolved, in microseconds."""

_NOTHING: Final = frozenset[Key]()


@dataclass(frozen=True, slots=True)
class Changes:
    """The result of an evaluation.

    `lasting` are alerts that stay firing, with their current condition. `in_cooldown` would start
    firing if an alert of the same key had not been resolved so recently. `inhibited` do not start,
    because an alert about many stores, or another alert of the same store, covers them.
    """

    opened: list[Condition] = field(default_factory=list)
    lasting: list[tuple[OpenAlert, Condition]] = field(default_factory=list)
    closed: list[OpenAlert] = field(default_factory=list)
    in_cooldown: list[Key] = field(default_factory=list)
    inhibited: list[Key] = field(default_factory=list)

    def __add__(self, other: Self) -> "Changes":
        return Changes(
            self.opened + other.opened,
            self.lasting + other.lasting,
            self.closed + other.closed,
            self.in_cooldown + other.in_cooldown,
            self.inhibited + other.inhibited,
        )

    @property
    def open_keys(self) -> frozenset[Key]:
        """Keys that are firing afterwards or in their cooldown: people know about them already."""
        lasting = (alert.key for alert, _ in self.lasting)
        return frozenset([*(one.key for one in self.opened), *lasting, *self.in_cooldown])


def decide(
    conditions: Iterable[Condition],
    alerts: Iterable[OpenAlert],
    closed_at_us: ClosedAt,
    *,
    at_us: int,
    cooldown_us: int,
    inhibited: frozenset[Key] = _NOTHING,
) -> Changes:
    """The changes of some alerts: `alerts` are all firing ones of the evaluated kinds.

    An alert without a condition is resolved. A condition starts one unless its key is inhibited, or
    an alert of the same key was resolved less than `cooldown_us` ago.

    >>> a_store = Key(Kind.DOWN, "7")
    >>> wrong = Condition(a_store, may_open=True, since_us=10)
    >>> [one.key.subject for one in decide([wrong], [], {}, at_us=50, cooldown_us=60).opened]
    ['7']
    >>> decide([wrong], [], {a_store: 40}, at_us=50, cooldown_us=60).in_cooldown
    [Key(kind=<Kind.DOWN: 'down'>, subject='7')]
    """
    changes = Changes()
    open_now = {alert.key: alert for alert in alerts}
    holding = {condition.key: condition for condition in conditions}
    for key, condition in holding.items():
        closed = closed_at_us.get(key)
        if key in open_now:
            changes.lasting.append((open_now[key], condition))
        elif not condition.may_open:
            continue
        elif key in inhibited:
            changes.inhibited.append(key)
        elif closed is not None and at_us < closed + cooldown_us:
            changes.in_cooldown.append(key)
        else:
            changes.opened.append(condition)
    changes.closed.extend(alert for key, alert in open_now.items() if key not in holding)
    return changes


def evaluate_stores(
    states: StoreStates,
    alerts: OpenAlerts,
    closed_at_us: ClosedAt,
    rules: Rules,
    *,
    is_first: bool = False,
) -> Changes:
    """The changes of all alerts about stores: alerts about many stores first, then single stores.

    An alert about many stores inhibits the alerts of these stores. A down alert inhibits the silent
    alert of the same store, and an alert of a time zone inhibits that of a group inside it.
    """

    def changes_of(
        conditions: Iterable[Condition], about: Iterable[OpenAlert], inhibited: frozenset[Key]
    ) -> Changes:
        return decide(
            conditions,
            about,
            closed_at_us,
            at_us=states.as_of_us,
            cooldown_us=rules.cooldown_us,
            inhibited=inhibited,
        )

    zones = changes_of(
        platform_conditions(states, states.zones, ZONE_PREFIX, rules, alerts),
        _about(alerts, Kind.PLATFORM, ZONE_PREFIX),
        _NOTHING,
    )
    in_zone = members(states.zones, _names(zones.open_keys, ZONE_PREFIX))
    groups_left: list[str | None] = [
        None if is_inhibited else name
        for name, is_inhibited in zip(states.groups, in_zone.tolist(), strict=True)
    ]
    left = {
        condition.key
        for condition in platform_conditions(states, groups_left, GROUP_PREFIX, rules, alerts)
    }
    group_conditions = platform_conditions(states, states.groups, GROUP_PREFIX, rules, alerts)
    groups = changes_of(
        group_conditions,
        _about(alerts, Kind.PLATFORM, GROUP_PREFIX),
        frozenset(condition.key for condition in group_conditions if condition.key not in left),
    )
    many = many_silent_condition(states, rules, alerts)
    silence = changes_of(
        [] if many is None else [many],
        [alerts[MANY_SILENT]] if MANY_SILENT in alerts else [],
        _NOTHING,
    )
    inside = in_zone | members(states.groups, _names(groups.open_keys, GROUP_PREFIX))
    down = changes_of(
        down_conditions(states, rules, alerts, is_first=is_first),
        _about(alerts, Kind.DOWN),
        frozenset(
            Key(Kind.DOWN, states.store_ids[store]) for store in np.flatnonzero(inside).tolist()
        ),
    )
    reported_as_down = down.open_keys | frozenset(down.inhibited)
    silent_found = silent_conditions(states, rules, alerts, is_first=is_first)
    silent = changes_of(
        silent_found,
        _about(alerts, Kind.SILENT),
        frozenset(
            one.key
            for one in silent_found
            if silence.open_keys or Key(Kind.DOWN, one.key.subject) in reported_as_down
        ),
    )
    return zones + groups + silence + down + silent


def evaluate_budgets(
    conditions: Iterable[Condition],
    states: StoreStates,
    alerts: OpenAlerts,
    closed_at_us: ClosedAt,
    rules: Rules,
    *,
    of_stores: Changes,
) -> Changes:
    """The changes of the alerts about error budgets, after those about stores, `of_stores`.

    An alert about many stores inhibits the burn alerts of these stores, and a down alert that of
    its store: people know already why the budget is spent.
    """
    keys = of_stores.open_keys
    inside = members(states.zones, _names(keys, ZONE_PREFIX))
    inside |= members(states.groups, _names(keys, GROUP_PREFIX))
    inhibited = {Key(Kind.BURN, states.store_ids[row]) for row in np.flatnonzero(inside).tolist()}
    inhibited |= {Key(Kind.BURN, key.subject) for key in keys if key.kind is Kind.DOWN}
    return decide(
        conditions,
        [alert for kind in sorted(OF_BUDGETS) for alert in _about(alerts, kind)],
        closed_at_us,
        at_us=states.as_of_us,
        cooldown_us=rules.cooldown_us,
        inhibited=frozenset(inhibited),
    )


def evaluate_sources(
    conditions: Iterable[Condition],
    alerts: OpenAlerts,
    closed_at_us: ClosedAt,
    rules: Rules,
    *,
    now_us: int,
) -> Changes:
    """The changes of the alerts about sources and files."""
    about = [one for one in _about(alerts, Kind.SOURCE) if one.key != MANY_SILENT]
    about += _about(alerts, Kind.DATA)
    return decide(conditions, about, closed_at_us, at_us=now_us, cooldown_us=rules.cooldown_us)


def _about(alerts: OpenAlerts, kind: Kind, prefix: str = "") -> list[OpenAlert]:
    return [
        alert
        for key, alert in alerts.items()
        if key.kind is kind and key.subject.startswith(prefix)
    ]


def _names(keys: Iterable[Key], prefix: str) -> frozenset[str]:
    return frozenset(key.subject.removeprefix(prefix) for key in keys)
