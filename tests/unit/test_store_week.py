"""A store's week as the API shows it, by hand."""

from itertools import pairwise

import pytest

from storemon_api.stores.week_responses import open_intervals

HOUR = 3_600_000_000
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
EVERY_DAY = [f"{day} 00:00:00 to 24:00:00" for day in DAYS]


def week(*spans: tuple[float, float]) -> list[str]:
    """Show intervals that are given in hours since Monday."""
    shown = open_intervals([int(a * HOUR) for a, _ in spans], [int(b * HOUR) for _, b in spans])
    return [f"{DAYS[one.day_of_week]} {one.start} to {one.end}" for one in shown]


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        pytest.param([(0, 168)], EVERY_DAY, id="always open"),
        pytest.param([], [], id="never open"),
        pytest.param(
            [(9, 17.5), (33, 41)],
            ["Mon 09:00:00 to 17:30:00", "Tue 09:00:00 to 17:00:00"],
            id="by day",
        ),
        pytest.param([(18, 26)], ["Mon 18:00:00 to 26:00:00"], id="past midnight"),
        pytest.param([(0, 2), (162, 168)], ["Sun 18:00:00 to 26:00:00"], id="into the next week"),
        pytest.param(
            [(0, 2), (9, 17), (162, 168)],
            ["Mon 09:00:00 to 17:00:00", "Sun 18:00:00 to 26:00:00"],
            id="into a Monday with hours of its own",
        ),
        pytest.param([(120, 168)], EVERY_DAY[5:], id="a weekend"),
        pytest.param(
            [(114, 146)],
            ["Fri 18:00:00 to 24:00:00", "Sat 00:00:00 to 24:00:00", "Sun 00:00:00 to 02:00:00"],
            id="longer than a day",
        ),
        pytest.param(
            [(0, 12), (132, 168)],
            ["Mon 00:00:00 to 12:00:00", "Sat 12:00:00 to 24:00:00", "Sun 00:00:00 to 24:00:00"],
            id="longer than a day into the next week",
        ),
        pytest.param(
            [(0, 24), (144, 168)],
            ["Mon 00:00:00 to 24:00:00", "Sun 00:00:00 to 24:00:00"],
            id="two whole days around the end of the week",
        ),
    ],
)
def test_a_week_is_shown_by_day(spans: list[tuple[float, float]], expected: list[str]) -> None:
    assert week(*spans) == expected


def test_a_week_is_in_order_of_its_days() -> None:
    shown = open_intervals([0, 30 * HOUR, 130 * HOUR], [10 * HOUR, 90 * HOUR, 168 * HOUR])
    assert all(a.day_of_week <= b.day_of_week for a, b in pairwise(shown))
    assert [one.day_of_week for one in shown] == [0, 1, 2, 3, 5, 6]
