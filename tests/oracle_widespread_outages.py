"""Widespread outages by counting one store and one quarter of an hour after the other.

Written from the manual's page on figures, without arrays and without code of the product. Times are
whole minutes from the beginning of the history, which is `bins` quarters of an hour long.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, comb

QUARTER = 15
AROUND = 4
DAY = 96

Stretch = tuple[float, float]


@dataclass(frozen=True)
class Incident:
    """An incident of a store; nobody saw it begin where there is no active poll before it."""

    store: int
    start: float
    end: float
    last_active: float | None
    first_inactive: float


@dataclass(frozen=True)
class Peers:
    """What the other stores of a set did."""

    stores: int
    went_down: int
    usually_went_down: float
    stores_then: int
    down: int
    usually_down: float
    until: float | None


def onset(incident: Incident, open_hours: Sequence[Stretch]) -> Stretch:
    """The first time without a break that the incident costs."""
    return next(
        (max(opens, incident.start), min(closes, incident.end))
        for opens, closes in open_hours
        if closes > incident.start
    )


def covers(stretches: Sequence[Stretch], number: int) -> bool:
    """Whether the middle of a quarter of an hour lies in one of the stretches."""
    middle = number * QUARTER + QUARTER / 2
    return any(begin <= middle < end for begin, end in stretches)


def usual(counts: Sequence[int], of: Sequence[int], number: int) -> Fraction:
    """The usual share at a quarter of an hour."""
    overall = Fraction(sum(counts), max(sum(of), 1))
    same_time = list(range(number % DAY, len(counts), DAY))
    highest = max(same_time, key=lambda at: (counts[at], -at))
    rest = [at for at in same_time if at != highest]
    at_time = Fraction(sum(counts[at] for at in rest), max(sum(of[at] for at in rest), 1))
    return max(overall, at_time)


def chance(count: int, of: int, share: Fraction) -> Fraction:
    """The probability of at least `count` of `of`."""
    return sum(
        (
            comb(of, number) * share**number * (1 - share) ** (of - number)
            for number in range(count, of + 1)
        ),
        Fraction(0),
    )


def compare(
    incidents: Sequence[Incident],
    open_hours: Sequence[Sequence[Stretch]],
    members: frozenset[int],
    bins: int,
) -> dict[Incident, Peers]:
    """Compare each incident of a set's members with those of the others."""
    all_of_set = [one for one in incidents if one.store in members]
    own = [one for one in all_of_set if one.last_active is not None]
    begins = {one: onset(one, open_hours[one.store]) for one in own}
    bin_of = {one: int(begins[one][0] // QUARTER) for one in own}
    lost = {
        store: [
            (max(opens, one.start), min(closes, one.end))
            for one in all_of_set
            if one.store == store
            for opens, closes in open_hours[store]
        ]
        for store in members
    }
    opened = [sum(covers(open_hours[store], at) for store in members) for at in range(bins)]
    down = [sum(covers(lost[store], at) for store in members) for at in range(bins)]
    first = [
        one
        for one in own
        if not any(
            other.store == one.store
            and 0 < begins[one][0] - begins[other][0] <= 120
            and not any(
                between.store == one.store
                and begins[other][0] < begins[between][0] < begins[one][0]
                for between in own
            )
            for other in own
        )
    ]
    near = [range(max(at - AROUND, 0), min(at + AROUND + 1, bins)) for at in range(bins)]
    began = [sum(bin_of[one] in near[at] for one in first) for at in range(bins)]
    around = [
        max(opened[number] for number in near[at]) - min(down[number] for number in near[at])
        for at in range(bins)
    ]

    def is_widespread(at: int) -> bool:
        others, of = began[at] - 1, max(around[at], began[at]) - 1
        share = usual(began, around, at)
        return (
            others >= 3
            and others >= 0.3 * of
            and others >= 4 * share * of
            and chance(others, of, share) <= Fraction(1, 1000)
        )

    def until(at: int) -> float:
        ends = sorted(one.end for one in own if bin_of[one] in near[at])
        return ends[len(ends) - ceil(0.3 * len(ends))]

    common = [at for at in range(bins) if is_widespread(at)]
    found = {}
    for one in own:
        joined = [
            at
            for at in common
            if (one.last_active or 0) // QUARTER <= at <= one.first_inactive // QUARTER
        ]
        at = max(joined) if joined else bin_of[one]
        went_down = began[at] - (one in first and bin_of[one] in near[at])
        stores = max(around[at] - 1, went_down)
        inside = [number for number in range(bins) if covers([begins[one]], number)]
        inside = [number for number in inside if number - inside[0] <= AROUND]
        then = max(inside, key=lambda number: (down[number], -number)) if inside else bin_of[one]
        stores_then = max(opened[then] - bool(inside), 0)
        found[one] = Peers(
            stores,
            went_down,
            float(stores * usual(began, around, at)),
            stores_then,
            min(max(down[then] - bool(inside), 0), stores_then),
            float(stores_then * usual(down, opened, then)),
            until(at) if joined else None,
        )
    return found
