"""What is up, down, certain and observed of a store; business time itself is `test_calendar`'s.

Every row is put to the engine and to the oracle alike, so that both are held to numbers made by
hand. Polls are written with their age at the report's instant: `up 90m` is a poll 90 minutes
before it, `down -5m` one five minutes after it.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import pytest

import oracle
from builders import RECKONERS, STORE, Engine, Reckoner, closure, hours, polls, span, utc, zone
from oracle import Inputs
from storemon_pipeline.domain.windows import Policy

NEAREST, PREVIOUS = Policy.NEAREST, Policy.PREVIOUS
MAX_GAP = span("3h")
AS_OF = utc("2023-01-25 18:00")  # a Wednesday

both_reckoners = pytest.mark.parametrize(
    "reckoner", [pytest.param(reckoner, id=name) for name, reckoner in RECKONERS.items()]
)


def report(
    reckoner: Reckoner,
    poll_texts: Sequence[str],
    *,
    policy: Policy = NEAREST,
    max_gap: int = MAX_GAP,
    open_hours: Sequence[str] = (),
) -> Mapping[str, oracle.Row]:
    """Give the rows for one store in UTC; without hours it is always open."""
    inputs = Inputs(polls=polls(AS_OF, *poll_texts), hours=hours(*open_hours), zones=[zone("UTC")])
    return reckoner.rows(inputs, as_of=AS_OF, policy=policy, max_gap=max_gap)


def spans(texts: Sequence[str]) -> tuple[int, ...]:
    return tuple(map(span, texts))


@both_reckoners
@pytest.mark.parametrize(
    ("policy", "poll_texts", "uptime", "downtime"),
    [
        pytest.param(
            NEAREST, ["up 30m"], ("1h", "24h", "168h"), ("0h", "0h", "0h"), id="a-single-poll-up"
        ),
        pytest.param(
            NEAREST,
            ["down 30m"],
            ("0h", "0h", "0h"),
            ("1h", "24h", "168h"),
            id="a-single-poll-down",
        ),
        pytest.param(
            PREVIOUS,
            ["down 30m"],
            ("0h", "0h", "0h"),
            ("1h", "24h", "168h"),
            id="a-single-poll-also-holds-before-itself",
        ),
        # Midway between 40 and 20 minutes.
        pytest.param(
            NEAREST,
            ["up 40m", "down 20m"],
            ("30m", "23.5h", "167.5h"),
            ("30m", "30m", "30m"),
            id="nearest-changes-midway",
        ),
        pytest.param(
            PREVIOUS,
            ["up 40m", "down 20m"],
            ("40m", "23h 40m", "167h 40m"),
            ("20m", "20m", "20m"),
            id="previous-changes-at-the-later-poll",
        ),
        pytest.param(
            NEAREST,
            ["down 50m", "up 30m", "down 10m"],
            ("20m", "20m", "20m"),
            ("40m", "23h 40m", "167h 40m"),
            id="nearest-there-and-back",
        ),
        pytest.param(
            PREVIOUS,
            ["down 50m", "up 30m", "down 10m"],
            ("20m", "20m", "20m"),
            ("40m", "23h 40m", "167h 40m"),
            id="previous-there-and-back",
        ),
        pytest.param(
            NEAREST,
            ["up 60m", "down 0m"],
            ("30m", "23.5h", "167.5h"),
            ("30m", "30m", "30m"),
            id="nearest-with-a-poll-exactly-now",
        ),
        pytest.param(
            PREVIOUS,
            ["up 60m", "down 0m"],
            ("1h", "24h", "168h"),
            ("0h", "0h", "0h"),
            id="previous-with-a-poll-exactly-now",
        ),
        pytest.param(
            NEAREST,
            ["down 0m"],
            ("0h", "0h", "0h"),
            ("1h", "24h", "168h"),
            id="the-only-poll-is-exactly-now",
        ),
        pytest.param(
            NEAREST,
            ["up 10h", "down 5h"],
            ("0h", "16.5h", "160.5h"),
            ("1h", "7.5h", "7.5h"),
            id="long-after-the-last-poll-it-still-holds",
        ),
        pytest.param(
            NEAREST,
            ["up 30h", "down 20h", "up 12h"],
            # Down from 25 h ago to 16 h ago.
            ("1h", "16h", "159h"),
            ("0h", "8h", "9h"),
            id="a-change-just-before-the-day-window",
        ),
        pytest.param(
            PREVIOUS,
            ["up 30h", "down 20h", "up 12h"],
            ("1h", "16h", "160h"),
            ("0h", "8h", "8h"),
            id="a-change-inside-the-day-window",
        ),
        pytest.param(
            NEAREST,
            ["up 100m", "down 20m"],
            ("0m", "23h", "167h"),
            ("1h", "1h", "1h"),
            id="a-change-exactly-where-the-hour-begins",
        ),
        pytest.param(
            NEAREST,
            ["down 190h", "up 150h"],
            # The change lies 170 h ago, before every window.
            ("1h", "24h", "168h"),
            ("0h", "0h", "0h"),
            id="a-change-before-every-window",
        ),
        pytest.param(
            PREVIOUS,
            ["down 190h", "up 150h"],
            ("1h", "24h", "150h"),
            ("0h", "0h", "18h"),
            id="a-poll-before-the-week-speaks-for-its-beginning",
        ),
        pytest.param(
            NEAREST,
            ["up 50m", "up 40m", "up 30m", "down 20m", "down 10m"],
            ("35m", "23h 35m", "167h 35m"),
            ("25m", "25m", "25m"),
            id="only-the-polls-beside-a-change-matter",
        ),
        pytest.param(
            NEAREST,
            ["up 50m", "down 10m", "down -1m", "up -2h"],
            ("30m", "23.5h", "167.5h"),
            ("30m", "30m", "30m"),
            id="polls-after-now-do-not-count",
        ),
        pytest.param(
            NEAREST,
            ["up 10m", "down -2m"],
            ("1h", "24h", "168h"),
            ("0h", "0h", "0h"),
            id="a-nearer-poll-after-now-does-not-count",
        ),
        pytest.param(
            PREVIOUS,
            ["down 10m", "up -1us"],
            ("0h", "0h", "0h"),
            ("1h", "24h", "168h"),
            id="a-poll-a-microsecond-after-now-does-not-count",
        ),
        # 40 h apart, far beyond the greatest gap: the estimate does not care.
        pytest.param(
            NEAREST,
            ["up 50h", "down 10h"],
            ("0h", "0h", "138h"),
            ("1h", "24h", "30h"),
            id="a-long-gap-is-split-midway-too",
        ),
        pytest.param(
            PREVIOUS,
            ["up 50h", "down 10h"],
            ("0h", "14h", "158h"),
            ("1h", "10h", "10h"),
            id="a-long-gap-carries-forward-too",
        ),
    ],
)
def test_a_store_that_is_always_open_is_up_or_down_all_the_time(
    reckoner: Reckoner,
    policy: Policy,
    poll_texts: list[str],
    uptime: Sequence[str],
    downtime: Sequence[str],
) -> None:
    row = report(reckoner, poll_texts, policy=policy)[STORE]
    assert row.uptime_us == spans(uptime)
    assert row.downtime_us == spans(downtime)
    assert row.business_us == spans(["1h", "24h", "168h"])


@both_reckoners
@pytest.mark.parametrize(
    ("poll_texts", "downtime_us"),
    [
        pytest.param(["up 10us", "down 8us"], 9, id="even-distance-changes-at-the-middle"),
        # 9.5 us ago: the earlier poll has the whole microsecond, so 9 us are left.
        pytest.param(["up 11us", "down 8us"], 9, id="odd-distance-leaves-the-half-to-the-earlier"),
        pytest.param(["up 2us", "down 1us"], 1, id="neighbouring-microseconds"),
        pytest.param(["up 1us", "down 0us"], 0, id="the-last-microsecond-is-the-earlier-poll's"),
        # The middles, 10.5 and 7.5 us ago, become 10 and 7.
        pytest.param(["up 12us", "down 9us", "up 6us"], 3, id="two-odd-distances"),
    ],
)
def test_a_tie_in_distance_goes_to_the_earlier_poll(
    reckoner: Reckoner, poll_texts: list[str], downtime_us: int
) -> None:
    row = report(reckoner, poll_texts)[STORE]
    assert row.downtime_us == (downtime_us,) * 3


@both_reckoners
@pytest.mark.parametrize("policy", [NEAREST, PREVIOUS])
@pytest.mark.parametrize(
    ("poll_texts", "has_row"),
    [
        pytest.param([], False, id="without-polls"),
        pytest.param(["up 192h"], False, id="exactly-192-hours-ago"),
        pytest.param(["up 192h -1us"], True, id="a-microsecond-less-than-192-hours-ago"),
        pytest.param(["up 300h", "up 192h"], False, id="only-older-ones"),
        pytest.param(["up 0h"], True, id="exactly-now"),
        pytest.param(["up -1us"], False, id="a-microsecond-from-now"),
        pytest.param(["down 192h", "up -1m"], False, id="none-between-too-old-and-too-new"),
    ],
)
def test_only_a_store_with_a_poll_that_counts_has_a_row(
    reckoner: Reckoner, policy: Policy, poll_texts: list[str], *, has_row: bool
) -> None:
    rows = report(reckoner, poll_texts, policy=policy)
    assert list(rows) == ([STORE] if has_row else [])


@both_reckoners
@pytest.mark.parametrize(
    ("policy", "poll_texts", "week_downtime"),
    [
        # Counted, the old poll would hold down to the middle, 166 h ago, or to 140 h ago.
        pytest.param(NEAREST, ["down 192h", "up 140h"], "0h", id="nearest-too-old"),
        pytest.param(NEAREST, ["down 192h -2us", "up 140h"], "2h 1us", id="nearest-just-counts"),
        pytest.param(PREVIOUS, ["down 192h", "up 140h"], "0h", id="previous-too-old"),
        pytest.param(PREVIOUS, ["down 192h -1us", "up 140h"], "28h", id="previous-just-counts"),
        # The run of both old polls ends exactly where polls begin to count.
        pytest.param(
            PREVIOUS, ["down 194h", "down 192h", "up 140h"], "0h", id="a-run-that-ends-too-early"
        ),
        pytest.param(
            PREVIOUS,
            ["down 194h", "down 191h", "up 140h"],
            "28h",
            id="a-run-that-reaches-into-what-counts",
        ),
    ],
)
def test_a_poll_that_does_not_count_has_no_say_in_the_week(
    reckoner: Reckoner, policy: Policy, poll_texts: list[str], week_downtime: str
) -> None:
    row = report(reckoner, poll_texts, policy=policy)[STORE]
    assert row.downtime_us[2] == span(week_downtime)
    assert row.uptime_us[2] == span("168h") - span(week_downtime)


# Open 12:00 to 17:30 every day; the report is of 18:00. So the last hour has 30 minutes of business
# time, the day 5.5 h and the week 38.5 h.
@both_reckoners
@pytest.mark.parametrize(
    ("policy", "poll_texts", "uptime", "downtime"),
    [
        pytest.param(
            NEAREST, ["up 1h"], ("30m", "5.5h", "38.5h"), ("0h", "0h", "0h"), id="up-throughout"
        ),
        # The change at 17:15 leaves a quarter of an hour.
        pytest.param(
            NEAREST,
            ["up 60m", "down 30m"],
            ("15m", "5h 15m", "38h 15m"),
            ("15m", "15m", "15m"),
            id="down-before-closing-time",
        ),
        # The change at 17:45 comes after closing time.
        pytest.param(
            NEAREST,
            ["up 20m", "down 10m"],
            ("30m", "5.5h", "38.5h"),
            ("0h", "0h", "0h"),
            id="down-after-closing-time",
        ),
        # Up at 9:00, down at 11:00, 13:00 and 14:00, up at 16:00: down from 12:00, as it opens,
        # to 15:00.
        pytest.param(
            NEAREST,
            ["up 9h", "down 7h", "down 5h", "down 4h", "up 2h"],
            ("30m", "2.5h", "35.5h"),
            ("0h", "3h", "3h"),
            id="a-stretch-that-begins-before-opening",
        ),
        pytest.param(
            PREVIOUS,
            ["up 9h", "down 7h", "down 5h", "down 4h", "up 2h"],
            ("30m", "1.5h", "34.5h"),
            ("0h", "4h", "4h"),
            id="a-stretch-that-begins-before-opening-carried-forward",
        ),
        # Down from yesterday's 16:00 to today's 14:00: 1.5 h and 2 h of business time; of
        # yesterday's only what lies after 18:00 is in the day window, which is nothing.
        pytest.param(
            PREVIOUS,
            ["up 30h", "down 26h", "up 4h"],
            ("30m", "3.5h", "35h"),
            ("0h", "2h", "3.5h"),
            id="a-stretch-over-night",
        ),
    ],
)
def test_only_business_time_is_up_or_down(
    reckoner: Reckoner,
    policy: Policy,
    poll_texts: list[str],
    uptime: Sequence[str],
    downtime: Sequence[str],
) -> None:
    row = report(reckoner, poll_texts, policy=policy, open_hours=["daily 12:00-17:30"])[STORE]
    assert row.business_us == spans(["30m", "5.5h", "38.5h"])
    assert row.uptime_us == spans(uptime)
    assert row.downtime_us == spans(downtime)


@both_reckoners
def test_a_store_that_is_closed_all_the_time_has_a_row_of_zeros(reckoner: Reckoner) -> None:
    inputs = Inputs(
        polls=polls(AS_OF, "down 10m"), zones=[zone("UTC")], closures=[closure("2022-01-01")]
    )
    row = reckoner.rows(inputs, as_of=AS_OF, policy=NEAREST, max_gap=MAX_GAP)[STORE]
    nothing = (0, 0, 0)
    assert row == oracle.Row(nothing, nothing, nothing, nothing, nothing, nothing)


@both_reckoners
@pytest.mark.parametrize(
    ("as_of", "timezone", "week"),
    [
        # Nights 22:00 to 6:00: one of the week's seven is an hour (half an hour in Lord Howe)
        # shorter or longer. All reports are of Monday noon, local.
        pytest.param("2023-03-13 16:00", "America/New_York", "55h", id="new-york-spring"),
        pytest.param("2023-11-06 17:00", "America/New_York", "57h", id="new-york-autumn"),
        pytest.param("2023-03-27 10:00", "Europe/Berlin", "55h", id="berlin-spring"),
        pytest.param("2023-10-30 11:00", "Europe/Berlin", "57h", id="berlin-autumn"),
        pytest.param("2023-10-02 01:00", "Australia/Lord_Howe", "55.5h", id="lord-howe-spring"),
        pytest.param("2023-04-03 01:30", "Australia/Lord_Howe", "56.5h", id="lord-howe-autumn"),
    ],
)
def test_the_business_time_of_a_week_accounts_for_a_clock_change(
    reckoner: Reckoner, as_of: str, timezone: str, week: str
) -> None:
    now = utc(as_of)
    inputs = Inputs(
        polls=polls(now, "up 1h"), hours=hours("daily 22:00-06:00"), zones=[zone(timezone)]
    )
    row = reckoner.rows(inputs, as_of=now, policy=NEAREST, max_gap=MAX_GAP)[STORE]
    assert row.uptime_us == spans(["0h", "8h", week])


@both_reckoners
@pytest.mark.parametrize(
    ("as_of", "timezone", "uptime", "downtime"),
    [
        # 6:00 local on the Sunday, open from midnight. The polls are 5 h and 3 h old, so down
        # begins 4 h before: in spring that is 1:00, an hour after opening (5 h of business time);
        # in autumn 2:00, or 2:00 for the second time in Berlin, three hours after opening (7 h).
        pytest.param("2023-03-12 10:00", "America/New_York", "1h", "4h", id="new-york-spring"),
        pytest.param("2023-11-05 11:00", "America/New_York", "3h", "4h", id="new-york-autumn"),
        pytest.param("2023-03-26 04:00", "Europe/Berlin", "1h", "4h", id="berlin-spring"),
        pytest.param("2023-10-29 05:00", "Europe/Berlin", "3h", "4h", id="berlin-autumn"),
        pytest.param(
            "2023-09-30 19:00", "Australia/Lord_Howe", "1.5h", "4h", id="lord-howe-spring"
        ),
        pytest.param(
            "2023-04-01 19:30", "Australia/Lord_Howe", "2.5h", "4h", id="lord-howe-autumn"
        ),
    ],
)
def test_time_between_polls_is_elapsed_time(
    reckoner: Reckoner, as_of: str, timezone: str, uptime: str, downtime: str
) -> None:
    now = utc(as_of)
    inputs = Inputs(
        polls=polls(now, "up 5h", "down 3h"), hours=hours("Sun 00:00-06:00"), zones=[zone(timezone)]
    )
    row = reckoner.rows(inputs, as_of=now, policy=NEAREST, max_gap=MAX_GAP)[STORE]
    assert (row.uptime_us[1], row.downtime_us[1]) == (span(uptime), span(downtime))


@both_reckoners
def test_versions_of_hours_split_a_window(reckoner: Reckoner) -> None:
    # Day window: until 12:00 open at night, 22:00 to 6:00 (8 h); from 12:00 on from 10:00 (6 h).
    # Down begins midway between 5:00 and 15:00, at 10:00: the nights are up, the rest is down.
    inputs = Inputs(
        polls=polls(AS_OF, "up 13h", "down 3h"),
        hours=[
            *hours("daily 22:00-06:00"),
            *hours("daily 10:00-20:00", valid_from=utc("2023-01-25 12:00")),
        ],
        zones=[zone("UTC")],
    )
    row = reckoner.rows(inputs, as_of=AS_OF, policy=NEAREST, max_gap=MAX_GAP)[STORE]
    assert row.uptime_us == spans(["0h", "8h", "56h"])
    assert row.downtime_us == spans(["1h", "6h", "6h"])


@both_reckoners
def test_a_closure_is_neither_up_nor_down(reckoner: Reckoner) -> None:
    # Down since 12:00, closed from 14:00 to 17:30.
    inputs = Inputs(
        polls=polls(AS_OF, "up 7h", "down 5h"),
        zones=[zone("UTC")],
        closures=[closure("2023-01-25 14:00", "2023-01-25 17:30")],
    )
    row = reckoner.rows(inputs, as_of=AS_OF, policy=NEAREST, max_gap=MAX_GAP)[STORE]
    assert row.business_us == spans(["30m", "20.5h", "164.5h"])
    assert row.downtime_us == spans(["30m", "2.5h", "2.5h"])


@both_reckoners
def test_each_store_has_its_own_row(reckoner: Reckoner) -> None:
    inputs = Inputs(
        polls=[
            *polls(AS_OF, "up 50m", "down 10m", store_id="b"),
            *polls(AS_OF, "down 5m", store_id="c"),
            *polls(AS_OF, "up 200h", store_id="silent"),
            *polls(AS_OF, "up 3h", "up 20m", store_id="a"),
        ],
        hours=[
            *hours("Wed 17:15-18:15", store_id="c"),
            *hours("daily 09:00-17:00", store_id="silent"),
        ],
        zones=[zone("UTC", store_id=store_id) for store_id in ("a", "b", "c", "no polls")],
    )
    rows = reckoner.rows(inputs, as_of=AS_OF, policy=NEAREST, max_gap=MAX_GAP)
    uptime = {store_id: row.uptime_us for store_id, row in rows.items()}
    downtime = {store_id: row.downtime_us for store_id, row in rows.items()}
    assert uptime == {
        "a": spans(["1h", "24h", "168h"]),
        "b": spans(["30m", "23.5h", "167.5h"]),
        "c": (0, 0, 0),
    }
    # The window of a week begins last Wednesday at 18:00, when 15 of c's minutes were left.
    assert downtime == {
        "a": (0, 0, 0),
        "b": spans(["30m", "30m", "30m"]),
        "c": spans(["45m", "45m", "1h"]),
    }


@both_reckoners
@pytest.mark.parametrize("policy", [NEAREST, PREVIOUS])
@pytest.mark.parametrize(
    ("poll_texts", "lowest", "highest"),
    [
        pytest.param(
            ["up 30m"], ("0h", "0h", "0h"), ("1h", "24h", "168h"), id="a-single-poll-says-nothing"
        ),
        pytest.param(
            ["up 50m", "up 20m"],
            ("30m", "30m", "30m"),
            ("1h", "24h", "168h"),
            id="up-from-first-to-last-poll-of-a-run",
        ),
        pytest.param(
            ["down 50m", "down 20m"],
            ("0h", "0h", "0h"),
            ("30m", "23.5h", "167.5h"),
            id="down-from-first-to-last-poll-of-a-run",
        ),
        # Up for 10 minutes, down for 20, ten minutes between them open.
        pytest.param(
            ["up 50m", "up 40m", "down 30m", "down 10m"],
            ("10m", "10m", "10m"),
            ("40m", "23h 40m", "167h 40m"),
            id="between-two-runs-either-way",
        ),
        pytest.param(
            ["up 3h", "up 0h"],
            ("1h", "3h", "3h"),
            ("1h", "24h", "168h"),
            id="exactly-the-greatest-gap-is-certain",
        ),
        pytest.param(
            ["up 3h 1us", "up 0h"],
            ("0h", "0h", "0h"),
            ("1h", "24h", "168h"),
            id="a-microsecond-more-is-uncertain",
        ),
        pytest.param(
            ["up 26h", "up 23h", "down 22h", "down 19h"],
            # Certain in the day window: up 24 to 23 h ago, down 22 to 19 h ago.
            ("0h", "1h", "3h"),
            ("1h", "21h", "165h"),
            id="a-run-that-begins-before-a-window",
        ),
        pytest.param(
            ["up 2h", "up -1h"],
            ("1h", "2h", "2h"),
            ("1h", "24h", "168h"),
            id="a-run-that-reaches-past-now-is-certain-up-to-now",
        ),
        pytest.param(
            ["down 2h", "down 1h", "down -2h", "up -3h"],
            ("0h", "0h", "0h"),
            ("0h", "22h", "166h"),
            id="a-down-run-that-reaches-past-now",
        ),
        pytest.param(
            ["up 30m", "down -30m"],
            ("0h", "0h", "0h"),
            ("1h", "24h", "168h"),
            id="a-later-run-of-another-status-makes-nothing-certain",
        ),
        pytest.param(
            ["up 2h", "up -1h 1us"],
            ("1h", "2h", "2h"),
            ("1h", "24h", "168h"),
            id="three-hours-less-a-microsecond-apart-around-now",
        ),
        pytest.param(
            ["up 2h 1us", "up -1h"],
            ("0h", "0h", "0h"),
            ("1h", "24h", "168h"),
            id="more-than-three-hours-apart-around-now",
        ),
        # The run's first poll is too old to count.
        pytest.param(
            ["up 193h", "up 190h", "up 187h"],
            ("0h", "0h", "0h"),
            ("1h", "24h", "168h"),
            id="certain-only-before-the-week",
        ),
        pytest.param(
            ["down 169h", "down 166h"],
            ("0h", "0h", "0h"),
            ("1h", "24h", "166h"),
            id="certain-across-the-beginning-of-the-week",
        ),
    ],
)
def test_bounds_leave_open_what_no_run_covers(
    reckoner: Reckoner,
    policy: Policy,
    poll_texts: list[str],
    lowest: Sequence[str],
    highest: Sequence[str],
) -> None:
    row = report(reckoner, poll_texts, policy=policy)[STORE]
    assert row.lowest_uptime_us == spans(lowest)
    assert row.highest_uptime_us == spans(highest)


@both_reckoners
def test_bounds_count_business_time_only(reckoner: Reckoner) -> None:
    # Open 12:00 to 17:30. Up from 11:00 to 13:00 for certain, down from 17:00 to 18:00.
    row = report(
        reckoner,
        ["up 7h", "up 5h", "down 1h", "down 0h"],
        open_hours=["daily 12:00-17:30"],
    )[STORE]
    assert row.lowest_uptime_us == spans(["0h", "1h", "1h"])
    assert row.highest_uptime_us == spans(["0h", "5h", "38h"])


@both_reckoners
@pytest.mark.parametrize("policy", [NEAREST, PREVIOUS])
@pytest.mark.parametrize(
    ("poll_texts", "observed"),
    [
        # The greatest gap is 3 h, so a poll is seen 1.5 h to both sides.
        pytest.param(["up 30m"], ("1h", "2h", "2h"), id="a-single-poll-cut-off-by-now"),
        pytest.param(["up 12h"], ("0h", "3h", "3h"), id="a-single-poll-in-the-middle"),
        pytest.param(["down 12h"], ("0h", "3h", "3h"), id="whatever-its-status"),
        pytest.param(["up 2h"], ("30m", "3h", "3h"), id="half-of-the-hour"),
        pytest.param(["up 2.5h"], ("0h", "3h", "3h"), id="just-not-the-hour"),
        pytest.param(["up 24h"], ("0h", "1.5h", "3h"), id="half-of-it-in-the-day"),
        pytest.param(["up 25h"], ("0h", "0.5h", "3h"), id="a-poll-before-the-day-seen-in-it"),
        pytest.param(["up 25.5h"], ("0h", "0h", "3h"), id="a-poll-too-long-before-the-day"),
        pytest.param(["up 168h"], ("0h", "0h", "1.5h"), id="half-of-it-in-the-week"),
        pytest.param(["up 169h"], ("0h", "0h", "0.5h"), id="a-poll-before-the-week-seen-in-it"),
        pytest.param(["up 190h"], ("0h", "0h", "0h"), id="a-poll-long-before-the-week"),
        # From 13.5 h to 7.5 h ago.
        pytest.param(["up 12h", "up 9h"], ("0h", "6h", "6h"), id="a-run-and-both-its-sides"),
        pytest.param(["up 12h", "down 9h"], ("0h", "6h", "6h"), id="two-runs-that-touch"),
        # 13.5 to 8.5 h ago: what both see counts once.
        pytest.param(["up 12h", "down 10h"], ("0h", "5h", "5h"), id="two-runs-that-overlap"),
        pytest.param(["up 12h", "up 8h"], ("0h", "6h", "6h"), id="two-runs-with-a-gap"),
        pytest.param(
            ["up 12h", "down 11.9h", "up 11.8h"],
            ("0h", "3.2h", "3.2h"),
            id="three-runs-within-each-other",
        ),
        # 11.5 h to 3.5 h ago on end.
        pytest.param(
            ["up 10h", "up 9h", "down 7h", "down 6h", "up 5h"],
            ("0h", "8h", "8h"),
            id="runs-of-one-stretch",
        ),
        pytest.param(["up 2h", "up -1h"], ("1h", "3.5h", "3.5h"), id="a-run-that-reaches-past-now"),
        # The poll ten minutes from now would see the hour, but it does not count.
        pytest.param(["up 12h", "down -10m"], ("0h", "3h", "3h"), id="a-run-after-now"),
    ],
)
def test_observed_is_what_lies_within_half_the_greatest_gap_of_a_run(
    reckoner: Reckoner, policy: Policy, poll_texts: list[str], observed: Sequence[str]
) -> None:
    assert report(reckoner, poll_texts, policy=policy)[STORE].observed_us == spans(observed)


@both_reckoners
def test_observed_counts_business_time_only(reckoner: Reckoner) -> None:
    # Open 12:00 to 17:30; a poll at 17:00 is seen from 15:30 to 18:30.
    row = report(reckoner, ["up 1h"], open_hours=["daily 12:00-17:30"])[STORE]
    assert row.observed_us == spans(["30m", "2h", "2h"])


@both_reckoners
@pytest.mark.parametrize(
    ("max_gap", "lowest_day", "observed_day"),
    [
        pytest.param("1h", "0h", "2h", id="two-runs"),
        # From 12 to 10 h ago, and an hour to both sides.
        pytest.param("2h", "2h", "4h", id="one-run"),
        pytest.param("20h", "2h", "22h", id="one-run-seen-from-far"),
    ],
)
def test_the_greatest_gap_is_a_setting(
    reckoner: Reckoner, max_gap: str, lowest_day: str, observed_day: str
) -> None:
    row = report(reckoner, ["up 12h", "up 10h"], max_gap=span(max_gap))[STORE]
    assert row.lowest_uptime_us[1] == span(lowest_day)
    assert row.observed_us[1] == span(observed_day)
    assert row.uptime_us == spans(["1h", "24h", "168h"])


def test_no_polls_give_no_rows() -> None:
    inputs = Inputs(hours=hours("daily 09:00-17:00"), zones=[zone("UTC")])
    assert Engine().rows(inputs, as_of=AS_OF, policy=NEAREST, max_gap=MAX_GAP) == {}


# Two polls a microsecond to each side of the change. A ten-thousandth of a minute is 6,000 us.
@pytest.mark.parametrize(
    ("change_us", "uptime_minutes", "downtime_minutes"),
    [
        pytest.param(1_800_000_000, "30.0000", "30.0000", id="half-and-half"),
        pytest.param(6_000, "59.9999", "0.0001", id="a-ten-thousandth"),
        pytest.param(3_000, "60.0000", "0.0000", id="a-tie-down-to-even"),
        pytest.param(9_000, "59.9998", "0.0002", id="a-tie-up-to-even"),
    ],
)
def test_the_oracle_rounds_each_figure_half_even(
    change_us: int, uptime_minutes: str, downtime_minutes: str
) -> None:
    texts = [f"up {change_us + 1}us", f"down {change_us - 1}us"]
    row = oracle.make_report(Inputs(polls=polls(AS_OF, *texts)), as_of=AS_OF).rows[STORE]
    assert row.figures[0] == Decimal(uptime_minutes)
    assert row.figures[3] == Decimal(downtime_minutes)
