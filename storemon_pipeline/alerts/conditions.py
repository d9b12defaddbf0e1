"""Alert conditions: evaluates rules over arrays of stores and over checks of the sources. Pure.

`transitions` decides which alerts fire, stay firing or are resolved.
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
    """A store is down in business time."""
    SILENT = "silent"
    """A store was not polled for a long time."""
    SOURCE = "source"
    """A source was not refreshed."""
    PLATFORM = "platform"
    """Many stores of a time zone or group are down at once."""
    DATA = "data"
    """A file of the data folder was refused, or all hours of a store were rejected."""
    BURN = "burn"
    """A store spends an error budget fast."""
    EXHAUSTED = "exhausted"
    """A store has spent an error budget."""


OF_BUDGETS: Final = frozenset({Kind.BURN, Kind.EXHAUSTED})

OF_STORES: Final = frozenset({Kind.DOWN, Kind.SILENT}) | OF_BUDGETS
"""The kinds of alerts about one store, which their subject names."""


class Key(NamedTuple):
    """Identifies an alert: at most one is firing for each key."""

    kind: Kind
    subject: str


POLLS: Final = "store_status"
"""The source of polls, which is also watched for polls that stop arriving."""

MANY_SILENT: Final = Key(Kind.SOURCE, "silent_stores")
"""Many stores are silent at once: the polls as a whole do not arrive."""

ZONE_PREFIX: Final = "timezone:"
GROUP_PREFIX: Final = "group:"
FILE_PREFIX: Final = "file:"

REJECTED_HOURS: Final = Key(Kind.DATA, "rejected_hours")
"""All rows of the hours of some stores were rejected, so that they count as always open."""

QUIET_US: Final = MINUTE_US
"""A refused file starts an alert when nobody wrote to it for this long: it may be half a file."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Thresholds of the alert rules; amounts are microseconds."""

    down_us: int = 90 * MINUTE_US
    silent_us: int = 6 * HOUR_US
    source_us: int = 2 * HOUR_US
    share_percent: float = 30.0
    min_stores: int = 10
    cooldown_us: int = 60 * MINUTE_US


@dataclass(frozen=True, slots=True)
class StoreStates:
    """All stores at the newest poll, `as_of_us`; every array and list is by the store's position.

    `is_down`: the store is open, and its last poll within 192 hours was inactive; `is_seen_down`:
    and that poll was in business time. `down_since_us` and `lost_us` (business time) belong to the
    open incident, if `has_incident`. `silent_us` is the business time since the last poll, or 0.
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
    def is_polled(self) -> BoolArray:
        """Which stores were polled within the look-back, shape `(stores,)`."""
        return self.has_poll & (self.last_poll_us > self.as_of_us - LOOKBACK_US)


@dataclass(frozen=True, slots=True)
class SourceCheck:
    """When the files of a source were last checked with success, or rows of it were pushed."""

    source: str
    refreshed_us: int


@dataclass(frozen=True, slots=True)
class FileRefusal:
    """A refused file. `changed_us` is when it was last written, or 0 if that is unknown."""

    file_path: str
    reason: str
    refused_us: int
    changed_us: int


@dataclass(frozen=True, slots=True)
class Feed:
    """The age of the newest poll.

    `open_us` is the longest business time of any store between the newest poll and now; None when
    the newest poll is too old for live data. `is_business_now`: some store is in business time now.
    """

    newest_poll_us: int | None
    open_us: int | None
    is_business_now: bool


@dataclass(frozen=True, slots=True)
class OpenAlert:
    """A firing alert. `is_told`: a message about it was sent or is waiting."""

    alert_id: int
    key: Key
    opened_at_us: int
    since_us: int
    lost_us: int
    is_told: bool


OpenAlerts = Mapping[Key, OpenAlert]


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that holds. Without `may_open` it only keeps a firing alert firing.

    `store` is the position of its store. A condition about many stores has `stores`, out of
    `of_stores` open ones.
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
    """Stores that have been down longer than the rules allow, in business time.

    An alert fires as long as its incident lasts. It starts for a store in business time. The first
    evaluation, which sends no messages, starts it for any store: otherwise an old incident would be
    reported as soon as the store opens.
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

    An alert fires until the store is polled again. It starts for a store in business time (at the
    first evaluation for any store) that was polled within 192 hours: a longer silence is not new.
    """
    is_wrong = states.is_polled & (states.silent_us > rules.silent_us)
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
    """Whether a large share of the stores is silent: the polls as a whole do not arrive.

    A store counts after half the time of the rule for one store, so that this alert comes first.
    With too few open stores to decide, a firing alert stays firing.
    """
    is_counted = states.is_open & states.is_polled
    is_silent = is_counted & (2 * states.silent_us > rules.silent_us)
    silent, of_stores = int(is_silent.sum()), int(is_counted.sum())
    is_wrong = of_stores >= rules.min_stores and _reaches(silent, of_stores, rules)
    is_undecided = of_stores < rules.min_stores and MANY_SILENT in alerts
    if not is_wrong and not is_undecided:
        return None
    since_us = int(states.last_poll_us[is_silent].max(initial=0)) or states.as_of_us
    return Condition(MANY_SILENT, is_wrong, since_us, stores=silent, of_stores=of_stores)


def platform_conditions(
    states: StoreStates, names: Sequence[str | None], prefix: str, rules: Rules, alerts: OpenAlerts
) -> list[Condition]:
    """Groups or zones in which a large share of the open stores is down at once.

    `names` are by position; None means that the store does not count here. To start an alert,
    stores must have been polled as down in business time: before the first poll of a day, a store
    that was inactive at night counts as down. The alert fires while the share of stores that are
    down stays above the threshold, and while too few stores are open to decide.
    """
    codes, found_names = _codes(names)
    counted = codes >= 0
    is_counted = counted & states.is_open & states.is_polled
    sizes = _count(codes, counted, len(found_names))
    opens = _count(codes, is_counted, len(found_names))
    downs = _count(codes, is_counted & states.is_down, len(found_names))
    seen = _count(codes, is_counted & states.is_seen_down, len(found_names))
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
    looks: Sequence[SourceCheck],
    feed: Feed,
    rules: Rules,
    alerts: OpenAlerts,
    *,
    now_us: int,
    watching_since_us: int,
) -> list[Condition]:
    """Sources that were not refreshed for longer than the rules allow, by the clock.

    Time without evaluations does not count. Polls must also keep arriving: they have stopped when
    some store was open for that long since the newest poll. Very old polls are a loaded history and
    start no alert; a firing one stays firing.
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


def file_conditions(refusals: Sequence[FileRefusal], *, now_us: int) -> list[Condition]:
    """Files that are refused, once nobody writes to them any more. They fire at any hour."""
    return [
        Condition(
            Key(Kind.DATA, f"{FILE_PREFIX}{one.file_path}"),
            now_us - one.changed_us >= QUIET_US,
            one.refused_us,
        )
        for one in refusals
    ]


def _positions(
    states: StoreStates, is_wrong: BoolArray, kind: Kind, alerts: OpenAlerts
) -> list[int]:
    """Positions of the stores whose condition holds or that have a firing alert of this kind."""
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
    """Whether each store has one of these names, shape `(stores,)`."""
    return np.array([name in wanted for name in names], np.bool_)
