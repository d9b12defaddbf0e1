"""Time zones, and when their clocks change.

The rules are those of the package `tzdata`. Those of the machine and of the database never count,
because two machines would give different figures.
"""

from bisect import bisect_left
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import resources
from io import BytesIO
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import tzdata

from storemon_pipeline.domain.windows import HOUR_US, MINUTE_US, SECOND_US, BoolArray, IntArray

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_FIRST_US: Final = (datetime(1, 1, 3, tzinfo=UTC) - _EPOCH) // _MICROSECOND
_LAST_US: Final = (datetime(9999, 12, 29, tzinfo=UTC) - _EPOCH) // _MICROSECOND

_STEP_US: Final = 6 * HOUR_US
"""No zone has ever changed its offset twice within this time; a test checks all zones."""


RULES_RELEASE: Final[str] = tzdata.IANA_VERSION
"""The release of the rules, such as `2026f`."""

_NOT_ZONES: Final = {"Factory"}
"""Keys that are not zones of a place."""


@cache
def zone_keys() -> frozenset[str]:
    """The IANA keys of all zones."""
    keys = resources.files(tzdata).joinpath("zones").read_text("utf-8").split()
    return frozenset(keys) - _NOT_ZONES


@cache
def zone_keys_by_folded_name() -> dict[str, str]:
    """The IANA keys by their names in one case. No two keys differ only in case."""
    return {key.casefold(): key for key in zone_keys()}


@cache
def zone_of(key: str) -> ZoneInfo:
    """The zone of an IANA key. Raises ZoneInfoNotFoundError.

    `ZoneInfo(key)` would prefer the rules of the machine.
    """
    if key not in zone_keys():
        raise ZoneInfoNotFoundError(f"tzdata {RULES_RELEASE} has no zone {key!r}")
    rules = resources.files(tzdata).joinpath("zoneinfo", *key.split("/")).read_bytes()
    return ZoneInfo.from_file(BytesIO(rules), key=key)


def utc_offset_us(zone: ZoneInfo, at_us: int) -> int:
    """Local time minus UTC at an instant, in microseconds.

    Instants outside the years 1 to 9999 get the offset of the nearest instant inside.
    """
    # Offsets change on whole seconds.
    inside = min(max(at_us, _FIRST_US), _LAST_US) // SECOND_US
    offset = datetime.fromtimestamp(inside, zone).utcoffset()
    assert offset is not None  # noqa: S101  (the time is an aware one)
    return offset // _MICROSECOND


def local_to_utc_us(key: str, local_us: IntArray) -> tuple[IntArray, BoolArray]:
    """The instants (n,) of local times in the zone of an IANA key, and which of them exist (n,).

    A time that clocks skip does not exist. Of one that occurs twice, the first counts.
    """
    zone = zone_of(key)
    minutes, number = np.unique(local_us // MINUTE_US, return_inverse=True)
    offset_us = np.zeros(len(minutes), np.int64)
    exists = np.zeros(len(minutes), np.bool_)
    for place, minute in enumerate(minutes.tolist()):
        inside_us = min(max(minute * MINUTE_US, _FIRST_US), _LAST_US)
        local = (_EPOCH + timedelta(microseconds=inside_us)).replace(tzinfo=zone)
        offset = local.utcoffset()
        assert offset is not None  # noqa: S101  (the time is an aware one)
        offset_us[place] = offset // _MICROSECOND
        exists[place] = utc_offset_us(zone, inside_us - offset // _MICROSECOND) == offset_us[place]
    return local_us - offset_us[number], exists[number]


def offset_changes(zone: ZoneInfo, start_us: int, end_us: int) -> list[tuple[int, int]]:
    """The UTC offsets in `[start_us, end_us]`, as (since, offset) in microseconds.

    The first entry is for `start_us`; each later one is at the exact instant of a change.
    """
    changes = [(start_us, utc_offset_us(zone, start_us))]
    at_us = start_us
    while at_us < end_us:
        next_us = min(at_us + _STEP_US, end_us)
        before, after = changes[-1][1], utc_offset_us(zone, next_us)
        if after != before:
            changes.append((_change_between(zone, at_us, next_us), after))
        at_us = next_us
    return changes


def _change_between(zone: ZoneInfo, low_us: int, high_us: int) -> int:
    """The first instant after `low_us` with another offset than `low_us`; `high_us` has one."""
    before = utc_offset_us(zone, low_us)
    instants = range(low_us, high_us + 1)
    return instants[
        bisect_left(instants, True, key=lambda at_us: utc_offset_us(zone, at_us) != before)
    ]
