"""Made-up outages by several laws, and polls drawn from them: fleets whose truth is known.

A law says when stores are really down; a poll plan says when somebody looks. Scores of what the
engine makes of the polls belong to `benchmarks.truth`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from storemon_pipeline.business_time.calendar import (
    ALWAYS,
    Calendar,
    HoursVersions,
    ZoneVersions,
    build_calendar,
)
from storemon_pipeline.business_time.weeks import normalise_weeks
from storemon_pipeline.domain.windows import HOUR_US, LOOKBACK_US, BoolArray, IntArray

HISTORY_HOURS: Final = LOOKBACK_US // HOUR_US
"""How long fleets are watched."""

_ZONES: Final = (
    *("America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles"),
    *("Asia/Kolkata", "Europe/London"),
)
_WEEKS: Final = (
    ("0123456", 9, 21),
    ("0123456", 11, 23),
    ("012345", 8, 22),
    ("0123456", 10.5, 25),
    ("01234", 7.5, 17.5),
    ("0123456", 17, 26),
    ("0123456", 0, 24),
    ("0123456", 0, 24),
)

Stretch = tuple[float, float]
Durations = Callable[[np.random.Generator, float], float]


@dataclass(frozen=True, slots=True)
class Outages:
    """When stores are really down: `[start_us, end_us)`, sorted, apart; each array is `(n,)`."""

    stores: int
    store: IntArray
    start_us: IntArray
    end_us: IntArray

    @classmethod
    def of(cls, stretches: list[list[Stretch]], begin_us: int) -> "Outages":
        """The outages of each store, in hours since `begin_us`; they may overlap."""
        rows = [
            (store, start, end)
            for store, of_store in enumerate(stretches)
            for start, end in _apart(of_store)
        ]
        store, start, end = np.array(rows, np.float64).reshape(-1, 3).T
        return cls(
            len(stretches),
            store.astype(np.int64),
            begin_us + np.rint(start * HOUR_US).astype(np.int64),
            begin_us + np.rint(end * HOUR_US).astype(np.int64),
        )

    def is_down(self, store: IntArray, at_us: IntArray) -> BoolArray:
        """Whether each store is down at each instant."""
        if len(self.store) == 0:
            return np.zeros(len(store), np.bool_)
        base = min(int(self.start_us.min()), int(at_us.min(initial=0)) or int(self.start_us.min()))
        width = 2**40
        key = self.store * width + (self.start_us - base)
        at = np.searchsorted(key, store * width + (at_us - base), side="right") - 1
        is_down: BoolArray = (at >= 0) & (self.store[at] == store) & (at_us < self.end_us[at])
        return is_down

    def uptime_us(self, calendar: Calendar, start_us: IntArray, end_us: int) -> IntArray:
        """The true uptime of each store in business time of `[start_us, end_us)`, `(stores,)`."""
        number = np.arange(self.stores)
        until = np.full(self.stores, end_us)
        business = calendar.position_us(number, until) - calendar.position_us(number, start_us)
        start = np.clip(self.start_us, start_us[self.store], end_us)
        end = np.clip(self.end_us, start_us[self.store], end_us)
        down = calendar.position_us(self.store, end) - calendar.position_us(self.store, start)
        lost = np.zeros(self.stores, np.int64)
        np.add.at(lost, self.store, down)
        return business - lost


@dataclass(frozen=True, slots=True)
class Polls:
    """Polls as `compress` takes them; every array has shape `(n,)`."""

    store: IntArray
    polled_at_us: IntArray
    is_active: BoolArray


def made_up_hours(stores: int, begin_us: int, end_us: int, rng: np.random.Generator) -> Calendar:
    """A calendar in which every store has one of a few weeks and zones."""
    rows = [
        (week, int(day), start, end % 24 if end > 24 else end)
        for week, (days, start, end) in enumerate(_WEEKS)
        for day in days
    ]
    week, day, start, end = np.array(rows, np.float64).T
    every = np.arange(stores)
    always = np.full(stores, ALWAYS)
    return build_calendar(
        stores=stores,
        start_us=begin_us,
        end_us=end_us,
        weeks=normalise_weeks(
            week.astype(np.int64),
            day.astype(np.int64),
            (start * HOUR_US).astype(np.int64),
            (end * HOUR_US).astype(np.int64),
        ),
        hours=HoursVersions(every, always, rng.integers(len(_WEEKS), size=stores)),
        zones=ZoneVersions(every, always, rng.integers(len(_ZONES), size=stores), _ZONES),
    )


def exponential(rng: np.random.Generator, mean: float) -> float:
    """A duration of an exponential law."""
    return float(rng.exponential(mean))


def _lognormal(sigma: float) -> Durations:
    return lambda rng, mean: mean * float(rng.lognormal(-(sigma**2) / 2, sigma))


def _short_and_long(rng: np.random.Generator, mean: float) -> float:
    """Eleven of twelve outages last about three minutes."""
    is_short = rng.random() < 11 / 12
    return 0.05 * float(rng.lognormal(0, 0.3)) if is_short else float(rng.exponential(mean))


def _minutes_and_hours(rng: np.random.Generator, mean: float) -> float:
    """Five of six outages last 3 to 18 minutes, the others some hours."""
    is_short = rng.random() < 5 / 6
    return rng.uniform(0.05, 0.3) if is_short else mean * float(rng.lognormal(1.5, 0.8))


def _minutes(rng: np.random.Generator, mean: float) -> float:
    return mean * float(rng.lognormal(0, 0.3))


def _same(rng: np.random.Generator, mean: float) -> float:
    del rng
    return mean


def _heavy(rng: np.random.Generator, mean: float) -> float:
    """A Pareto tail: most outages are short, some last for days."""
    return mean * 0.375 * float(1 + rng.pareto(1.6))


@dataclass(frozen=True, slots=True)
class Renewal:
    """Times up are exponential, outages follow `durations`; shares and means vary by store."""

    durations: Durations
    mean_hours: tuple[float, float] = (0.3, 6.0)
    down_share: tuple[float, float] = (-2.7, -0.6)
    never_down: float = 0.55
    always_down: float = 0.15
    scale: float = 1.0
    """Mean length of an outage over the `mean` that `durations` is given."""

    def draw(
        self, open_hours: list[list[Stretch]], rng: np.random.Generator
    ) -> Iterator[list[Stretch]]:
        """The outages of each store."""
        for _ in open_hours:
            kind = rng.random()
            if kind < self.never_down:
                yield []
            elif kind < self.never_down + self.always_down:
                yield [(0.0, float(HISTORY_HOURS))]
            else:
                yield list(self._outages(rng))

    def _outages(self, rng: np.random.Generator) -> Iterator[Stretch]:
        share = 10 ** rng.uniform(*self.down_share)
        mean = rng.uniform(*self.mean_hours)
        between = mean * self.scale * (1 - share) / share
        at = -rng.uniform(0, 100)
        while at < HISTORY_HOURS:
            at += rng.exponential(between)
            lasts = self.durations(rng, mean)
            yield at, at + lasts
            at += lasts


@dataclass(frozen=True, slots=True)
class Bursts:
    """Calm for days, then about two hours in which a store flaps every few minutes."""

    def draw(
        self, open_hours: list[list[Stretch]], rng: np.random.Generator
    ) -> Iterator[list[Stretch]]:
        """The outages of each store."""
        for _ in open_hours:
            outages: list[Stretch] = []
            at = 0.0 if rng.random() < 0.5 else float(HISTORY_HOURS)
            while at < HISTORY_HOURS:
                at += rng.exponential(48)
                end = at + rng.exponential(2)
                while at < end:
                    at += rng.exponential(0.25)
                    lasts = rng.exponential(0.25)
                    outages.append((at, at + lasts))
                    at += lasts
            yield outages


@dataclass(frozen=True, slots=True)
class RushHours:
    """Outages begin eight times as often while a store is busy: in its first and last hours."""

    def draw(
        self, open_hours: list[list[Stretch]], rng: np.random.Generator
    ) -> Iterator[list[Stretch]]:
        """The outages of each store."""
        for of_store in open_hours:
            outages: list[Stretch] = []
            if rng.random() < 0.45:
                rate = 10 ** rng.uniform(-2.5, -1.2)
                mean = rng.uniform(0.3, 4)
                for start, end in of_store:
                    for rush in (start, end - 3):
                        count = rng.poisson(rate * 8 * 3)
                        begins = rush + rng.uniform(0, 3, count)
                        outages += [(at, at + rng.exponential(mean)) for at in begins.tolist()]
                count = rng.poisson(rate * HISTORY_HOURS)
                begins = rng.uniform(0, HISTORY_HOURS, count)
                outages += [(at, at + rng.exponential(mean)) for at in begins.tolist()]
            yield outages


@dataclass(frozen=True, slots=True)
class SwitchedOffAtNight:
    """In most nights a store is switched off some time around closing until about opening."""

    def draw(
        self, open_hours: list[list[Stretch]], rng: np.random.Generator
    ) -> Iterator[list[Stretch]]:
        """The outages of each store."""
        for of_store in open_hours:
            outages: list[Stretch] = []
            kind = rng.random()
            if kind < 0.75:
                for (_, closed), (opens, _) in pairwise(of_store):
                    if opens - closed > 2 and rng.random() < 0.6:
                        off = closed + rng.exponential(0.4) - 0.1
                        outages.append((off, max(off, opens + rng.normal(-0.1, 0.25))))
            if kind < 0.3:
                count = rng.poisson(4)
                begins = rng.uniform(0, HISTORY_HOURS, count)
                outages += [(at, at + rng.exponential(1.5)) for at in begins.tolist()]
            yield outages


Law = Renewal | Bursts | RushHours | SwitchedOffAtNight

LAWS: Final[dict[str, Law]] = {
    "base": Renewal(exponential),
    "lognormal": Renewal(_lognormal(1.5)),
    "wide lognormal": Renewal(_lognormal(2.2)),
    "heavy tail": Renewal(_heavy),
    "short and long": Renewal(
        _short_and_long, (0.5, 2.5), (-2.7, -1.0), never_down=0.25, always_down=0.02, scale=0.1
    ),
    "minutes and hours": Renewal(
        _minutes_and_hours, (0.8, 1.2), (-2.7, -0.8), never_down=0.4, always_down=0.02, scale=1.2
    ),
    "minutes": Renewal(_minutes, (0.04, 0.08), (-2.7, -1.0), never_down=0.25, always_down=0.02),
    "half an hour": Renewal(_same, (0.5, 0.5)),
    "bursts": Bursts(),
    "rush hours": RushHours(),
    "switched off at night": SwitchedOffAtNight(),
}


def draw_outages(law: Law, calendar: Calendar, rng: np.random.Generator) -> Outages:
    """Outages of every store of a calendar, whose beginning is that of the history."""
    store, start, end = calendar.all_open_intervals()
    open_hours: list[list[Stretch]] = [[] for _ in range(calendar.stores)]
    for number, opens, closes in zip(
        store.tolist(),
        ((start - calendar.start_us) / HOUR_US).tolist(),
        ((end - calendar.start_us) / HOUR_US).tolist(),
        strict=True,
    ):
        open_hours[number].append((opens, closes))
    return Outages.of(list(law.draw(open_hours, rng)), calendar.start_us)


@dataclass(frozen=True, slots=True)
class PollPlan:
    """Polls a step apart at each store's own minute, a little late or early; some are missing."""

    step_hours: float = 1.0
    kept_up: float = 1.0
    kept_down: float = 1.0
    dark_hours: float = 0.0
    """How long nobody polls any store, three times in the history."""

    def draw(self, outages: Outages, begin_us: int, end_us: int, rng: np.random.Generator) -> Polls:
        """Look at every store."""
        step = round(self.step_hours * HOUR_US)
        count = (end_us - begin_us) // step
        phase = rng.integers(step, size=(outages.stores, 1))
        late = rng.integers(-HOUR_US // 15, HOUR_US // 15, size=(outages.stores, count))
        at = np.clip(begin_us + phase + np.arange(count) * step + late, begin_us, end_us - 1)
        at.sort(axis=1)
        store = np.repeat(np.arange(outages.stores), count)
        polled_at = at.ravel()
        is_down = outages.is_down(store, polled_at)
        kept = rng.random(len(store)) < np.where(is_down, self.kept_down, self.kept_up)
        if self.dark_hours:
            length = round(self.dark_hours * HOUR_US)
            for dark in rng.integers(begin_us, end_us - length, size=3).tolist():
                kept &= (polled_at < dark) | (polled_at >= dark + length)
        kept[1:] &= (store[1:] != store[:-1]) | (polled_at[1:] != polled_at[:-1])
        return Polls(store[kept], polled_at[kept], ~is_down[kept])


PLANS: Final[dict[str, PollPlan]] = {
    "hourly": PollPlan(),
    "30 % missing": PollPlan(kept_up=0.7, kept_down=0.7),
    "3-hourly": PollPlan(step_hours=3.0),
    "missing more when down": PollPlan(kept_up=0.7, kept_down=0.4),
    "poller off for 8 h": PollPlan(kept_up=0.7, kept_down=0.7, dark_hours=8.0),
}


def _apart(stretches: list[Stretch]) -> list[Stretch]:
    """Overlapping stretches joined, in order, cut to the history."""
    joined: list[Stretch] = []
    for start, end in sorted(stretches):
        begin, until = max(start, 0.0), min(end, float(HISTORY_HOURS))
        if begin >= until:
            continue
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(until, joined[-1][1]))
        else:
            joined.append((begin, until))
    return joined
