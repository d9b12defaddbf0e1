"""Random fleets of stores for properties, as the oracle's plain rows.

What is drawn leans towards the places where mistakes are made: clock changes, the edges of
windows, polls a microsecond apart, gaps of exactly the greatest length, hours that overlap or run
past midnight, versions that start together. What is to be true of it stands in the tests.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo

from hypothesis import assume
from hypothesis import strategies as st

from oracle import Closure, Event, HoursRow, Inputs, Poll, SpecialRow, ValidFrom, ZoneRow
from storemon_pipeline.domain.windows import Policy

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

ZONES: Final = (
    "America/New_York",
    "Australia/Lord_Howe",  # half an hour of daylight saving
    "Asia/Kathmandu",  # +5:30 until 1986, then +5:45
    "Africa/Casablanca",  # back for Ramadan
    "Europe/Berlin",
    "America/Santiago",  # clocks change at midnight
    "America/St_Johns",  # -3:30, and for years a change at 0:01
    "Pacific/Apia",  # skipped a whole day in 2011
    "Africa/Cairo",  # changes that came and went
    "UTC",
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

policies: Final = st.sampled_from(Policy)
max_gaps: Final = st.sampled_from([2, 90 * MINUTE, 3 * HOUR, 3 * HOUR, 23 * HOUR])


@dataclass(frozen=True, slots=True)
class Question:
    """A fleet and what is asked of it; `max_gap` is an even number of microseconds."""

    inputs: Inputs
    as_of: datetime
    policy: Policy
    max_gap: int


@st.composite
def questions(draw: st.DrawFn, stores: int = 3) -> Question:
    """Draw a fleet of up to so many stores (at least one), and what to ask of it."""
    zone = draw(st.sampled_from(ZONES))
    as_of = draw(instants_near_clock_changes(zone))
    max_gap = draw(max_gaps)
    store_ids = [f"store {number}" for number in range(draw(st.integers(1, stores)))]
    polls: list[Poll] = []
    hours: list[HoursRow] = []
    zones: list[ZoneRow] = []
    special: list[SpecialRow] = []
    for store_id in store_ids:
        polls += draw(poll_rows(store_id, as_of, max_gap))
        hours += draw(hours_rows(store_id, as_of))
        zones += draw(zone_rows(store_id, as_of, zone))
        special += draw(special_rows(store_id, as_of))
    assume(polls or hours or zones)
    inputs = Inputs(polls, hours, zones, draw(closure_rows(store_ids, as_of)), special)
    return Question(inputs, as_of, draw(policies), max_gap)


@st.composite
def instants_near_clock_changes(draw: st.DrawFn, zone: str) -> datetime:
    """Draw an instant of 1975 to 2035, mostly in the week after a change of the zone's clock."""
    year = draw(st.integers(1975, 2035))
    changes = _days_of_change(zone, year)
    if not changes or draw(st.integers(0, 9)) == 0:
        since_new_year = draw(st.integers(0, 364 * DAY))
        return datetime(year, 1, 1, tzinfo=UTC) + timedelta(microseconds=since_new_year)
    since_change = draw(
        st.one_of(
            st.integers(0, 8 * 24 * 4).map(lambda quarters: quarters * 15 * MINUTE),
            st.integers(0, 8 * DAY),
        )
    )
    return draw(st.sampled_from(changes)) + timedelta(microseconds=since_change)


@st.composite
def poll_rows(draw: st.DrawFn, store_id: str, as_of: datetime, max_gap: int) -> list[Poll]:
    """Draw polls at distinct instants, ascending, some before the look-back, some after `as_of`.

    Two of three keep the status of the poll before.
    """
    bursts = st.one_of(st.integers(1, 5), st.integers(1, 20 * SECOND))
    hourly = st.integers(50 * MINUTE, 70 * MINUTE)
    gaps = st.one_of(
        bursts,
        hourly,
        hourly,
        st.integers(MINUTE, 30 * HOUR),
        st.sampled_from([max_gap - 1, max_gap, max_gap + 1, HOUR, 30 * MINUTE]),
    )
    age = draw(st.one_of(st.integers(HOUR, 30 * HOUR), st.integers(100 * HOUR, 210 * HOUR)))
    ages = set(draw(st.lists(_poll_ages_at_edges(max_gap), max_size=3)))
    for gap in draw(st.lists(gaps, max_size=25)):
        ages.add(age)
        age -= gap
    is_active, rows = draw(st.booleans()), []
    for age in sorted(ages, reverse=True):
        is_active ^= draw(st.integers(0, 2)) == 2
        rows.append(Poll(store_id, as_of - timedelta(microseconds=age), is_active=is_active))
    return rows


def _poll_ages_at_edges(max_gap: int) -> st.SearchStrategy[int]:
    """Draw an age at which a window begins or ends, or a distance away that matters."""
    distances = (-max_gap // 2, -1, 0, 1, max_gap // 2)
    return st.sampled_from(
        [hours * HOUR + off for hours in (0, 1, 24, 168, 192) for off in distances]
    )


@st.composite
def hours_rows(draw: st.DrawFn, store_id: str, as_of: datetime) -> list[HoursRow]:
    """Draw up to three versions of hours; often none, which is always open."""
    times = st.one_of(
        st.integers(0, 47).map(lambda halves: halves * 30 * MINUTE),
        st.integers(0, DAY - 1),
        st.sampled_from([0, 2 * HOUR, 23 * HOUR + 59 * MINUTE, DAY - 1]),
    )
    later = st.one_of(
        st.sampled_from([DAY, DAY + 1, 26 * HOUR, 48 * HOUR - 1, 48 * HOUR]),
        st.integers(DAY, 2 * DAY),
    )
    either = st.one_of(times, times, later)
    week = st.lists(st.tuples(st.integers(0, 6), either, either), min_size=1, max_size=9)
    return [
        HoursRow(store_id, day, start, end, valid_from, loaded_at)
        for valid_from, loaded_at in draw(versions(as_of, most=3))
        for day, start, end in draw(week)
    ]


@st.composite
def special_rows(draw: st.DrawFn, store_id: str, as_of: datetime) -> list[SpecialRow]:
    """Draw hours of up to three dates around the look-back, in up to two versions; often none."""
    starts = st.one_of(
        st.integers(0, 47).map(lambda halves: halves * 30 * MINUTE), st.integers(0, DAY - 1)
    )
    ends = st.one_of(starts, st.sampled_from([DAY - 1, DAY, 26 * HOUR, 48 * HOUR]))
    times = st.lists(st.tuples(starts, ends), min_size=1, max_size=3)
    closed: list[tuple[int | None, int | None]] = [(None, None)]
    return [
        SpecialRow(store_id, as_of.date() - timedelta(days=age), start, end, valid_from, loaded_at)
        for age in sorted(draw(st.sets(st.integers(-1, 9), max_size=3)))
        for valid_from, loaded_at in draw(versions(as_of, most=2))
        for start, end in draw(st.one_of(st.just(closed), times))
    ]


@st.composite
def zone_rows(draw: st.DrawFn, store_id: str, as_of: datetime, zone: str) -> list[ZoneRow]:
    """Draw up to two versions of the zone, mostly the given one alone."""
    if draw(st.booleans()):
        return [ZoneRow(store_id, zone, "always")]
    zones = st.one_of(st.just(zone), st.sampled_from(ZONES))
    return [
        ZoneRow(store_id, draw(zones), valid_from, loaded_at)
        for valid_from, loaded_at in draw(versions(as_of, most=2))
    ]


def versions(as_of: datetime, *, most: int) -> st.SearchStrategy[list[tuple[ValidFrom, datetime]]]:
    """Draw from when on versions hold and when each was loaded, in the order of loading."""
    starts: st.SearchStrategy[ValidFrom] = st.one_of(
        st.just("always"),
        st.sampled_from([as_of - timedelta(hours=hours) for hours in (0, 1, 24, 168, 400)]),
        st.integers(-10 * DAY, 0).map(lambda age: as_of + timedelta(microseconds=age)),
    )
    return st.lists(starts, max_size=most).map(
        lambda drawn: [
            (start, _EPOCH + timedelta(days=number)) for number, start in enumerate(drawn)
        ]
    )


def closure_rows(store_ids: Sequence[str], as_of: datetime) -> st.SearchStrategy[list[Closure]]:
    """Draw closures around the look-back, of one store or all, some with an open end."""
    wall = as_of.replace(tzinfo=None)

    def closed(store_id: str, age: int, length: int | None) -> Closure:
        start = wall - timedelta(microseconds=age)
        end = None if length is None else start + timedelta(microseconds=length)
        return Closure(store_id, start, end)

    lengths = st.one_of(st.none(), st.integers(1, 3 * DAY), st.just(DAY))
    closures = st.builds(
        closed, st.sampled_from([*store_ids, "*"]), st.integers(-DAY, 9 * DAY), lengths
    )
    return st.lists(closures, max_size=3)


@st.composite
def event_rows(draw: st.DrawFn, store_id: str, as_of: datetime) -> list[Event]:
    """Draw events of two sources around the look-back, no two of which began together.

    Many lie near whole hours, so that they begin, meet and end at polls and windows.
    """
    hours = st.integers(-2, 200).map(lambda age: age * HOUR)
    ages = st.one_of(hours, hours, st.integers(-2 * HOUR, 200 * HOUR))
    lengths = st.one_of(
        st.none(),
        st.sampled_from([1, 2, HOUR, 2 * HOUR, 24 * HOUR]),
        st.integers(1, 4 * HOUR),
        st.integers(1, 200 * HOUR),
    )
    rows = []
    for age in draw(st.lists(ages, max_size=6, unique=True)):
        start = as_of - timedelta(microseconds=age)
        length = draw(lengths)
        end = None if length is None else start + timedelta(microseconds=length)
        source = draw(st.sampled_from(["", "platform"]))
        rows.append(Event(store_id, start, end, draw(st.booleans()), source))
    return rows


@cache
def _days_of_change(zone: str, year: int) -> list[datetime]:
    """Give the days, from midnight UTC, in which the zone's clock changes."""
    clock = ZoneInfo(zone)
    midnights = [datetime(year, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(367)]
    offsets = [midnight.astimezone(clock).utcoffset() for midnight in midnights]
    return [
        midnight
        for midnight, before, after in zip(midnights, offsets, offsets[1:], strict=False)
        if before != after
    ]
