"""Made-up stores and their polls, as the CSV files that storemon reads.

Only for trials and tests: no figure depends on this module. The same arguments give the same
bytes with each version of NumPy and on each processor: only the raw bits of the random generator
are used, because NumPy promises that those stay the same.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

DEFAULT_END: Final = datetime(2023, 1, 25, 18, 13, 22, 479220, tzinfo=UTC)
MAX_DAYS: Final = 3_660

_SECOND_US: Final = 1_000_000
_HOUR_US: Final = 3600 * _SECOND_US
_DAY_US: Final = 24 * _HOUR_US
_CELLS_AT_A_TIME: Final = 4_000_000  # stores x hours whose polls are held in memory

_KEPT_SHARE: Final = 0.7  # of the hourly polls
_JITTER_US: Final = 240 * _SECOND_US
_WHOLE_SECOND_SHARE: Final = 0.003  # of the polls; their timestamps have no fraction
_UUID_SHARE: Final = 0.05  # of the store ids
_GAP_SHARE: Final = 0.2  # of the stores: no polls at all for a time
_GAP_HOURS: Final = (4.0, 30.0)
_DOWN_SHARE: Final = (0.002, 0.25)  # of the time, for stores with outages
_OUTAGE_HOURS: Final = (0.3, 6.0)  # mean length of a store's outages

_ZONES: Final = {
    "America/New_York": 0.43,
    "America/Los_Angeles": 0.19,
    "America/Chicago": 0.17,
    "America/Denver": 0.06,
    "America/Phoenix": 0.03,
    "Pacific/Honolulu": 0.02,
    "Europe/London": 0.02,
    "Asia/Kolkata": 0.02,
    "Australia/Adelaide": 0.02,
    "": 0.04,
}
"""Share of the stores in each zone; the last have no row in timezones.csv."""

_PLACES: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "America/New_York": ("East", ("Boston", "Atlanta", "Miami", "Newark", "Pittsburgh", "Raleigh")),
    "America/Chicago": ("Central", ("Chicago", "Dallas", "Memphis", "Omaha", "St. Louis")),
    "America/Denver": ("Mountain", ("Denver", "Boise", "Albuquerque")),
    "America/Phoenix": ("Mountain", ("Phoenix", "Tucson", "Mesa")),
    "America/Los_Angeles": ("West", ("Los Angeles", "Seattle", "Portland", "San Diego", "Reno")),
    "Pacific/Honolulu": ("West", ("Honolulu", "Hilo")),
    "Europe/London": ("Overseas", ("London", "Leeds")),
    "Asia/Kolkata": ("Overseas", ("Mumbai", "Pune")),
    "Australia/Adelaide": ("Overseas", ("Adelaide",)),
    "": ("Central", ("Austin", "Tulsa")),
}
"""Region of each zone, and towns in it."""
_STREETS: Final = (
    *("Main St", "Oak Ave", "2nd St", "Station Rd", "Park Blvd", "Mill Lane", "Market Sq"),
    *("Airport", "Lakeside", "Hill Rd", "University", "Harbor Way", "Elm St", "West Mall"),
)
_GROUPS: Final = {
    "Taco Harbor": 0.27,
    "Golden Griddle": 0.21,
    "Noodle Corner": 0.16,
    "Pizza Prima": 0.13,
    "Bay Franchise Partners": 0.08,
    "": 0.1,
    "unnamed": 0.05,
}
"""Share of the stores in each chain; the last but one have none, the last no row in stores.csv."""
_OWNERS: Final = ("Rosa", "Ahmed", "Mei", "Joe", "Priya", "Olga", "Luis", "Nana")
_KITCHENS: Final = ("Kitchen", "Diner", "Grill", "Deli")
_CLOSED_SHARE: Final = 0.01  # of the stores: closed for repairs in the last days

_Rows = tuple[tuple[str, str, str], ...]  # weekdays, start, end

_ALL_DAY: Final[_Rows] = (("0123456", "00:00:00", "23:59:00"),)
_PATTERNS: Final[dict[str, tuple[float, tuple[_Rows, ...]]]] = {
    "every day": (
        0.4,
        (
            (("0123456", "09:00:00", "21:00:00"),),
            (("0123456", "11:00:00", "23:00:00"),),
            (("01234", "08:00:00", "22:00:00"), ("56", "10:00:00", "20:30:00")),
            (("0123", "11:00:00", "22:00:00"), ("456", "11:00:00", "23:59:59")),
        ),
    ),
    "some days": (
        0.14,
        (
            (("01234", "08:30:00", "17:30:00"),),
            (("123456", "10:00:00", "19:00:00"),),
            (("456", "12:00:00", "21:00:00"),),
        ),
    ),
    "overnight": (
        0.12,
        (
            (("0123456", "17:00:00", "02:00:00"),),
            (("0123", "10:00:00", "23:00:00"), ("456", "10:00:00", "03:00:00")),
            (("0123456", "00:00:00", "01:00:00"), ("0123456", "10:30:00", "23:59:59")),
        ),
    ),
    "split": (
        0.1,
        (
            (("0123456", "11:00:00", "14:30:00"), ("0123456", "17:00:00", "22:00:00")),
            (("01234", "07:00:00", "10:00:00"), ("01234", "16:00:00", "20:00:00")),
        ),
    ),
    "overlapping": (
        0.04,
        (
            (("0123456", "08:00:00", "15:00:00"), ("0123456", "14:00:00", "20:00:00")),
            (("0123456", "06:00:00", "12:00:00"), ("0123456", "12:00:00", "18:00:00")),
        ),
    ),
    "all day": (0.12, (_ALL_DAY,)),
    "none": (0.08, ((),)),
}
"""Share of the stores with each kind of weekly hours, and its variants."""

_BEHAVIOUR: Final = {"never down": 0.55, "always down": 0.1, "outages": 0.35}
_POLLED: Final = {"polled": 0.96, "silent": 0.04}

_BAD_POLLS: Final[tuple[tuple[str | None, ...], ...]] = (
    (None, "unknown", None),
    (None, "closed", None),
    (None, "active", "2023-01-25 25:00:00 UTC"),
    (None, "inactive", "n/a"),
    ("", "active", None),
)
_BAD_HOURS: Final[tuple[tuple[str | None, ...], ...]] = (
    (None, "7", None, None),
    (None, None, "9am", None),
    (None, None, None, "48:30:00"),
    ("", None, None, None),
)
"""Rows that are rejected. None stands for the field of a good row."""
_BAD_ZONE: Final = "America/Springfield"
_BAD_CLOSURE: Final = (None, "2023-01-23 12:00", "2023-01-22 12:00", "ends before it starts")


@dataclass(frozen=True, slots=True)
class SampleSummary:
    """The number of good and bad rows of each file, and of unusual stores."""

    stores: int
    silent_stores: int
    stores_without_hours: int
    stores_without_zone: int
    polls: int
    bad_polls: int
    hours: int
    bad_hours: int
    zones: int
    bad_zones: int
    names: int
    bad_names: int
    closures: int
    bad_closures: int


def write_sample_data(
    out: Path, *, stores: int, days: float, seed: int, end: datetime = DEFAULT_END
) -> SampleSummary:
    """Write the CSV files of all five sources into the folder `out`.

    The polls lie in (end - days, end], the newest of them at `end`. Files of these names are
    replaced. Raises ValueError for less than one store, for no days or more than MAX_DAYS, and for
    an `end` without a zone.
    """
    if stores < 1 or not 0 < days <= MAX_DAYS:
        raise ValueError(
            f"sample data takes 1 store or more and up to {MAX_DAYS} days, not {stores} and {days}"
        )
    if end.tzinfo is None:
        raise ValueError(f"the end {end} has no time zone")
    random = _Random(seed)
    made = _make_stores(random, stores)
    out.mkdir(parents=True, exist_ok=True)
    span_us = max(1, int(days * _DAY_US))
    end_us = (end - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    polls = _write_polls(out / "store_status.csv", random, made, span_us=span_us, end_us=end_us)
    hours = [
        (made.ids[store], weekday, start, closing)
        for store, rows in enumerate(made.hours)
        for weekdays, start, closing in rows
        for weekday in weekdays
    ]
    _write_rows(
        out / "business_hours.csv",
        ("store_id", "dayOfWeek", "start_time_local", "end_time_local"),
        _with_bad_rows(random, hours, _BAD_HOURS),
    )
    zones = [(made.ids[store], zone) for store, zone in enumerate(made.zone) if zone]
    without_zone = [made.ids[store] for store, zone in enumerate(made.zone) if not zone]
    bad_zones = [(store_id, _BAD_ZONE) for store_id in without_zone[:1]] + [("", "America/Denver")]
    _write_rows(
        out / "timezones.csv",
        ("store_id", "timezone_str"),
        _with_bad_rows(random, zones, bad_zones),
    )
    # Drawn last, so that names do not change polls, hours and zones.
    names = _make_names(random, made)
    _write_rows(
        out / "stores.csv",
        ("store_id", "name", "group", "region"),
        _with_bad_rows(random, names, [("", None, None, None)]),
    )
    closures = _make_closures(random, made, end=end)
    _write_rows(
        out / "closures.csv",
        ("store_id", "start_local", "end_local", "reason"),
        _with_bad_rows(random, closures, [_BAD_CLOSURE]),
    )
    return SampleSummary(
        stores=stores,
        silent_stores=int(made.is_silent.sum()),
        stores_without_hours=sum(not rows for rows in made.hours),
        stores_without_zone=len(without_zone),
        polls=polls,
        bad_polls=len(_BAD_POLLS),
        hours=len(hours),
        bad_hours=len(_BAD_HOURS),
        zones=len(zones),
        bad_zones=len(bad_zones),
        names=len(names),
        bad_names=1,
        closures=len(closures),
        bad_closures=1,
    )


class _Random:
    """Random numbers that are the same on every machine."""

    def __init__(self, seed: int) -> None:
        self._source = np.random.PCG64(seed)

    def bits(self, count: int) -> npt.NDArray[np.uint64]:
        """Return `count` times 64 random bits."""
        return np.asarray(self._source.random_raw(count), np.uint64)

    def uniform(self, count: int, low: float = 0.0, high: float = 1.0) -> npt.NDArray[np.float64]:
        """Return `count` numbers in [low, high)."""
        share = (self.bits(count) >> np.uint64(11)).astype(np.float64) * 2.0**-53
        return low + (high - low) * share

    def below(self, bound: int, count: int) -> npt.NDArray[np.int64]:
        """Return `count` integers in [0, bound), for bounds far below 2**64."""
        return (self.bits(count) % np.uint64(bound)).astype(np.int64)

    def order(self, count: int) -> npt.NDArray[np.int64]:
        """Return the numbers 0 to count - 1, shuffled."""
        return np.argsort(self.bits(count), kind="stable").astype(np.int64)

    def spread(self, count: int, shares: Mapping[str, float]) -> list[str]:
        """Return `count` names, each as often as its share says, shuffled."""
        place = (np.arange(count) + 0.5) / count * sum(shares.values())
        number = np.searchsorted(np.cumsum(list(shares.values())), place, side="right")
        names = list(shares)
        return [names[min(index, len(names) - 1)] for index in number[self.order(count)].tolist()]


@dataclass(frozen=True, slots=True)
class _Stores:
    """The stores (n,): id, zone ("" for none), rows of hours, behaviour, and whether silent."""

    ids: list[str]
    zone: list[str]
    hours: list[_Rows]
    behaviour: list[str]
    is_silent: npt.NDArray[np.bool_]


def _make_stores(random: _Random, count: int) -> _Stores:
    numbers = np.uint64(10**18) + random.bits(count) % np.uint64(8 * 10**18)  # 19 digits, 63 bits
    ids = [str(number) for number in numbers.tolist()]
    for store in np.flatnonzero(random.uniform(count) < _UUID_SHARE).tolist():
        high, low = random.bits(2).tolist()
        ids[store] = str(uuid.UUID(int=high << 64 | low, version=4))
    kinds = random.spread(count, {kind: share for kind, (share, _) in _PATTERNS.items()})
    choices = random.bits(count).tolist()
    hours = []
    for kind, choice in zip(kinds, choices, strict=True):
        variants = _PATTERNS[kind][1]
        hours.append(variants[choice % len(variants)])
    polled = random.spread(count, _POLLED)
    for store, state in enumerate(polled):
        if state == "silent" and not hours[store]:
            hours[store] = _ALL_DAY  # otherwise the store would be in no file
    return _Stores(
        ids=ids,
        zone=random.spread(count, _ZONES),
        hours=hours,
        behaviour=random.spread(count, _BEHAVIOUR),
        is_silent=np.array([state == "silent" for state in polled]),
    )


def _make_names(random: _Random, stores: _Stores) -> list[tuple[str, str, str, str]]:
    """Return id, name, group and region of the stores that have a name; no name occurs twice."""
    count = len(stores.ids)
    groups = random.spread(count, _GROUPS)
    choices = zip(*(random.bits(count).tolist() for _ in range(3)), strict=True)
    rows, taken = [], set()
    for store, (place, street, owner) in enumerate(choices):
        if groups[store] == "unnamed":
            continue
        region, towns = _PLACES[stores.zone[store]]
        town = towns[place % len(towns)]
        if groups[store]:
            name = f"{town} {_STREETS[street % len(_STREETS)]}"
        else:
            kitchen = _KITCHENS[street % len(_KITCHENS)]
            name = f"{_OWNERS[owner % len(_OWNERS)]}'s {kitchen} {town}"
        if name in taken:
            name += f" {store + 1}"
        taken.add(name)
        rows.append((stores.ids[store], name, groups[store], region))
    return rows


def _make_closures(
    random: _Random, stores: _Stores, *, end: datetime
) -> list[tuple[str, str, str, str]]:
    """Return closures of a few stores: one without an end, the others two days of the last week."""
    today = end.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    count = max(2, int(len(stores.ids) * _CLOSED_SHARE))
    chosen = random.order(len(stores.ids))[:count].tolist()
    days_ago = random.below(4, count).tolist()
    rows = []
    for number, store in enumerate(chosen):
        begin = today - timedelta(days=days_ago[number] + 2)
        until = begin + timedelta(days=2)
        if number == 0:
            rows.append((stores.ids[store], f"{today:%Y-%m-%d} 08:00", "", "water damage"))
        else:
            rows.append(
                (stores.ids[store], f"{begin:%Y-%m-%d %H:%M}", f"{until:%Y-%m-%d %H:%M}", "repairs")
            )
    return rows


def _write_polls(path: Path, random: _Random, stores: _Stores, *, span_us: int, end_us: int) -> int:
    """Write the polls in random order, chunk by chunk of the stores. Return their number."""
    hours = max(1, span_us // _HOUR_US)
    stores_per_chunk = max(1, _CELLS_AT_A_TIME // hours)
    polled = np.flatnonzero(~stores.is_silent)
    ids = pa.array(stores.ids)
    polls = 0
    with path.open("wb") as file:
        file.write(b"store_id,status,timestamp_utc\n")
        for first in range(0, len(polled), stores_per_chunk):
            chunk = polled[first : first + stores_per_chunk]
            row, age_us = _make_ages(random, len(chunk), hours=hours, span_us=span_us)
            behaviour = [stores.behaviour[store] for store in chunk.tolist()]
            is_active = _make_statuses(random, behaviour, row, span_us - age_us, span_us=span_us)
            at_us = end_us - age_us
            is_whole = random.uniform(len(at_us)) < _WHOLE_SECOND_SHARE
            at_us[is_whole] -= at_us[is_whole] % _SECOND_US
            if first == 0:
                at_us[0] = end_us
            columns = [
                ids.take(pa.array(chunk[row])),
                pc.if_else(pa.array(is_active), "active", "inactive"),
                _as_text(at_us),
            ]
            polls += len(at_us)
            if first == 0:
                columns = _with_bad_polls(random, columns)
            order = pa.array(random.order(len(columns[0])))
            table = pa.table([column.take(order) for column in columns], names=["0", "1", "2"])
            options = pa_csv.WriteOptions(include_header=False, quoting_style="none")
            pa_csv.write_csv(table, file, options)
    return polls


def _make_ages(
    random: _Random, stores: int, *, hours: int, span_us: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the store (0 to stores - 1) of each poll (n,), and how long before the end it was.

    One poll an hour, some minutes early or late. About a third are missing, never the newest.
    """
    cells = stores * hours
    phase_us = random.below(_HOUR_US, stores)
    age_us = phase_us[:, np.newaxis] + np.arange(hours) * _HOUR_US
    age_us += (random.below(2 * _JITTER_US, cells) - _JITTER_US).reshape(stores, hours)
    age_us = np.clip(age_us, 0, max(0, span_us - _SECOND_US))
    is_kept = (random.uniform(cells) < _KEPT_SHARE).reshape(stores, hours)
    has_gap = random.uniform(stores) < _GAP_SHARE
    gap_us = (random.uniform(stores) * span_us).astype(np.int64)
    gap_end_us = gap_us + (random.uniform(stores, *_GAP_HOURS) * _HOUR_US).astype(np.int64)
    is_kept &= ~(
        has_gap[:, np.newaxis]
        & (age_us >= gap_us[:, np.newaxis])
        & (age_us < gap_end_us[:, np.newaxis])
    )
    is_kept[0, 0] = True
    row, cell = np.nonzero(is_kept)
    return row, age_us[row, cell]


def _make_statuses(
    random: _Random,
    behaviour: Sequence[str],
    row: npt.NDArray[np.int64],
    at_us: npt.NDArray[np.int64],
    *,
    span_us: int,
) -> npt.NDArray[np.bool_]:
    """Return which polls (n,) found their store up; `at_us` counts from the span's beginning.

    A store with outages is up and down in turn, each for a time drawn from an exponential law.
    """
    is_up = np.array([kind != "always down" for kind in behaviour])
    has_outages = np.array([kind == "outages" for kind in behaviour])
    unsteady = np.flatnonzero(has_outages)
    low, high = np.log(_DOWN_SHARE)
    down_share = np.exp(random.uniform(len(unsteady), low, high))
    mean_down_us = random.uniform(len(unsteady), *_OUTAGE_HOURS) * _HOUR_US
    mean_up_us = mean_down_us * (1 - down_share) / down_share
    is_up[unsteady] = random.uniform(len(unsteady)) >= down_share

    key_us = span_us + 1  # a change is found by store * key_us + time
    changes: list[npt.NDArray[np.int64]] = [np.zeros(0, np.int64)]
    open_ = np.arange(len(unsteady))
    is_up_now = is_up[unsteady]
    now_us = np.zeros(len(unsteady), np.int64)
    while len(open_):
        mean_us = np.where(is_up_now[open_], mean_up_us[open_], mean_down_us[open_])
        seconds = (-np.log1p(-random.uniform(len(open_))) * mean_us / _SECOND_US).astype(np.int64)
        now_us[open_] += (seconds + 1) * _SECOND_US
        is_up_now[open_] ^= True
        open_ = open_[now_us[open_] < span_us]
        changes.append(unsteady[open_] * key_us + now_us[open_])
    change = np.sort(np.concatenate(changes))
    before = np.searchsorted(change, row * key_us + at_us, side="right")
    before -= np.searchsorted(change, row * key_us, side="left")
    is_changed: npt.NDArray[np.bool_] = before % 2 == 1
    return is_up[row] ^ is_changed


def _as_text(at_us: npt.NDArray[np.int64]) -> pa.Array:
    """Return timestamps as text. Those on a whole second have no fraction."""
    text = pa.array(at_us).cast(pa.timestamp("us")).cast(pa.string())
    whole = pc.utf8_slice_codeunits(text, 0, len("2023-01-25 18:13:22"))
    text = pc.if_else(pa.array(at_us % _SECOND_US == 0), whole, text)
    return pc.binary_join_element_wise(text, "UTC", " ")


def _with_bad_polls(random: _Random, columns: list[pa.Array]) -> list[pa.Array]:
    picked = pa.array(random.below(len(columns[0]), len(_BAD_POLLS)))
    good = zip(*(column.take(picked).to_pylist() for column in columns), strict=True)
    filled = [_fill(bad, row) for bad, row in zip(_BAD_POLLS, good, strict=True)]
    return [
        pa.concat_arrays([column, pa.array([row[place] for row in filled])])
        for place, column in enumerate(columns)
    ]


def _with_bad_rows(
    random: _Random,
    rows: Sequence[tuple[str, ...]],
    bad_rows: Sequence[tuple[str | None, ...]],
) -> list[tuple[str, ...]]:
    """Return the rows with the bad ones anywhere among them."""
    mixed = list(rows)
    for bad in bad_rows:
        (place,) = random.below(len(rows), 1).tolist()
        mixed.insert(place, _fill(bad, rows[place]))
    return mixed


def _fill(bad: Sequence[str | None], good: Sequence[str]) -> tuple[str, ...]:
    return tuple(theirs if mine is None else mine for mine, theirs in zip(bad, good, strict=True))


def _write_rows(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    lines = [",".join(fields) + "\n" for fields in (header, *rows)]
    path.write_text("".join(lines), encoding="ascii", newline="")
