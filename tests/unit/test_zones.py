"""Offsets of the time zones themselves; how business hours follow them is `test_calendar`'s."""

import struct
from importlib import resources
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest

from builders import us, utc
from storemon_pipeline.business_time.zones import offset_changes
from storemon_pipeline.domain.windows import HOUR_US, MINUTE_US

LONGEST_STEP_S = 6 * 3600


@pytest.mark.parametrize(
    ("zone", "start", "end", "changes"),
    [
        pytest.param(
            "America/New_York",
            "2023-03-12 06:00",
            "2023-03-12 08:00",
            [("2023-03-12 06:00", -300), ("2023-03-12 07:00", -240)],
            id="new-york-spring",
        ),
        pytest.param(
            "America/New_York",
            "2023-11-05 00:00",
            "2023-11-06 00:00",
            [("2023-11-05 00:00", -240), ("2023-11-05 06:00", -300)],
            id="new-york-autumn",
        ),
        pytest.param(
            "Australia/Lord_Howe",
            "2023-09-28 00:00",
            "2023-10-05 00:00",
            [("2023-09-28 00:00", 630), ("2023-09-30 15:30", 660)],
            id="lord-howe-spring",
        ),
        pytest.param(
            "Australia/Lord_Howe",
            "2023-03-28 00:00",
            "2023-04-05 00:00",
            [("2023-03-28 00:00", 660), ("2023-04-01 15:00", 630)],
            id="lord-howe-autumn",
        ),
        # Ramadan of 2023 lasted from 22 March to 21 April.
        pytest.param(
            "Africa/Casablanca",
            "2023-03-01 00:00",
            "2023-05-01 00:00",
            [("2023-03-01 00:00", 60), ("2023-03-19 02:00", 0), ("2023-04-23 02:00", 60)],
            id="casablanca-around-ramadan",
        ),
        pytest.param(
            "Asia/Kolkata",
            "2000-01-01 00:00",
            "2002-01-01 00:00",
            [("2000-01-01 00:00", 330)],
            id="kolkata-never",
        ),
        pytest.param(
            "America/New_York",
            "2045-03-01 00:00",
            "2045-12-01 00:00",
            [("2045-03-01 00:00", -300), ("2045-03-12 07:00", -240), ("2045-11-05 06:00", -300)],
            id="new-york-beyond-the-listed-changes",
        ),
        pytest.param(
            "America/New_York",
            "2023-03-12 07:00",
            "2023-03-12 09:00",
            [("2023-03-12 07:00", -240)],
            id="a-change-at-the-start-is-over",
        ),
        pytest.param(
            "America/New_York",
            "2023-03-12 05:00",
            "2023-03-12 07:00",
            [("2023-03-12 05:00", -300), ("2023-03-12 07:00", -240)],
            id="a-change-at-the-end-is-told",
        ),
        pytest.param(
            "America/New_York",
            "2023-03-12 07:00",
            "2023-03-12 07:00",
            [("2023-03-12 07:00", -240)],
            id="a-single-instant",
        ),
    ],
)
def test_offsets_come_with_the_instants_of_their_changes(
    zone: str, start: str, end: str, changes: list[tuple[str, int]]
) -> None:
    found = offset_changes(ZoneInfo(zone), us(utc(start)), us(utc(end)))
    assert found == [(us(utc(since)), minutes * MINUTE_US) for since, minutes in changes]


def test_a_change_is_found_wherever_the_search_starts() -> None:
    change = us(utc("2023-03-12 07:00"))
    for ahead in range(1, 14):
        start = change - ahead * HOUR_US + 1
        found = offset_changes(ZoneInfo("America/New_York"), start, change + 20 * HOUR_US)
        assert [since for since, _ in found] == [start, change]


def test_no_zone_changes_its_offset_twice_within_six_hours() -> None:
    # A look every six hours then misses none.
    shortest = {
        zone: min((after - before for before, after in pairwise(changes)), default=None)
        for zone, changes in ((zone, listed_changes(zone)) for zone in available_timezones())
    }
    assert len(shortest) > 400
    too_short = {
        zone: seconds
        for zone, seconds in shortest.items()
        if seconds is not None and seconds <= LONGEST_STEP_S
    }
    assert too_short == {}


def listed_changes(zone: str) -> list[int]:
    """Read the changes of offset, in seconds since 1970, from the zone's TZif file (RFC 9636)."""
    data = zone_file(zone)
    _, start = read_block(data, 0, time_bytes=4)
    offsets, _ = read_block(data, start, time_bytes=8)
    return [at for (_, before), (at, after) in pairwise(offsets) if before != after]


def zone_file(zone: str) -> bytes:
    return resources.files("tzdata").joinpath("zoneinfo", zone).read_bytes()


def read_block(data: bytes, start: int, *, time_bytes: int) -> tuple[list[tuple[int, int]], int]:
    """Give (since, offset) of one data block, and where the next block starts."""
    isutcnt, isstdcnt, leapcnt, timecnt, typecnt, charcnt = struct.unpack_from(
        ">6L", data, start + 20
    )
    times_at = start + 44
    types_at = times_at + timecnt * time_bytes
    kinds_at = types_at + timecnt
    end = kinds_at + typecnt * 6 + charcnt + leapcnt * (time_bytes + 4) + isstdcnt + isutcnt
    times = struct.unpack_from(f">{timecnt}{'q' if time_bytes == 8 else 'l'}", data, times_at)
    kinds = data[types_at:kinds_at]
    offsets = [struct.unpack_from(">l", data, kinds_at + 6 * kind)[0] for kind in range(typecnt)]
    return [(at, offsets[kind]) for at, kind in zip(times, kinds, strict=True)], end
