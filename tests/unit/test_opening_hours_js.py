"""Opening hours are those that opening_hours.js 3.15.0 makes of the same text, as recorded."""

import json
from datetime import date
from pathlib import Path

from opening_hours_js.merged_hours import merged_hours
from storemon_pipeline.hours_formats.opening_hours import OpeningTimes, read_opening_hours

RECORDED = Path(__file__).parents[1] / "opening_hours_js" / "recorded.json"
FIRST, END = date(2026, 12, 21), date(2026, 12, 28)


def ours(text: str) -> list[list[int]]:
    times = read_opening_hours(text, "DE")
    assert isinstance(times, OpeningTimes)
    return merged_hours(times, FIRST, END)


def test_the_week_of_christmas_is_the_recorded_one() -> None:
    recorded = json.loads(RECORDED.read_text())
    assert len(recorded) == 200
    different = {text: theirs for text, theirs in recorded.items() if ours(text) != theirs}
    assert different == {}


def test_a_night_goes_on_into_a_day_of_an_earlier_part_alone() -> None:
    # Sunday from 22:00 to 3:00, in the week from Monday, 21 December.
    assert ours("Mo 10:00-12:00; Su 22:00-03:00") == [[0, 180], [600, 720], [9960, 10080]]
    assert ours("Su 22:00-03:00; Mo 10:00-12:00") == [[600, 720], [9960, 10080]]


def test_a_later_part_without_days_takes_the_place_of_all() -> None:
    # Here opening_hours.js adds the hours of the first part.
    every_day = [[day * 1440 + 600, day * 1440 + 720] for day in range(7)]
    assert ours("We 08:00-17:00; 10:00-12:00") == every_day
