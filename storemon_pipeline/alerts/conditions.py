"""What is wrong: the conditions that hold, from arrays of stores and from looks at the sources.

Whether an alert opens, stays or closes is decided in `changes`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

import numpy as np

from storemon_pipeline.domain.windows import (
    HOUR_US,
    LOOKBACK_US,
    MINUTE_US,
    BoolArray,
    IntArray,
)


class Kind(StrEnum):
    """What an alert is about."""

    DOWN = "down"
    """A store that is down in business time."""
    SILENT = "silent"
    """A store that was not polled for long."""
    SOURCE = "source"
    """A source that does not arrive."""
    PLATFORM = "platform"
    """Many stores of a time zone or group that are down at once."""


class Key(NamedTuple):
    """What there is at most one open alert of."""

    kind: Kind
    subject: str


POLLS: Final = "store_status"
"""The source, by its name as a source, that is also watched for polls that are no longer new."""

MANY_SILENT: Final = Key(Kind.SOURCE, "silent_stores")
"""So many stores silent at once that it is the arrival of polls that fails."""

ZONE_PREFIX: Final = "timezone:"
GROUP_PREFIX: Final = "group:"


@dataclass(frozen=True, slots=True)
class Rules:
    """From when on something is an alert; amounts are microseconds."""

    down_us: int = 90 * MINUTE_US
    silent_us: int = 6 * HOUR_US
    source_us: int = 2 * HOUR_US
    share_percent: float = 30.0
    min_stores: int = 10
    damp_us: int = 60 * MINUTE_US


@dataclass(frozen=True, slots=True)
class StoreStates:
    """All stores at the newest poll, `as_of_us`; every array and list is by the store's position.

    `is_down` is an open store whose last poll, within 192 hours, was inactive; `is_seen_down` one
    whose last poll was made in business time as well. `down_since_us` and `lost_us` (business time)
    are of the open incident, `has_incident` says whether there is one. `silent_us` is the business
    time since the last poll, 0 without any.
    """

    as_of_us: int
    store_ids: Sequence[str]
    zones: Sequence[str]
    groups: Sequence[str | None]
    is_open: BoolArray
    is_down: BoolArray
    is_seen_down: BoolArray
    has_incident: BoolArray
    down_since_us: IntArray
    lost_us: IntArray
    has_poll: BoolArray
    last_poll_us: IntArray
    silent_us: IntArray

    @property
    def is_in_sight(self) -> BoolArray:
        """Which stores were polled within the look-back, shape `(stores,)`."""
        return self.has_poll & (self.last_poll_us > self.as_of_us - LOOKBACK_US)


@dataclass(frozen=True, slots=True)
class SourceLook:
    """When a source was last looked at with success, or something of it was pushed."""

    source: str
    refreshed_us: int


@dataclass(frozen=True, slots=True)
class Feed:
    """What the clock says of the polls.

    `open_us` is the longest business time of any store between the newest poll and now, None when
    the newest poll is too old for a feed that lives. `is_business_now`: some store is in business
    time by the clock.
    """

    newest_poll_us: int | None
    open_us: int | None
    is_business_now: bool


@dataclass(frozen=True, slots=True)
class OpenAlert:
    """An alert that is open. `is_told`: a message about its opening was sent, or is to be."""

    alert_id: int
    key: Key
    opened_at_us: int
    since_us: int
    lost_us: int
    is_told: bool


OpenAlerts = Mapping[Key, OpenAlert]


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that is wrong. One that may not open an alert keeps an open one open.

    `store` is the position of the store that it is about. `stores` of `of_stores` open ones are
    meant where it is about many.
    """

    key: Key
    may_open: bool
    since_us: int
    lost_us: int = 0
    store: int | None = None
    stores: int | None = None
    of_stores: int | None = None


def down_conditions(
    states: StoreStates, rules: Rules, alerts: OpenAlerts, *, is_first: bool = False
) -> list[Condition]:
    """Stores that have been down for longer than the rules allow, in business time.

    An alert lasts as long as the incident that it was opened for. It opens for a store in business
    time; at the first look, which tells nobody, for any: else an old incident would be news as soon
    as the store opens.
    """
    is_wrong = states.has_incident & (states.lost_us > rules.down_us)
    if not is_first:
        is_wrong &= states.is_down
    found = []
    for store in _positions(states, is_wrong, Kind.DOWN, alerts):
        key = Key(Kind.DOWN, states.store_ids[store])
        since_us, alert = int(states.down_since_us[store]), alerts.get(key)
        lasts = alert is None or (
            bool(states.has_incident[store]) and since_us <= alert.opened_at_us
        )
        if lasts:
            lost_us = int(states.lost_us[store])
            found.append(Condition(key, bool(is_wrong[store]), since_us, lost_us, store))
    return found


def silent_conditions(
    states: StoreStates, rules: Rules, alerts: OpenAlerts, *, is_first: bool = False
) -> list[Condition]:
    """Stores without a poll for longer than the rules allow, in business time.

    An alert lasts until there is a later poll of the store. It opens for a store in business time
    (at the first look for any) that was polled within 192 hours: what has been out of sight for
    longer is no news.
    """
    is_wrong = states.is_in_sight & (states.silent_us > rules.silent_us)
    if not is_first:
        is_wrong &= states.is_open
    found = []
    for store in _positions(states, is_wrong, Kind.SILENT, alerts):
        key = Key(Kind.SILENT, states.store_ids[store])
        since_us, alert = int(states.last_poll_us[store]), alerts.get(key)
        if alert is None or since_us <= alert.since_us:
            silent_us = int(states.silent_us[store])
            found.append(Condition(key, bool(is_wrong[store]), since_us, silent_us, store))
    return found


def many_silent_condition(
    states: StoreStates, rules: Rules, alerts: OpenAlerts
) -> Condition | None:
    """Whether so many stores are silent that it is the arrival of polls that fails.

    They count after half the time that makes one store an alert, so that this comes first. With
    too few open stores to tell, an open alert lasts.
    """
    heard = states.is_open & states.is_in_sight
    is_silent = heard & (2 * states.silent_us > rules.silent_us)
    silent, of_stores = int(is_silent.sum()), int(heard.sum())
    is_wrong = of_stores >= rules.min_stores and _reaches(silent, of_stores, rules)
    is_undecided = of_stores < rules.min_stores and MANY_SILENT in alerts
    if not is_wrong and not is_undecided:
        return None
    since_us = int(states.last_poll_us[is_silent].max(initial=0)) or states.as_of_us
    return Condition(MANY_SILENT, is_wrong, since_us, stores=silent, of_stores=of_stores)


def platform_conditions(
    states: StoreStates, names: Sequence[str | None], prefix: str, rules: Rules, alerts: OpenAlerts
) -> list[Condition]:
    """The names of which so many open stores are down at once that it is one matter.

    `names` are by position and may hold None for a store that does not count here. Opening takes
    stores that were seen down in business time: before the first polls of a day a store that is
    polled as inactive by night counts as down. An alert lasts while the share of all that are down
    is reached, and while too few of its stores are open to tell.
    """
    codes, found_names = _codes(names)
    counted = codes >= 0
    heard = counted & states.is_open & states.is_in_sight
    sizes = _count(codes, counted, len(found_names))
    opens = _count(codes, heard, len(found_names))
    downs = _count(codes, heard & states.is_down, len(found_names))
    seen = _count(codes, heard & states.is_seen_down, len(found_names))
    found = []
    for code, name in enumerate(found_names):
        key = Key(Kind.PLATFORM, f"{prefix}{name}")
        is_decided = opens[code] >= rules.min_stores
        may_open = is_decided and _reaches(seen[code], opens[code], rules)
        lasts = is_decided and _reaches(downs[code], opens[code], rules)
        lasts |= not is_decided and sizes[code] >= rules.min_stores
        if may_open or (key in alerts and lasts):
            found.append(
                Condition(
                    key,
                    may_open,
                    states.as_of_us,
                    stores=downs[code],
                    of_stores=opens[code],
                )
            )
    return found


def source_conditions(
    looks: Sequence[SourceLook],
    feed: Feed,
    rules: Rules,
    alerts: OpenAlerts,
    *,
    now_us: int,
    watching_since_us: int,
) -> list[Condition]:
    """Sources that were not refreshed for longer than the rules allow, by the clock.

    Time in which nobody was watching does not count. The polls are also watched for going on: they
    have stopped when some store was open for so long since the newest one. Polls older than a feed
    that lives are a history that was loaded; an open alert lasts then.
    """
    found = []
    for look in looks:
        key = Key(Kind.SOURCE, look.source)
        is_late = now_us - max(look.refreshed_us, watching_since_us) > rules.source_us
        if is_late or (key in alerts and now_us - look.refreshed_us > rules.source_us):
            may_open = is_late and feed.is_business_now
            found.append(Condition(key, may_open, look.refreshed_us))
    key = Key(Kind.SOURCE, POLLS)
    if feed.newest_poll_us is None or any(condition.key == key for condition in found):
        return found
    has_stopped = feed.open_us is not None and feed.open_us > rules.source_us
    has_stopped &= now_us - max(feed.newest_poll_us, watching_since_us) > rules.source_us
    if has_stopped or (key in alerts and now_us - feed.newest_poll_us > rules.source_us):
        may_open = has_stopped and feed.is_business_now
        found.append(Condition(key, may_open, feed.newest_poll_us))
    return found


def _positions(
    states: StoreStates, is_wrong: BoolArray, kind: Kind, alerts: OpenAlerts
) -> list[int]:
    """The stores for which something is wrong or that have an open alert of this kind, in order."""
    wanted = {key.subject for key in alerts if key.kind is kind}
    is_meant = is_wrong.copy()
    if wanted:
        is_meant |= np.array([store_id in wanted for store_id in states.store_ids], np.bool_)
    positions: list[int] = np.flatnonzero(is_meant).tolist()
    return positions


def _reaches(stores: int, of_stores: int, rules: Rules) -> bool:
    return 100 * stores >= rules.share_percent * of_stores and stores > 0


def _codes(names: Sequence[str | None]) -> tuple[IntArray, list[str]]:
    """The number of each store's name, -1 for None, and the names in order."""
    found = sorted({name for name in names if name is not None})
    number: dict[str | None, int] = {name: code for code, name in enumerate(found)}
    return np.array([number.get(name, -1) for name in names], np.int64), found


def _count(codes: IntArray, which: BoolArray, length: int) -> list[int]:
    counts: list[int] = np.bincount(codes[which], minlength=length).tolist()
    return counts


def members(names: Sequence[str | None], wanted: Collection[str]) -> BoolArray:
    """Which stores have one of the wanted names, shape `(stores,)`."""
    return np.array([name in wanted for name in names], np.bool_)
