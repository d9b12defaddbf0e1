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
    last_inactive: float
    next_active: float | None


@dataclass(frozen=True)
class Peers:
    """What the other stores of a set did."""

    stores: int
    went_down: int
    usually_went_down: float
    stores_then: int
    down: int
    usually_down: float
    since: float | None
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


def near(at: int, bins: int) -> range:
    """The quarters of an hour up to an hour from one."""
    return range(max(at - AROUND, 0), min(at + AROUND + 1, bins))


class Members:
    """The stores of one set, with what is counted of them in each quarter of an hour."""

    def __init__(
        self,
        incidents: Sequence[Incident],
        open_hours: Sequence[Sequence[Stretch]],
        known: Sequence[Stretch],
        members: frozenset[int],
        bins: int,
    ) -> None:
        self.bins = bins
        self.open_hours = open_hours
        all_of_set = [one for one in incidents if one.store in members]
        self.own = [one for one in all_of_set if one.last_active is not None]
        self.begins = {one: onset(one, open_hours[one.store]) for one in self.own}
        self.bin_of = {one: int(self.begins[one][0] // QUARTER) for one in self.own}
        lost = {
            store: [
                (max(opens, one.start), min(closes, one.end))
                for one in all_of_set
                if one.store == store
                for opens, closes in open_hours[store]
            ]
            for store in members
        }
        quarters = range(bins)
        self.opened = [sum(covers(open_hours[store], at) for store in members) for at in quarters]
        self.down = [sum(covers(lost[store], at) for store in members) for at in quarters]
        known_at = [sum(covers([known[store]], at) for store in members) for at in quarters]
        lowest = [min(self.down[number] for number in near(at, bins)) for at in quarters]
        highest = [max(self.opened[number] for number in near(at, bins)) for at in quarters]
        self.around = [high - low for high, low in zip(highest, lowest, strict=True)]

        self.possible = {}
        for one in all_of_set:
            first = max(int((one.last_active or 0) // QUARTER), 0)
            last = min(int(one.first_inactive // QUARTER), bins - 1)
            if last - first < 2:
                first, last = max(first - 1, 0), min(last + 1, bins - 1)
            self.possible[one] = range(first, last + 1)
        counted = {
            one: [
                at
                for at in self.possible[one]
                if not any(
                    other.store == one.store
                    and other.start < one.start
                    and self.possible[other][-1] >= at
                    for other in all_of_set
                )
            ]
            for one in self.own
        }
        self.could = [sum(at in counted[one] for one in self.own) for at in quarters]
        self.of = [max(self.around[at], self.could[at]) for at in quarters]
        self.known = [max(known_at[at] - lowest[at], self.could[at]) for at in quarters]
        self.starts = [at for at in quarters if self.is_widespread(at, 0) and self.is_peak(at)]
        self.joined = self.join()

    def is_widespread(self, at: int, removed: int) -> bool:
        """Whether the others that can have gone down then, without some, are enough."""
        others = self.could[at] - removed - 1
        of = max(self.of[at] - removed - 1, others)
        known = max(self.known[at] - removed - 1, others)
        if others < 3 or others < 0.3 * of:
            return False
        share = usual(self.could, self.known, at)
        return others >= 4 * share * known and chance(others, known, share) <= Fraction(1, 1000)

    def is_peak(self, at: int) -> bool:
        """Whether it is the first of the highest within an hour."""
        return all(
            self.could[at] > self.could[other]
            if other < at
            else self.could[at] >= self.could[other]
            for other in near(at, self.bins)
            if other != at
        )

    def join(self) -> dict[Incident, int]:
        """The last start at which each incident can have begun."""
        found = {}
        for one in self.own:
            starts = [at for at in self.starts if at in self.possible[one]]
            if starts:
                found[one] = max(starts)
        return found

    def share(self, at: int) -> Fraction:
        """The share of the stores that can have gone down."""
        return Fraction(self.could[at], max(self.of[at], 1))

    def kept(self, others: Sequence["Members"]) -> list[int]:
        """The starts that no start of another kind of set explains better."""
        left = []
        for at in self.starts:
            mine = [one for one, start in self.joined.items() if start == at]
            removed = 0
            for other in others:
                for start in other.starts:
                    both = [one for one in mine if other.joined.get(one) == start]
                    if other.share(start) > self.share(at) and 2 * len(both) > len(mine):
                        removed = max(removed, len(both))
            if self.is_widespread(at, removed):
                left.append(at)
        return left

    def until(self, at: int) -> float:
        """When less than 30 % of the stores that went down then are still down."""
        ends = sorted(one.end for one, start in self.joined.items() if start == at)
        return ends[len(ends) - ceil(0.3 * len(ends))] if ends else 0

    def stretch(self, one: Incident) -> Stretch | tuple[None, None]:
        """When an incident was part of a widespread outage."""
        if one in self.joined:
            return one.start, self.until(self.joined[one])
        for start in sorted(self.starts, reverse=True):
            at, until = start * QUARTER + QUARTER / 2, self.until(start)
            lost = sum(
                max(min(closes, at) - max(opens, one.start), 0)
                for opens, closes in self.open_hours[one.store]
            )
            is_ended = one.next_active is not None and until > one.next_active + 60
            if (
                one.start < at < min(one.end, until)
                and lost <= 60
                and until >= one.last_inactive - 60
                and not is_ended
            ):
                return at, until
        return None, None

    def peers(self) -> dict[Incident, Peers]:
        """What the others did during each incident."""
        first = [
            one
            for one in self.own
            if not any(
                other.store == one.store
                and 0 < self.begins[one][0] - self.begins[other][0] <= 120
                and not any(
                    between.store == one.store
                    and self.begins[other][0] < self.begins[between][0] < self.begins[one][0]
                    for between in self.own
                )
                for other in self.own
            )
        ]
        began = [
            sum(self.bin_of[one] in near(at, self.bins) for one in first) for at in range(self.bins)
        ]
        found = {}
        for one in self.own:
            at = self.joined.get(one, self.bin_of[one])
            went_down = began[at] - (one in first and self.bin_of[one] in near(at, self.bins))
            stores = max(self.around[at] - 1, went_down)
            inside = [at for at in range(self.bins) if covers([self.begins[one]], at)]
            inside = [number for number in inside if number - inside[0] <= AROUND]
            then = self.bin_of[one]
            if inside:
                then = max(inside, key=lambda number: (self.down[number], -number))
            stores_then = max(self.opened[then] - bool(inside), 0)
            found[one] = Peers(
                stores,
                went_down,
                float(stores * usual(began, self.around, at)),
                stores_then,
                min(max(self.down[then] - bool(inside), 0), stores_then),
                float(stores_then * usual(self.down, self.opened, then)),
                *self.stretch(one),
            )
        return found


def compare(
    incidents: Sequence[Incident],
    open_hours: Sequence[Sequence[Stretch]],
    known: Sequence[Stretch],
    kinds: Sequence[Sequence[frozenset[int]]],
    bins: int,
) -> list[dict[Incident, Peers]]:
    """Compare each incident with those of the others, in the sets of each kind."""
    sets = [
        [Members(incidents, open_hours, known, members, bins) for members in kind] for kind in kinds
    ]
    kept = [
        [
            one.kept([other for others in sets if others is not kind for other in others])
            for one in kind
        ]
        for kind in sets
    ]
    found = []
    for kind, starts_of_kind in zip(sets, kept, strict=True):
        peers: dict[Incident, Peers] = {}
        for one, starts in zip(kind, starts_of_kind, strict=True):
            one.joined = {own: at for own, at in one.joined.items() if at in starts}
            one.starts = starts
            peers |= one.peers()
        found.append(peers)
    return found
