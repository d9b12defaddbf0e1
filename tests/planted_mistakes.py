"""Sample stores with mistakes planted in their listed hours and time zones."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from storemon_pipeline.domain.windows import DAY_US, HOUR_US, BoolArray, IntArray

ZONES: Final = (
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
)
MONDAY_US: Final = 1_674_432_000_000_000
"""2023-01-23T00:00Z."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """What each store really does (`opens`, `closes`, `zone`) and what is listed of it."""

    opens: IntArray
    closes: IntArray
    zone: IntArray
    listed_opens: IntArray
    listed_closes: IntArray
    listed_zone: IntArray
    behaviour: IntArray  # 0 keeps its hours, 1 always active, 2 never, 3 keeps them, with outages


def draw_fleet(rng: np.random.Generator, stores: int) -> Fleet:
    opens = rng.integers(14, 24, stores) * HOUR_US // 2
    closes = opens + rng.integers(14, 26, stores) * HOUR_US // 2
    zone = rng.integers(0, len(ZONES), stores)
    behaviour = rng.choice(4, stores, p=[0.6, 0.1, 0.05, 0.25])
    return Fleet(opens, closes, zone, opens.copy(), closes.copy(), zone.copy(), behaviour)


def plant(rng: np.random.Generator, fleet: Fleet) -> tuple[IntArray, IntArray]:
    """List 100 stores with wrong hours and 100 with a wrong zone; returns which."""
    # Only a store that keeps hours can contradict what is listed of it.
    keeps = np.flatnonzero(np.isin(fleet.behaviour, [0, 3]))
    planted = rng.permutation(keeps)[:200]
    wrong_hours, wrong_zones = planted[:100], planted[100:]
    fleet.listed_opens[wrong_hours[:50]] -= 2 * HOUR_US
    fleet.listed_closes[wrong_hours[50:]] += 3 * HOUR_US
    fleet.listed_zone[wrong_zones] = (fleet.zone[wrong_zones] + rng.integers(1, 4, 100)) % 4
    return wrong_hours, wrong_zones


def draw_polls(
    rng: np.random.Generator, fleet: Fleet, *, days: int = 14
) -> tuple[IntArray, IntArray, BoolArray]:
    """Store, instant and status of polls about every hour from MONDAY_US, of which 30 % miss."""
    stores = len(fleet.opens)
    count = days * 24
    phase = rng.integers(0, HOUR_US, (stores, 1))
    at = (
        MONDAY_US
        + phase
        + np.arange(count) * HOUR_US
        + rng.integers(0, 240_000_000, (stores, count))
    )
    kept = rng.random((stores, count)) < 0.7
    offset = -np.array([5, 6, 7, 8])[fleet.zone][:, np.newaxis] * HOUR_US
    of_day = (at + offset) % DAY_US
    opens, closes = fleet.opens[:, np.newaxis], fleet.closes[:, np.newaxis]
    is_open = (opens <= of_day) & (of_day < closes) | (of_day + DAY_US < closes)
    outage = np.repeat(rng.random((stores, count // 6)) < 0.06, 6, axis=1)
    behaviour = fleet.behaviour[:, np.newaxis]
    active = np.select(
        [behaviour == 0, behaviour == 1, behaviour == 2],
        [is_open, np.ones_like(is_open), np.zeros_like(is_open)],
        is_open & ~outage,
    )
    store = np.broadcast_to(np.arange(stores)[:, np.newaxis], at.shape)
    return store[kept], at[kept], active[kept]


def write_files(
    folder: Path, fleet: Fleet, store: IntArray, at_us: IntArray, is_active: BoolArray
) -> None:
    """Write the polls, and what is listed, as the files of the three sources."""
    pd.DataFrame(
        {
            "store_id": store,
            "timestamp_utc": pd.to_datetime(at_us, unit="us").astype(str) + " UTC",
            "status": np.where(is_active, "active", "inactive"),
        }
    ).to_csv(folder / "store_status.csv", index=False)
    stores = len(fleet.opens)
    every = np.repeat(np.arange(stores), 7)
    pd.DataFrame(
        {
            "store_id": every,
            "dayOfWeek": np.tile(np.arange(7), stores),
            "start_time_local": [_time_of_day(at) for at in fleet.listed_opens[every].tolist()],
            "end_time_local": [_time_of_day(at) for at in fleet.listed_closes[every].tolist()],
        }
    ).to_csv(folder / "business_hours.csv", index=False)
    zones = [ZONES[zone] for zone in fleet.listed_zone.tolist()]
    pd.DataFrame({"store_id": np.arange(stores), "timezone_str": zones}).to_csv(
        folder / "timezones.csv", index=False
    )


def _time_of_day(at_us: int) -> str:
    minutes = at_us // 60_000_000 % 1440
    return f"{minutes // 60:02}:{minutes % 60:02}:00"
