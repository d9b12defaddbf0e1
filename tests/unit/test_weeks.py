"""Business-hour rows as intervals of the local week; dates and zones are `test_calendar`'s."""

import numpy as np
import pytest

from builders import weeks
from storemon_pipeline.business_time.weeks import normalise_weeks
from storemon_pipeline.domain.windows import DAY_US, HOUR_US, MINUTE_US, SECOND_US

# Expected bounds are hours since local Monday 00:00: Wednesday begins at 48, Sunday at 144, and
# the week ends at 168. A minute is 1/60.
MINUTE = 1 / 60


@pytest.mark.parametrize(
    ("rows", "intervals"),
    [
        pytest.param(["Wed 09:00-17:00"], [(57, 65)], id="one-day"),
        pytest.param(["Mon 0:00-6:00"], [(0, 6)], id="one-digit-hours"),
        pytest.param(
            ["Wed 09:00-12:00", "Wed 14:00-18:00"], [(57, 60), (62, 66)], id="split-by-a-break"
        ),
        pytest.param(
            ["Wed 14:00-18:00", "Wed 09:00-12:00"], [(57, 60), (62, 66)], id="split-in-any-order"
        ),
        pytest.param(["Wed 09:00-14:00", "Wed 12:00-18:00"], [(57, 66)], id="overlapping"),
        pytest.param(["Wed 09:00-18:00", "Wed 12:00-14:00"], [(57, 66)], id="one-inside-another"),
        pytest.param(["Wed 09:00-18:00", "Wed 09:00-18:00"], [(57, 66)], id="the-same-row-twice"),
        pytest.param(["Wed 09:00-12:00", "Wed 12:00-18:00"], [(57, 66)], id="touching"),
        pytest.param(
            ["Wed 09:00-20:00", "Wed 10:00-11:00", "Wed 19:00-21:00"],
            [(57, 69)],
            id="a-long-one-reaches-over-a-short-one",
        ),
        pytest.param(["Wed 22:00-02:00"], [(70, 74)], id="overnight"),
        pytest.param(
            ["Wed 22:00-02:00", "Thu 01:00-05:00"], [(70, 77)], id="overnight-overlaps-next-day"
        ),
        pytest.param(["Wed 10:00-00:00"], [(58, 72)], id="an-end-at-0:00-is-midnight"),
        pytest.param(["Wed 10:00-24:00"], [(58, 72)], id="an-end-at-24:00-is-midnight"),
        pytest.param(["Wed 10:00-23:59:00"], [(58, 72)], id="an-end-at-23:59:00-is-midnight"),
        pytest.param(["Wed 10:00-23:59:59.5"], [(58, 72)], id="an-end-at-23:59:59.5-is-midnight"),
        pytest.param(
            ["Wed 10:00-23:58:59"], [(58, 72 - 61 / 3600)], id="an-end-at-23:58:59-stays-as-it-is"
        ),
        pytest.param(["Wed 10:00-24:00", "Thu 00:00-06:00"], [(58, 78)], id="touching-at-midnight"),
        pytest.param(
            ["Wed 10:00-23:59", "Thu 00:00-06:00"], [(58, 78)], id="no-minute-lost-at-midnight"
        ),
        pytest.param(["Wed 10:00-10:00"], [(58, 82)], id="equal-ends-are-24-hours"),
        pytest.param(["Wed 00:00-00:00"], [(48, 72)], id="equal-ends-at-midnight-are-the-day"),
        pytest.param(["Wed 00:00-24:00"], [(48, 72)], id="the-whole-day"),
        pytest.param(
            ["Wed 23:59:00-23:59:00"],
            [(72 - MINUTE, 72)],
            id="equal-ends-in-the-last-minute-end-at-midnight",
        ),
        pytest.param(
            ["Wed 23:59:30-23:59:10"],
            [(72 - MINUTE / 2, 72)],
            id="a-late-end-means-midnight-before-it-means-tomorrow",
        ),
        pytest.param(
            ["Wed 23:59:00-00:10:00"],
            [(72 - MINUTE, 72 + 10 * MINUTE)],
            id="a-start-at-23:59-stays",
        ),
        pytest.param(["Sun 22:00-24:00"], [(166, 168)], id="sunday-to-midnight"),
        pytest.param(["Sun 22:00-02:00"], [(0, 2), (166, 168)], id="sunday-night-is-monday-too"),
        pytest.param(
            ["Sun 22:00-02:00", "Mon 01:00-05:00"],
            [(0, 5), (166, 168)],
            id="sunday-night-overlaps-monday",
        ),
        pytest.param(
            ["Sun 12:00-12:00"], [(0, 12), (156, 168)], id="equal-ends-on-sunday-wrap-around"
        ),
        pytest.param(["Wed 17:00-26:00"], [(65, 74)], id="an-end-at-26:00-is-2:00-of-the-next-day"),
        pytest.param(["Wed 10:00-24:00:01"], [(58, 72 + 1 / 3600)], id="a-second-past-midnight"),
        pytest.param(["Wed 25:00-26:00"], [(73, 74)], id="both-on-the-next-day"),
        pytest.param(["Wed 24:00-26:00"], [(72, 74)], id="a-start-at-24:00-is-the-next-midnight"),
        pytest.param(["Wed 26:00-02:00"], [(74, 98)], id="the-same-time-of-day-is-24-hours"),
        pytest.param(["Wed 30:00-03:00"], [(78, 99)], id="an-end-before-a-start-on-the-next-day"),
        pytest.param(["Wed 25:00-23:59"], [(73, 96)], id="midnight-after-a-start-on-the-next-day"),
        pytest.param(["Wed 00:00-48:00"], [(48, 96)], id="two-whole-days"),
        pytest.param(["Wed 48:00-48:00"], [(96, 120)], id="a-day-from-48:00-on"),
        pytest.param(["Sun 17:00-26:00"], [(0, 2), (161, 168)], id="26:00-of-sunday-is-monday"),
        pytest.param(["Sun 26:00-28:00"], [(2, 4)], id="a-start-past-sunday-is-monday"),
        pytest.param(["Sat 20:00-48:00"], [(140, 168)], id="48:00-of-saturday-ends-the-week"),
        pytest.param(["daily 00:00-24:00"], [(0, 168)], id="every-whole-day"),
        pytest.param(["daily 10:00-10:00"], [(0, 168)], id="24-hours-from-ten-every-day"),
        pytest.param(["daily 00:00-23:59"], [(0, 168)], id="every-day-to-23:59"),
        pytest.param(
            ["Mon-Tue 09:00-17:00", "Sat 10:00-14:00"],
            [(9, 17), (33, 41), (130, 134)],
            id="some-weekdays-only",
        ),
    ],
)
def test_rows_become_merged_intervals_of_the_week(
    rows: list[str], intervals: list[tuple[float, float]]
) -> None:
    week = weeks(*rows)
    starts, ends = week.start_us.tolist(), week.end_us.tolist()
    assert list(zip(starts, ends, strict=True)) == [
        (round(start * HOUR_US), round(end * HOUR_US)) for start, end in intervals
    ]
    assert week.week.tolist() == [0] * len(intervals)


def test_patterns_do_not_touch_each_other() -> None:
    # Pattern 4 ends with Sunday where pattern 7 begins with Monday; both hold Wednesday's hours.
    week = normalise_weeks(
        np.array([7, 4, 4, 7]),
        np.array([0, 6, 2, 2]),
        np.array([0, 20, 9, 10]) * HOUR_US,
        np.array([5, 24, 17, 18]) * HOUR_US,
    )
    assert week.week.tolist() == [4, 4, 7, 7]
    assert (week.start_us // HOUR_US).tolist() == [57, 164, 0, 58]
    assert (week.end_us // HOUR_US).tolist() == [65, 168, 5, 66]


def test_a_night_that_wraps_stays_in_its_own_pattern() -> None:
    week = normalise_weeks(
        np.array([0, 1]), np.array([6, 6]), np.array([22, 20]) * HOUR_US, np.array([2, 1]) * HOUR_US
    )
    assert week.week.tolist() == [0, 0, 1, 1]
    assert (week.start_us // HOUR_US).tolist() == [0, 166, 0, 164]
    assert (week.end_us // HOUR_US).tolist() == [2, 168, 1, 168]


def test_microseconds_are_kept() -> None:
    week = normalise_weeks(
        np.array([0]),
        np.array([0]),
        np.array([HOUR_US + 1]),
        np.array([DAY_US - MINUTE_US - SECOND_US + 999_999]),
    )
    assert week.start_us.tolist() == [3_600_000_001]
    assert week.end_us.tolist() == [86_339_999_999]


def test_no_rows_make_no_intervals() -> None:
    none = np.empty(0, np.int64)
    week = normalise_weeks(none, none, none, none)
    assert (len(week.week), len(week.start_us), len(week.end_us)) == (0, 0, 0)


def test_the_order_of_rows_does_not_matter() -> None:
    rows = ["daily 22:00-02:00", "Wed 09:00-14:00", "Wed 12:00-18:00", "Sun 01:00-23:30"]
    forward, backward = weeks(*rows), weeks(*reversed(rows))
    assert forward.start_us.tolist() == backward.start_us.tolist()
    assert forward.end_us.tolist() == backward.end_us.tolist()
