"""Business time of a store between two instants; what is up and down is `test_figures`' matter.

Every row is put to the engine and to the oracle alike, so that both are held to numbers made by
hand.
"""

from datetime import datetime, timedelta

import numpy as np
import pytest

import oracle
from builders import (
    RECKONERS,
    STORE,
    Reckoner,
    calendar,
    closure,
    hours,
    span,
    special,
    us,
    utc,
    zone,
)
from oracle import Inputs
from outage_laws import made_up_hours
from storemon_pipeline.domain.windows import HOUR_US

both_reckoners = pytest.mark.parametrize(
    "reckoner", [pytest.param(reckoner, id=name) for name, reckoner in RECKONERS.items()]
)

# Whole local Sundays on which clocks change, as UTC. New York goes from -5 to -4 at 2:00 and back
# at 2:00; Berlin from +1 to +2 at 2:00 and back at 3:00; Lord Howe from +10:30 to +11 at 2:00 and
# back at 2:00; Santiago from -4 to -3 at 0:00 and back at 24:00 of the Saturday.
SUNDAYS = {
    ("America/New_York", "spring"): ("2023-03-12 05:00", "2023-03-13 04:00"),
    ("America/New_York", "autumn"): ("2023-11-05 04:00", "2023-11-06 05:00"),
    ("Europe/Berlin", "spring"): ("2023-03-25 23:00", "2023-03-26 22:00"),
    ("Europe/Berlin", "autumn"): ("2023-10-28 22:00", "2023-10-29 23:00"),
    ("Australia/Lord_Howe", "spring"): ("2023-09-30 13:30", "2023-10-01 13:00"),
    ("Australia/Lord_Howe", "autumn"): ("2023-04-01 13:00", "2023-04-02 13:30"),
    ("America/Santiago", "spring"): ("2023-09-03 04:00", "2023-09-04 03:00"),
    ("America/Santiago", "autumn"): ("2023-04-02 04:00", "2023-04-03 04:00"),
}
NEW_YORK, BERLIN, LORD_HOWE = "America/New_York", "Europe/Berlin", "Australia/Lord_Howe"
SANTIAGO = "America/Santiago"


@both_reckoners
@pytest.mark.parametrize(
    ("timezone", "season", "rows", "expected"),
    [
        pytest.param(NEW_YORK, "spring", [], "23h", id="new-york-spring-always-open"),
        pytest.param(NEW_YORK, "autumn", [], "25h", id="new-york-autumn-always-open"),
        pytest.param(NEW_YORK, "spring", ["Sun 00:00-06:00"], "5h", id="new-york-spring-night"),
        pytest.param(NEW_YORK, "autumn", ["Sun 00:00-06:00"], "7h", id="new-york-autumn-night"),
        pytest.param(
            NEW_YORK, "spring", ["Sun 02:00-03:00"], "0h", id="new-york-spring-skipped-hour"
        ),
        pytest.param(
            NEW_YORK, "autumn", ["Sun 01:00-02:00"], "2h", id="new-york-autumn-repeated-hour"
        ),
        # 1:30 to 2:00 once, then the clock shows 3:00.
        pytest.param(
            NEW_YORK, "spring", ["Sun 01:30-02:30"], "30m", id="new-york-spring-into-the-skip"
        ),
        # 1:30 to 2:00 twice, then 2:00 to 2:30.
        pytest.param(
            NEW_YORK, "autumn", ["Sun 01:30-02:30"], "90m", id="new-york-autumn-out-of-the-repeat"
        ),
        pytest.param(
            NEW_YORK, "spring", ["Sun 02:30-03:30"], "30m", id="new-york-spring-out-of-the-skip"
        ),
        # 0:30 to 1:30, and 1:00 to 1:30 again.
        pytest.param(
            NEW_YORK, "autumn", ["Sun 00:30-01:30"], "90m", id="new-york-autumn-into-the-repeat"
        ),
        # Of the night from Saturday only the part after midnight lies in the Sunday.
        pytest.param(
            NEW_YORK, "spring", ["Sat 22:00-06:00"], "5h", id="new-york-spring-tail-of-the-night"
        ),
        pytest.param(
            NEW_YORK, "autumn", ["Sat 22:00-06:00"], "7h", id="new-york-autumn-tail-of-the-night"
        ),
        pytest.param(NEW_YORK, "spring", ["Sun 09:00-17:00"], "8h", id="new-york-spring-afternoon"),
        pytest.param(NEW_YORK, "autumn", ["Sun 09:00-17:00"], "8h", id="new-york-autumn-afternoon"),
        pytest.param(
            NEW_YORK, "spring", ["Sun 00:00-24:00"], "23h", id="new-york-spring-whole-day"
        ),
        pytest.param(
            NEW_YORK, "autumn", ["Sun 00:00-24:00"], "25h", id="new-york-autumn-whole-day"
        ),
        pytest.param(
            NEW_YORK, "spring", ["Sat-Sun 10:00-10:00"], "23h", id="new-york-spring-equal-ends"
        ),
        pytest.param(
            NEW_YORK, "autumn", ["Sat-Sun 10:00-10:00"], "25h", id="new-york-autumn-equal-ends"
        ),
        pytest.param(BERLIN, "spring", [], "23h", id="berlin-spring-always-open"),
        pytest.param(BERLIN, "autumn", [], "25h", id="berlin-autumn-always-open"),
        pytest.param(BERLIN, "spring", ["Sun 00:00-06:00"], "5h", id="berlin-spring-night"),
        pytest.param(BERLIN, "autumn", ["Sun 00:00-06:00"], "7h", id="berlin-autumn-night"),
        pytest.param(BERLIN, "spring", ["Sun 02:00-03:00"], "0h", id="berlin-spring-skipped-hour"),
        pytest.param(BERLIN, "autumn", ["Sun 02:00-03:00"], "2h", id="berlin-autumn-repeated-hour"),
        pytest.param(
            BERLIN, "spring", ["Sun 01:15-02:45"], "45m", id="berlin-spring-into-the-skip"
        ),
        # 1:15 to 2:45, and 2:00 to 2:45 again.
        pytest.param(
            BERLIN, "autumn", ["Sun 01:15-02:45"], "2h 15m", id="berlin-autumn-into-the-repeat"
        ),
        pytest.param(LORD_HOWE, "spring", [], "23.5h", id="lord-howe-spring-always-open"),
        pytest.param(LORD_HOWE, "autumn", [], "24.5h", id="lord-howe-autumn-always-open"),
        pytest.param(LORD_HOWE, "spring", ["Sun 00:00-06:00"], "5.5h", id="lord-howe-spring-night"),
        pytest.param(LORD_HOWE, "autumn", ["Sun 00:00-06:00"], "6.5h", id="lord-howe-autumn-night"),
        pytest.param(
            LORD_HOWE, "spring", ["Sun 02:00-02:30"], "0h", id="lord-howe-spring-skipped-half-hour"
        ),
        pytest.param(
            LORD_HOWE, "autumn", ["Sun 01:30-02:00"], "1h", id="lord-howe-autumn-repeated-half-hour"
        ),
        # 1:45 to 2:00, then the clock shows 2:30.
        pytest.param(
            LORD_HOWE, "spring", ["Sun 01:45-02:15"], "15m", id="lord-howe-spring-into-the-skip"
        ),
        # 1:45 to 2:00 twice, then 2:00 to 2:15.
        pytest.param(
            LORD_HOWE, "autumn", ["Sun 01:45-02:15"], "45m", id="lord-howe-autumn-across-the-repeat"
        ),
        pytest.param(
            SANTIAGO, "spring", ["Sun 00:00-01:00"], "0h", id="santiago-spring-skips-midnight"
        ),
        pytest.param(
            SANTIAGO, "spring", ["Sat 22:00-02:00"], "1h", id="santiago-spring-night-over-the-skip"
        ),
        pytest.param(
            SANTIAGO, "autumn", ["Sun 00:00-01:00"], "1h", id="santiago-autumn-sunday-is-whole"
        ),
    ],
)
def test_hours_follow_the_wall_clock_on_the_day_that_clocks_change(
    reckoner: Reckoner, timezone: str, season: str, rows: list[str], expected: str
) -> None:
    start, end = map(utc, SUNDAYS[timezone, season])
    inputs = Inputs(hours=hours(*rows), zones=[zone(timezone)])
    assert reckoner.business_time(inputs, STORE, start, end) == span(expected)


@both_reckoners
@pytest.mark.parametrize(
    ("start", "end", "rows", "expected"),
    [
        # The Saturday from 23:00 to 24:00 comes twice; after the first time the clock goes back.
        pytest.param(
            "2023-04-01 03:00", "2023-04-02 04:00", ["Sat 23:00-24:00"], "2h", id="autumn"
        ),
        pytest.param(
            "2023-09-02 04:00", "2023-09-03 04:00", ["Sat 23:00-24:00"], "1h", id="spring"
        ),
        pytest.param(
            "2023-04-01 03:00", "2023-04-03 04:00", ["Sat 22:00-02:00"], "5h", id="autumn-night"
        ),
        pytest.param(
            "2023-09-02 04:00", "2023-09-04 03:00", ["Sat 22:00-02:00"], "3h", id="spring-night"
        ),
    ],
)
def test_a_change_at_midnight_belongs_to_the_weekday_on_the_clock(
    reckoner: Reckoner, start: str, end: str, rows: list[str], expected: str
) -> None:
    inputs = Inputs(hours=hours(*rows), zones=[zone(SANTIAGO)])
    assert reckoner.business_time(inputs, STORE, utc(start), utc(end)) == span(expected)


@both_reckoners
@pytest.mark.parametrize(
    ("timezone", "start", "rows", "expected"),
    [
        # They end on the Monday after the change at local noon, and so begin on the Monday before
        # at 11:00 in spring and at 13:00 in autumn.
        pytest.param(NEW_YORK, "2023-03-06 16:00", [], "168h", id="spring-always-open"),
        pytest.param(NEW_YORK, "2023-10-30 17:00", [], "168h", id="autumn-always-open"),
        # 6 h of the first Monday, six days of 8 h, 3 h of the last; in autumn 4 h of the first.
        pytest.param(
            NEW_YORK, "2023-03-06 16:00", ["daily 09:00-17:00"], "57h", id="spring-daytime"
        ),
        pytest.param(
            NEW_YORK, "2023-10-30 17:00", ["daily 09:00-17:00"], "55h", id="autumn-daytime"
        ),
        # Seven nights of eight hours, one of them an hour shorter or longer.
        pytest.param(NEW_YORK, "2023-03-06 16:00", ["daily 22:00-06:00"], "55h", id="spring-night"),
        pytest.param(NEW_YORK, "2023-10-30 17:00", ["daily 22:00-06:00"], "57h", id="autumn-night"),
        pytest.param(
            LORD_HOWE, "2023-09-25 01:00", ["daily 22:00-06:00"], "55.5h", id="spring-half-hour"
        ),
        pytest.param(
            LORD_HOWE, "2023-03-27 01:30", ["daily 22:00-06:00"], "56.5h", id="autumn-half-hour"
        ),
    ],
)
def test_a_week_is_168_elapsed_hours_across_a_clock_change(
    reckoner: Reckoner, timezone: str, start: str, rows: list[str], expected: str
) -> None:
    inputs = Inputs(hours=hours(*rows), zones=[zone(timezone)])
    end = utc(start) + timedelta(hours=168)
    assert reckoner.business_time(inputs, STORE, utc(start), end) == span(expected)


# 2023-01-25 was a Wednesday. The span is that day, UTC, in the zone UTC.
@both_reckoners
@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param([], "24h", id="no-rows-are-always-open"),
        pytest.param(["Wed 09:00-17:00"], "8h", id="one-interval"),
        pytest.param(["Thu 09:00-17:00"], "0h", id="a-weekday-without-rows-is-closed"),
        pytest.param(["Mon-Tue 09:00-17:00"], "0h", id="some-other-weekdays-only"),
        pytest.param(["Wed 09:00-12:00", "Wed 14:00-18:00"], "7h", id="split"),
        pytest.param(["Wed 09:00-14:00", "Wed 12:00-18:00"], "9h", id="overlapping"),
        pytest.param(["Wed 09:00-12:00", "Wed 12:00-18:00"], "9h", id="touching"),
        pytest.param(["Wed 09:00-17:00", "Wed 09:00-17:00"], "8h", id="the-same-row-twice"),
        pytest.param(["Wed 22:00-02:00"], "2h", id="overnight-begins-here"),
        pytest.param(["Tue 22:00-02:00"], "2h", id="overnight-ends-here"),
        pytest.param(["daily 22:00-02:00"], "4h", id="overnight-on-both-sides"),
        pytest.param(["Tue-Wed 22:00-02:00", "Wed 01:00-03:00"], "5h", id="overnight-overlapped"),
        pytest.param(["Wed 10:00-24:00"], "14h", id="to-24:00"),
        pytest.param(["Wed 10:00-00:00"], "14h", id="to-0:00"),
        pytest.param(["Wed 10:00-23:59:00"], "14h", id="to-23:59:00"),
        pytest.param(["Wed 10:00-23:59:59.5"], "14h", id="to-23:59:59.5"),
        pytest.param(["Wed 10:00-23:58:59"], "13h 58m 59s", id="to-23:58:59"),
        pytest.param(["Wed 00:00-23:59"], "24h", id="the-day-to-23:59"),
        pytest.param(["Wed 00:00-00:00"], "24h", id="equal-ends-at-midnight"),
        pytest.param(["Wed 10:00-10:00"], "14h", id="equal-ends-begin-here"),
        pytest.param(["Tue 10:00-10:00"], "10h", id="equal-ends-end-here"),
        pytest.param(["Wed 23:59:30-23:59:10"], "30s", id="both-ends-in-the-last-minute"),
        pytest.param(["Wed 09:00:00.25-09:00:00.75"], "500000us", id="half-a-second"),
    ],
)
def test_a_day_in_utc_has_the_hours_of_its_rows(
    reckoner: Reckoner, rows: list[str], expected: str
) -> None:
    inputs = Inputs(hours=hours(*rows), zones=[zone("UTC")])
    start, end = utc("2023-01-25 00:00"), utc("2023-01-26 00:00")
    assert reckoner.business_time(inputs, STORE, start, end) == span(expected)


@both_reckoners
@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        # Monday 2023-01-23, UTC: only what Sunday's night leaves over.
        pytest.param(["Sun 22:00-02:00"], "2h", id="sunday-night-runs-into-monday"),
        pytest.param(["Sun 12:00-12:00"], "12h", id="sunday's-24-hours-run-into-monday"),
        pytest.param(["Sun 22:00-02:00", "Mon 01:00-05:00"], "5h", id="and-overlaps-monday"),
        pytest.param(["Sun 10:00-24:00"], "0h", id="sunday-to-24:00-does-not"),
        pytest.param(["Sun 10:00-23:59"], "0h", id="sunday-to-23:59-does-not"),
    ],
)
def test_a_sunday_night_goes_on_on_monday(
    reckoner: Reckoner, rows: list[str], expected: str
) -> None:
    inputs = Inputs(hours=hours(*rows), zones=[zone("UTC")])
    start, end = utc("2023-01-23 00:00"), utc("2023-01-24 00:00")
    assert reckoner.business_time(inputs, STORE, start, end) == span(expected)


@both_reckoners
@pytest.mark.parametrize(
    ("timezone", "row", "opens"),
    [
        # Standard and daylight saving time of today, not the local mean time before about 1900:
        # that would be -4:56 in New York, -5:51 in Chicago, +0:53 in Berlin, +5:53 in Kolkata,
        # +5:41 in Kathmandu, +0:20 in Amsterdam.
        pytest.param(NEW_YORK, "Wed 09:00-10:00", "2023-01-25 14:00", id="new-york-winter"),
        pytest.param(NEW_YORK, "Wed 09:00-10:00", "2023-07-26 13:00", id="new-york-summer"),
        pytest.param(BERLIN, "Wed 09:00-10:00", "2023-01-25 08:00", id="berlin-winter"),
        pytest.param(BERLIN, "Wed 09:00-10:00", "2023-07-26 07:00", id="berlin-summer"),
        pytest.param("Europe/Amsterdam", "Wed 09:00-10:00", "2023-01-25 08:00", id="amsterdam"),
        pytest.param("Asia/Kolkata", "Wed 09:00-10:00", "2023-01-25 03:30", id="kolkata-winter"),
        pytest.param("Asia/Kolkata", "Wed 09:00-10:00", "2023-07-26 03:30", id="kolkata-summer"),
        pytest.param("Asia/Kathmandu", "Wed 09:00-10:00", "2023-01-25 03:15", id="kathmandu"),
        pytest.param(LORD_HOWE, "Wed 09:00-10:00", "2023-01-24 22:00", id="lord-howe-summer"),
        pytest.param(LORD_HOWE, "Wed 09:00-10:00", "2023-07-25 22:30", id="lord-howe-winter"),
        # The weekday is the one on the local clock.
        pytest.param("Asia/Tokyo", "Mon 03:00-04:00", "2023-01-22 18:00", id="tokyo-is-ahead"),
        pytest.param("Pacific/Honolulu", "Sun 20:00-21:00", "2023-01-23 06:00", id="honolulu-lags"),
        pytest.param(
            "Pacific/Kiritimati", "Mon 00:00-01:00", "2023-01-22 10:00", id="kiritimati-is-14-ahead"
        ),
        # The offset at that time, not today's: Kwajalein was 12 hours behind until 1993, Nepal
        # 5:30 ahead until 1986, Moscow 4:00 ahead in January 2012.
        pytest.param(
            "Pacific/Kwajalein", "Wed 09:00-10:00", "1993-01-20 21:00", id="kwajalein-before-1993"
        ),
        pytest.param("Asia/Kathmandu", "Wed 09:00-10:00", "1985-01-23 03:30", id="kathmandu-1985"),
        pytest.param("Europe/Moscow", "Wed 09:00-10:00", "2012-01-25 05:00", id="moscow-2012"),
        pytest.param("Europe/Moscow", "Wed 09:00-10:00", "2023-01-25 06:00", id="moscow-2023"),
        # Beyond the last change that the zone's file lists one by one.
        pytest.param(NEW_YORK, "Wed 09:00-10:00", "2045-01-25 14:00", id="new-york-winter-2045"),
        pytest.param(NEW_YORK, "Wed 09:00-10:00", "2045-07-26 13:00", id="new-york-summer-2045"),
    ],
)
def test_local_hours_begin_at_the_offset_of_their_day(
    reckoner: Reckoner, timezone: str, row: str, opens: str
) -> None:
    inputs = Inputs(hours=hours(row), zones=[zone(timezone)])
    hour, start = timedelta(hours=1), utc(opens)
    assert reckoner.business_time(inputs, STORE, start, start + hour) == HOUR_US
    assert reckoner.business_time(inputs, STORE, start - hour, start) == 0
    assert reckoner.business_time(inputs, STORE, start + hour, start + 2 * hour) == 0


@both_reckoners
@pytest.mark.parametrize(
    "opens",
    [
        pytest.param("2023-01-25 15:00", id="winter"),
        pytest.param("2023-07-26 14:00", id="summer"),
        pytest.param("2023-03-15 14:00", id="after-spring"),
        pytest.param("2023-11-08 15:00", id="after-autumn"),
    ],
)
def test_a_store_without_a_zone_is_in_chicago(reckoner: Reckoner, opens: str) -> None:
    inputs = Inputs(hours=hours("Wed 09:00-10:00"))
    hour, start = timedelta(hours=1), utc(opens)
    assert reckoner.business_time(inputs, STORE, start, start + hour) == HOUR_US
    assert reckoner.business_time(inputs, STORE, start - hour, start) == 0


@both_reckoners
def test_a_store_without_a_zone_is_in_chicago_beside_stores_with_one(reckoner: Reckoner) -> None:
    inputs = Inputs(
        hours=[*hours("Wed 09:00-10:00"), *hours("Wed 09:00-10:00", store_id="other")],
        zones=[zone("Asia/Tokyo", store_id="other")],
    )
    tokyo, chicago = utc("2023-01-25 00:00"), utc("2023-01-25 15:00")
    hour = timedelta(hours=1)
    assert reckoner.business_time(inputs, STORE, tokyo, tokyo + hour) == 0
    assert reckoner.business_time(inputs, STORE, chicago, chicago + hour) == HOUR_US
    assert reckoner.business_time(inputs, "other", tokyo, tokyo + hour) == HOUR_US
    assert reckoner.business_time(inputs, "other", chicago, chicago + hour) == 0


@both_reckoners
def test_a_local_day_that_never_was_has_no_business_time(reckoner: Reckoner) -> None:
    # Samoa went from -10 to +14 at the end of Thursday 2011-12-29: the next day was a Saturday.
    inputs = Inputs(hours=hours("Thu-Sat 09:00-17:00"), zones=[zone("Pacific/Apia")])
    start, end = utc("2011-12-29 10:00"), utc("2011-12-31 10:00")
    assert reckoner.business_time(inputs, STORE, start, end) == span("16h")


# A week of Monday 2023-01-23 to Monday 2023-01-30, UTC. Daytime is 8 h a day, half days are 4 h.
WEEK_START, WEEK_END = utc("2023-01-23 00:00"), utc("2023-01-30 00:00")
DAYTIME, HALF_DAYS = "daily 09:00-17:00", "daily 09:00-13:00"


@both_reckoners
@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param([*hours(DAYTIME)], "56h", id="one-version-for-always"),
        # Until Thursday 0:00 three days of 8 h, then four of 4 h.
        pytest.param(
            [*hours(DAYTIME), *hours(HALF_DAYS, valid_from=utc("2023-01-26 00:00"))],
            "40h",
            id="a-new-version-on-thursday",
        ),
        # On Thursday 11:00 to 13:00 of the new hours are left: 3 * 8 + 2 + 2 + 3 * 4.
        pytest.param(
            [*hours(DAYTIME), *hours(HALF_DAYS, valid_from=utc("2023-01-26 11:00"))],
            "40h",
            id="a-new-version-in-the-middle-of-a-day",
        ),
        # After 14:00 the new hours of that Thursday are over: 3 * 8 + 5 + 3 * 4.
        pytest.param(
            [*hours(DAYTIME), *hours(HALF_DAYS, valid_from=utc("2023-01-26 14:00"))],
            "41h",
            id="a-new-version-in-the-afternoon",
        ),
        pytest.param(
            [*hours(DAYTIME), *hours(HALF_DAYS, valid_from=utc("2023-01-20 00:00"))],
            "28h",
            id="a-new-version-before-the-span",
        ),
        pytest.param(
            [*hours(DAYTIME), *hours(HALF_DAYS, valid_from=WEEK_START)],
            "28h",
            id="a-new-version-from-the-very-start",
        ),
        pytest.param(
            [*hours(DAYTIME), *hours(HALF_DAYS, valid_from=WEEK_END)],
            "56h",
            id="a-new-version-from-the-very-end",
        ),
        pytest.param(
            [*hours(DAYTIME), *hours(HALF_DAYS, valid_from=utc("2023-02-02 00:00"))],
            "56h",
            id="a-new-version-after-the-span",
        ),
        # Always open until Thursday 0:00 (72 h), then four half days.
        pytest.param(
            [*hours(HALF_DAYS, valid_from=utc("2023-01-26 00:00"))],
            "88h",
            id="before-the-first-version-always-open",
        ),
        # Tuesday to Wednesday half days, the others whole: 5 * 8 + 2 * 4.
        pytest.param(
            [
                *hours(DAYTIME),
                *hours(HALF_DAYS, valid_from=utc("2023-01-24 00:00")),
                *hours(DAYTIME, valid_from=utc("2023-01-26 00:00")),
            ],
            "48h",
            id="there-and-back",
        ),
        # Loading order does not matter where starts differ.
        pytest.param(
            [
                *hours(DAYTIME, loaded_at=utc("2023-01-02")),
                *hours(HALF_DAYS, valid_from=utc("2023-01-26 00:00"), loaded_at=utc("2023-01-01")),
            ],
            "40h",
            id="the-later-start-counts-although-loaded-first",
        ),
        pytest.param(
            [
                *hours(DAYTIME, valid_from=utc("2023-01-26"), loaded_at=utc("2023-01-01")),
                *hours(HALF_DAYS, valid_from=utc("2023-01-26"), loaded_at=utc("2023-01-02")),
                *hours(DAYTIME),
            ],
            "40h",
            id="of-equal-starts-the-last-loaded-counts",
        ),
        pytest.param(
            [
                *hours(DAYTIME, loaded_at=utc("2023-01-01")),
                *hours(HALF_DAYS, loaded_at=utc("2023-01-28")),
            ],
            "28h",
            id="always-loaded-later-corrects-the-past",
        ),
        # 48 h to Wednesday 0:00 as they were corrected, then half days all the same.
        pytest.param(
            [
                *hours(DAYTIME, loaded_at=utc("2023-01-01")),
                *hours(HALF_DAYS, valid_from=utc("2023-01-25"), loaded_at=utc("2023-01-02")),
                *hours("daily 00:00-24:00", loaded_at=utc("2023-01-28")),
            ],
            "68h",
            id="correcting-the-past-leaves-later-versions",
        ),
    ],
)
def test_each_of_several_versions_of_hours_holds_in_its_time(
    reckoner: Reckoner, rows: list[oracle.HoursRow], expected: str
) -> None:
    inputs = Inputs(hours=rows, zones=[zone("UTC")])
    assert reckoner.business_time(inputs, STORE, WEEK_START, WEEK_END) == span(expected)


# The span is Wednesday 2023-01-25 0:00 to 24:00 UTC; the store opens 9:00 to 17:00 local. That is
# 9 to 17 UTC in London, 14 to 22 UTC in New York, 0 to 8 UTC in Tokyo.
@both_reckoners
@pytest.mark.parametrize(
    ("zones", "expected"),
    [
        pytest.param([zone("Europe/London")], "8h", id="one-version"),
        # 9 to 12 in London, then 14 to 22 in New York.
        pytest.param(
            [zone("Europe/London"), zone(NEW_YORK, valid_from=utc("2023-01-25 12:00"))],
            "11h",
            id="the-store-moves-west-at-noon",
        ),
        # 9 to 15 in London, then 15 to 22 in New York: open for 13 h on end.
        pytest.param(
            [zone("Europe/London"), zone(NEW_YORK, valid_from=utc("2023-01-25 15:00"))],
            "13h",
            id="the-store-moves-while-open-in-both",
        ),
        # 0 to 4 in Tokyo, then 9 to 17 in London.
        pytest.param(
            [zone("Asia/Tokyo"), zone("Europe/London", valid_from=utc("2023-01-25 04:00"))],
            "12h",
            id="the-store-moves-west-at-night",
        ),
        # Before its first version the zone is that version's: 14 to 22.
        pytest.param(
            [zone(NEW_YORK, valid_from=utc("2023-01-25 20:00"))],
            "8h",
            id="before-the-first-version-the-earliest",
        ),
        pytest.param(
            [zone(NEW_YORK, valid_from=utc("2023-03-01"))],
            "8h",
            id="the-earliest-also-when-it-starts-after-the-span",
        ),
        # 0 to 8 in Tokyo, as the earliest, then from 10 in London to 17.
        pytest.param(
            [
                zone("Europe/London", valid_from=utc("2023-01-25 10:00")),
                zone("Asia/Tokyo", valid_from=utc("2023-01-25 09:00")),
            ],
            "15h",
            id="the-earliest-is-not-the-first-loaded",
        ),
        pytest.param(
            [zone("Asia/Tokyo"), zone("Europe/London", loaded_at=utc("2023-01-02"))],
            "8h",
            id="of-equal-starts-the-last-loaded-counts",
        ),
        # London from 8:00 on, and before it: 9 to 17. Tokyo would have been open from 0 to 8.
        pytest.param(
            [
                zone("Asia/Tokyo", valid_from=utc("2023-01-25 08:00")),
                zone(
                    "Europe/London",
                    valid_from=utc("2023-01-25 08:00"),
                    loaded_at=utc("2023-01-26"),
                ),
            ],
            "8h",
            id="of-equal-earliest-starts-the-last-loaded-counts-before-them-too",
        ),
    ],
)
def test_each_of_several_versions_of_the_zone_holds_in_its_time(
    reckoner: Reckoner, zones: list[oracle.ZoneRow], expected: str
) -> None:
    inputs = Inputs(hours=hours(DAYTIME), zones=zones)
    start, end = utc("2023-01-25 00:00"), utc("2023-01-26 00:00")
    assert reckoner.business_time(inputs, STORE, start, end) == span(expected)


@both_reckoners
@pytest.mark.parametrize(
    ("closures", "expected"),
    [
        pytest.param([], "56h", id="no-closure"),
        pytest.param([closure("2023-01-25 00:00", "2023-01-26 00:00")], "48h", id="a-day"),
        pytest.param([closure("2023-01-25 10:00", "2023-01-25 12:00")], "54h", id="two-hours"),
        pytest.param([closure("2023-01-25 17:00", "2023-01-26 09:00")], "56h", id="a-night"),
        pytest.param([closure("2023-01-25 16:00", "2023-01-26 10:00")], "54h", id="over-a-night"),
        pytest.param(
            [closure("2023-01-25 10:00", "2023-01-25 14:00"), closure("2023-01-25 12:00", None)],
            # Monday, Tuesday, and Wednesday's first hour are left.
            "17h",
            id="open-ended-and-overlapping",
        ),
        pytest.param(
            [
                closure("2023-01-25 10:00", "2023-01-25 14:00"),
                closure("2023-01-25 12:00", "2023-01-25 16:00"),
            ],
            "50h",
            id="overlapping",
        ),
        pytest.param(
            [
                closure("2023-01-25 10:00", "2023-01-25 12:00"),
                closure("2023-01-25 12:00", "2023-01-25 14:00"),
            ],
            "52h",
            id="touching",
        ),
        pytest.param(
            [
                closure("2023-01-25 10:00", "2023-01-25 16:00"),
                closure("2023-01-25 12:00", "2023-01-25 13:00", store_id="*"),
            ],
            "50h",
            id="one-for-all-inside-one-for-the-store",
        ),
        pytest.param(
            [closure("2023-01-25 00:00", "2023-01-26 00:00", store_id="*")],
            "48h",
            id="for-every-store",
        ),
        pytest.param(
            [closure("2023-01-25 00:00", "2023-01-26 00:00", store_id="other")],
            "56h",
            id="for-another-store",
        ),
        pytest.param([closure("2022-12-24 18:00")], "0h", id="open-ended-from-before"),
        pytest.param([closure("2023-01-28 00:00")], "40h", id="open-ended-from-within"),
        pytest.param([closure("2023-02-01 00:00")], "56h", id="open-ended-from-after"),
        pytest.param([closure("2022-12-24 18:00", "2023-01-02")], "56h", id="over-before"),
        pytest.param([closure("2022-12-24 18:00", "2023-01-24 12:00")], "45h", id="into-the-span"),
        pytest.param([closure("2023-01-29 12:00", "2023-02-24")], "51h", id="out-of-the-span"),
        pytest.param([closure("2023-01-25 12:00", "2023-01-25 12:00")], "56h", id="of-no-length"),
    ],
)
def test_a_closure_takes_its_time_out_of_business_time(
    reckoner: Reckoner, closures: list[oracle.Closure], expected: str
) -> None:
    inputs = Inputs(
        hours=[*hours(DAYTIME), *hours(DAYTIME, store_id="other")],
        zones=[zone("UTC"), zone("UTC", store_id="other")],
        closures=closures,
    )
    assert reckoner.business_time(inputs, STORE, WEEK_START, WEEK_END) == span(expected)


@both_reckoners
@pytest.mark.parametrize(
    ("season", "shut", "expected"),
    [
        # Of 23 or 25 hours; a clock goes from 2:00 to 3:00, or shows 1:00 to 2:00 twice.
        pytest.param("spring", ("03-12 01:00", "03-12 04:00"), "21h", id="spring-around"),
        pytest.param("autumn", ("11-05 00:00", "11-05 03:00"), "21h", id="autumn-around"),
        pytest.param("spring", ("03-12 02:00", "03-12 03:00"), "23h", id="spring-in-the-skip"),
        pytest.param("autumn", ("11-05 01:00", "11-05 02:00"), "23h", id="autumn-in-the-repeat"),
        pytest.param("spring", ("03-12 01:30", "03-12 02:30"), "22.5h", id="spring-into-the-skip"),
        # 1:30 to 2:00 twice, and 2:00 to 2:30.
        pytest.param("autumn", ("11-05 01:30", "11-05 02:30"), "23.5h", id="autumn-half-repeat"),
        # The same two hours, closed.
        pytest.param("autumn", ("11-04 12:00", "11-05 01:30"), "23h", id="autumn-ends-in-repeat"),
        pytest.param("spring", ("03-11 12:00", "03-12 02:30"), "21h", id="spring-ends-in-skip"),
        # The clock shows less than 1:30 for an hour and a half, then again for half an hour.
        pytest.param("autumn", ("11-05 01:30", None), "2h", id="autumn-open-from-the-repeat"),
        pytest.param("spring", ("03-12 02:30", None), "2h", id="spring-open-from-the-skip"),
    ],
)
def test_a_closure_follows_the_wall_clock_too(
    reckoner: Reckoner, season: str, shut: tuple[str, str | None], expected: str
) -> None:
    start, end = shut
    inputs = Inputs(
        zones=[zone(NEW_YORK)],
        closures=[closure(f"2023-{start}", None if end is None else f"2023-{end}")],
    )
    sunday = map(utc, SUNDAYS[NEW_YORK, season])
    assert reckoner.business_time(inputs, STORE, *sunday) == span(expected)


WEDNESDAY = "2023-01-25"
EVENINGS = "daily 18:00-02:00"


@both_reckoners
@pytest.mark.parametrize(
    ("weekly", "rows", "expected"),
    [
        # A week of daytime hours is 7 times 8 hours.
        pytest.param([DAYTIME], special(WEDNESDAY), "48h", id="closed"),
        pytest.param([DAYTIME], special(WEDNESDAY, "10:00-14:00"), "52h", id="shorter"),
        pytest.param([DAYTIME], special(WEDNESDAY, "10:00-12:00", "11:00-14:00"), "52h", id="two"),
        pytest.param([DAYTIME], special(WEDNESDAY, "20:00-04:00"), "56h", id="past-midnight"),
        pytest.param([DAYTIME], special(WEDNESDAY, "20:00-34:00"), "61h", id="into-next-day"),
        pytest.param([DAYTIME], special(WEDNESDAY, "0:00-23:59"), "72h", id="all-day"),
        pytest.param([], special(WEDNESDAY), "144h", id="always-open-but-closed-once"),
        pytest.param([], special(WEDNESDAY, "10:00-14:00"), "148h", id="always-open-but-short"),
        # Of 7 evenings, 2 hours are of the evening before the week, and 2 fall into the next week.
        pytest.param([EVENINGS], special(WEDNESDAY), "48h", id="its-spill-goes-that-before-stays"),
        pytest.param([EVENINGS], special("2023-01-22"), "54h", id="spill-of-the-sunday-before"),
        pytest.param([EVENINGS], special("2023-01-29", "10:00-11:00"), "51h", id="last-evening"),
        pytest.param(
            [DAYTIME],
            [
                *special(WEDNESDAY, valid_from=utc("2023-01-25 00:00")),
                *special(WEDNESDAY, "8:00-18:00", valid_from=utc("2023-01-25 12:00")),
            ],
            "54h",
            id="changed-at-noon",
        ),
        pytest.param(
            [DAYTIME],
            special(WEDNESDAY, valid_from=utc("2023-01-25 12:00")),
            "51h",
            id="since-noon",
        ),
    ],
)
def test_special_hours_take_the_place_of_the_weekly_hours_of_their_date(
    reckoner: Reckoner, weekly: list[str], rows: list[oracle.SpecialRow], expected: str
) -> None:
    inputs = Inputs(hours=hours(*weekly), zones=[zone("UTC")], special=rows)
    assert reckoner.business_time(inputs, STORE, WEEK_START, WEEK_END) == span(expected)


@both_reckoners
@pytest.mark.parametrize(
    ("season", "day", "times", "expected"),
    [
        # From 1:00 to 4:00 the clock shows two hours in spring, four in autumn.
        pytest.param("spring", "2023-03-12", ("01:00-04:00",), "2h", id="spring"),
        pytest.param("autumn", "2023-11-05", ("01:00-04:00",), "4h", id="autumn"),
        pytest.param("spring", "2023-03-12", ("02:00-03:00",), "0h", id="spring-in-the-skip"),
        pytest.param("autumn", "2023-11-05", ("01:00-02:00",), "2h", id="autumn-in-the-repeat"),
        pytest.param("spring", "2023-03-12", ("00:00-24:00",), "23h", id="spring-all-day"),
        pytest.param("autumn", "2023-11-05", ("00:00-24:00",), "25h", id="autumn-all-day"),
        # Saturday from 22:00 to 03:00.
        pytest.param("spring", "2023-03-11", ("22:00-03:00",), "2h", id="spring-spill"),
        pytest.param("autumn", "2023-11-04", ("22:00-03:00",), "4h", id="autumn-spill"),
        pytest.param("spring", "2023-03-12", (), "0h", id="spring-closed"),
        pytest.param("autumn", "2023-11-05", (), "0h", id="autumn-closed"),
    ],
)
def test_special_hours_follow_the_wall_clock(
    reckoner: Reckoner, season: str, day: str, times: tuple[str, ...], expected: str
) -> None:
    weekly = hours("Mon 09:00-17:00")
    inputs = Inputs(hours=weekly, zones=[zone(NEW_YORK)], special=special(day, *times))
    sunday = map(utc, SUNDAYS[NEW_YORK, season])
    assert reckoner.business_time(inputs, STORE, *sunday) == span(expected)


@both_reckoners
def test_a_closure_is_taken_out_of_special_hours_too(reckoner: Reckoner) -> None:
    inputs = Inputs(
        hours=hours(DAYTIME),
        zones=[zone("UTC")],
        closures=[closure("2023-01-25 12:00", "2023-01-25 13:00")],
        special=special(WEDNESDAY, "10:00-14:00"),
    )
    assert reckoner.business_time(inputs, STORE, WEEK_START, WEEK_END) == span("51h")


@both_reckoners
def test_a_closure_of_every_store_begins_on_the_clock_of_each(reckoner: Reckoner) -> None:
    # Christmas Eve from 18:00: 17:00 UTC in Berlin, 23:00 UTC in New York.
    inputs = Inputs(
        zones=[zone(BERLIN, store_id="berlin"), zone(NEW_YORK, store_id="new york")],
        closures=[closure("2023-12-24 18:00", "2023-12-24 20:00", store_id="*")],
    )
    start, middle, end = utc("2023-12-24 12:00"), utc("2023-12-24 20:00"), utc("2023-12-25 04:00")
    assert reckoner.business_time(inputs, "berlin", start, middle) == span("6h")
    assert reckoner.business_time(inputs, "berlin", middle, end) == span("8h")
    assert reckoner.business_time(inputs, "new york", start, middle) == span("8h")
    assert reckoner.business_time(inputs, "new york", middle, end) == span("6h")


@both_reckoners
@pytest.mark.parametrize(
    ("timezone", "shut", "expected"),
    [
        # The day is Wednesday 2023-01-25, UTC. Its end is Thursday 9:00 in Tokyo, its beginning
        # Tuesday 14:00 in Honolulu.
        pytest.param("Asia/Tokyo", ("2023-01-26 06:00", None), "21h", id="after-the-end-in-utc"),
        pytest.param(
            "Pacific/Honolulu", ("2023-01-20 00:00", "2023-01-24 20:00"), "18h", id="before-in-utc"
        ),
        pytest.param("Asia/Tokyo", ("2023-01-26 09:00", None), "24h", id="just-after-the-end"),
        pytest.param(
            "Pacific/Honolulu", ("2023-01-20 00:00", "2023-01-24 14:00"), "24h", id="just-before"
        ),
    ],
)
def test_a_closure_far_from_utc_reaches_into_the_day(
    reckoner: Reckoner, timezone: str, shut: tuple[str, str | None], expected: str
) -> None:
    inputs = Inputs(zones=[zone(timezone)], closures=[closure(*shut)])
    start, end = utc("2023-01-25 00:00"), utc("2023-01-26 00:00")
    assert reckoner.business_time(inputs, STORE, start, end) == span(expected)


@both_reckoners
def test_an_open_ended_closure_of_one_store_does_not_affect_the_next(reckoner: Reckoner) -> None:
    inputs = Inputs(
        zones=[zone("UTC", store_id=store_id) for store_id in ("a", "b", "c")],
        closures=[
            closure("2023-01-24 00:00", store_id="a"),
            closure("2023-01-29 00:00", "2023-01-31 00:00", store_id="b"),
        ],
    )
    business = [
        reckoner.business_time(inputs, store_id, WEEK_START, WEEK_END) for store_id in "abc"
    ]
    assert business == [span("24h"), span("144h"), span("168h")]


@both_reckoners
def test_a_closure_moves_with_the_store_s_zone(reckoner: Reckoner) -> None:
    # Closed 12:00 to 14:00 on the clock; at 12:30 UTC the store moves from London to New York,
    # where it is 7:30: closed from 12:00 to 12:30 UTC and from 17:00 to 19:00 UTC.
    inputs = Inputs(
        zones=[zone("Europe/London"), zone(NEW_YORK, valid_from=utc("2023-01-25 12:30"))],
        closures=[closure("2023-01-25 12:00", "2023-01-25 14:00")],
    )
    start, end = utc("2023-01-25 00:00"), utc("2023-01-26 00:00")
    assert reckoner.business_time(inputs, STORE, start, end) == span("21.5h")


def test_instants_outside_the_calendar_count_as_its_ends() -> None:
    inputs = Inputs(hours=hours(DAYTIME), zones=[zone("UTC")])
    made = calendar(inputs, WEEK_START, WEEK_END)
    far = [utc("1975-01-01"), WEEK_START, WEEK_END, utc("2035-01-01")]
    at_us = np.array([us(instant) for instant in far])
    assert made.business_us(np.zeros(4, np.int64), at_us).tolist() == [
        0,
        0,
        56 * HOUR_US,
        56 * HOUR_US,
    ]


def test_stores_and_instants_may_come_in_any_order() -> None:
    inputs = Inputs(
        hours=[*hours(DAYTIME, store_id="a"), *hours(HALF_DAYS, store_id="b")],
        zones=[zone("UTC", store_id=store_id) for store_id in ("a", "b", "c")],
    )
    made = calendar(inputs, WEEK_START, WEEK_END)
    asked: list[tuple[int, datetime, int]] = [
        (2, utc("2023-01-24 00:00"), 24),
        (0, utc("2023-01-24 12:00"), 8 + 3),
        (1, utc("2023-01-24 14:00"), 4 + 4),
        (0, utc("2023-01-23 10:00"), 1),
        (1, WEEK_END, 28),
        (2, WEEK_START, 0),
    ]
    answer = made.business_us(
        np.array([store for store, _, _ in asked]),
        np.array([us(at) for _, at, _ in asked]),
    )
    assert (answer / HOUR_US).tolist() == [hours for _, _, hours in asked]


def test_a_calendar_of_no_stores_has_nothing_to_tell() -> None:
    made = calendar(Inputs(), WEEK_START, WEEK_END)
    none = np.empty(0, np.int64)
    assert made.business_us(none, none).tolist() == []


def test_a_store_taken_twice_has_its_business_time_and_offsets_twice() -> None:
    rng = np.random.default_rng(3)
    begin_us = us(utc("2023-03-01 00:00"))
    whole = made_up_hours(9, begin_us, begin_us + 30 * 24 * HOUR_US, rng)
    stores = np.array([7, 2, 2, 8])
    taken = whole.take(stores)
    at_us = np.linspace(whole.start_us - 5, whole.end_us + 5, 500).astype(np.int64)
    spans, spans_of_whole = taken.local_spans(), whole.local_spans()
    for number, store in enumerate(stores.tolist()):
        expected = whole.business_us(np.full(500, store), at_us).tolist()
        assert taken.business_us(np.full(500, number), at_us).tolist() == expected
        assert np.array_equal(taken.open_intervals(number), whole.open_intervals(store))
        own, of_whole = spans.store == number, spans_of_whole.store == store
        assert spans.start_us[own].tolist() == spans_of_whole.start_us[of_whole].tolist()
        assert spans.offset_us[own].tolist() == spans_of_whole.offset_us[of_whole].tolist()
