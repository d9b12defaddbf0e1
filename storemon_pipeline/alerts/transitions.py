"""What becomes of alerts: which open, which close, which wait. What is wrong is `conditions`'."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Self

import numpy as np

from storemon_pipeline.alerts.conditions import (
    GROUP_PREFIX,
    MANY_SILENT,
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
"""When the last closed alert of each key was closed, in microseconds."""

_NOTHING: Final = frozenset[Key]()


@dataclass(frozen=True, slots=True)
class Changes:
    """What an evaluation changes.

    `lasting` are open alerts that stay open, with their condition of now. `damped` would open if
    one of the same had not been closed so short a time ago; `covered` are stores that get no alert
    because one about many of them, or another one of their own, speaks for them.
    """

    opened: list[Condition] = field(default_factory=list)
    lasting: list[tuple[OpenAlert, Condition]] = field(default_factory=list)
    closed: list[OpenAlert] = field(default_factory=list)
    damped: list[Key] = field(default_factory=list)
    covered: list[Key] = field(default_factory=list)

    def __add__(self, other: Self) -> "Changes":
        return Changes(
            self.opened + other.opened,
            self.lasting + other.lasting,
            self.closed + other.closed,
            self.damped + other.damped,
            self.covered + other.covered,
        )

    @property
    def open_keys(self) -> frozenset[Key]:
        """What has an open alert afterwards, or is damped: it is one matter, told already."""
        lasting = (alert.key for alert, _ in self.lasting)
        return frozenset([*(one.key for one in self.opened), *lasting, *self.damped])


def decide(
    conditions: Iterable[Condition],
    alerts: Iterable[OpenAlert],
    closed_at_us: ClosedAt,
    *,
    at_us: int,
    damp_us: int,
    covered: frozenset[Key] = _NOTHING,
) -> Changes:
    """The changes of some alerts: `alerts` are all open ones of the kinds that were looked at.

    Without its condition an alert closes. A condition opens one unless its key is covered, or one
    of the same was closed less than `damp_us` ago.

    >>> a_store = Key(Kind.DOWN, "7")
    >>> wrong = Condition(a_store, may_open=True, since_us=10)
    >>> [one.key.subject for one in decide([wrong], [], {}, at_us=50, damp_us=60).opened]
    ['7']
    >>> decide([wrong], [], {a_store: 40}, at_us=50, damp_us=60).damped
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
        elif key in covered:
            changes.covered.append(key)
        elif closed is not None and at_us < closed + damp_us:
            changes.damped.append(key)
        else:
            changes.opened.append(condition)
    changes.closed.extend(alert for key, alert in open_now.items() if key not in holding)
    return changes


def judge_stores(
    states: StoreStates,
    alerts: OpenAlerts,
    closed_at_us: ClosedAt,
    rules: Rules,
    *,
    is_first: bool = False,
) -> Changes:
    """The changes of all alerts about stores: many at once first, then the stores by themselves.

    Stores inside of an alert about many get none of their own. A store that is down is not silent
    as well. A group whose stores are down with a whole time zone is part of that.
    """

    def settle(
        conditions: Iterable[Condition], about: Iterable[OpenAlert], covered: frozenset[Key]
    ) -> Changes:
        return decide(
            conditions,
            about,
            closed_at_us,
            at_us=states.as_of_us,
            damp_us=rules.damp_us,
            covered=covered,
        )

    zones = settle(
        platform_conditions(states, states.zones, ZONE_PREFIX, rules, alerts),
        _about(alerts, Kind.PLATFORM, ZONE_PREFIX),
        _NOTHING,
    )
    in_zone = members(states.zones, _names(zones.open_keys, ZONE_PREFIX))
    groups_left: list[str | None] = [
        None if is_covered else name
        for name, is_covered in zip(states.groups, in_zone.tolist(), strict=True)
    ]
    left = {
        condition.key
        for condition in platform_conditions(states, groups_left, GROUP_PREFIX, rules, alerts)
    }
    group_conditions = platform_conditions(states, states.groups, GROUP_PREFIX, rules, alerts)
    groups = settle(
        group_conditions,
        _about(alerts, Kind.PLATFORM, GROUP_PREFIX),
        frozenset(condition.key for condition in group_conditions if condition.key not in left),
    )
    many = many_silent_condition(states, rules, alerts)
    silence = settle(
        [] if many is None else [many],
        [alerts[MANY_SILENT]] if MANY_SILENT in alerts else [],
        _NOTHING,
    )
    inside = in_zone | members(states.groups, _names(groups.open_keys, GROUP_PREFIX))
    down = settle(
        down_conditions(states, rules, alerts, is_first=is_first),
        _about(alerts, Kind.DOWN),
        frozenset(
            Key(Kind.DOWN, states.store_ids[store]) for store in np.flatnonzero(inside).tolist()
        ),
    )
    told_as_down = down.open_keys | frozenset(down.covered)
    silent_found = silent_conditions(states, rules, alerts, is_first=is_first)
    silent = settle(
        silent_found,
        _about(alerts, Kind.SILENT),
        frozenset(
            one.key
            for one in silent_found
            if silence.open_keys or Key(Kind.DOWN, one.key.subject) in told_as_down
        ),
    )
    return zones + groups + silence + down + silent


def judge_sources(
    conditions: Iterable[Condition],
    alerts: OpenAlerts,
    closed_at_us: ClosedAt,
    rules: Rules,
    *,
    now_us: int,
) -> Changes:
    """The changes of the alerts about sources, by the clock."""
    about = [one for one in _about(alerts, Kind.SOURCE) if one.key != MANY_SILENT]
    return decide(conditions, about, closed_at_us, at_us=now_us, damp_us=rules.damp_us)


def _about(alerts: OpenAlerts, kind: Kind, prefix: str = "") -> list[OpenAlert]:
    return [
        alert
        for key, alert in alerts.items()
        if key.kind is kind and key.subject.startswith(prefix)
    ]


def _names(keys: Iterable[Key], prefix: str) -> frozenset[str]:
    return frozenset(key.subject.removeprefix(prefix) for key in keys)
