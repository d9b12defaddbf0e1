"""The reasons of outages: what each event has cost of each outage, in opening time."""

import numpy as np

from storemon_pipeline.business_time.calendar import (
    Calendar,
    HoursVersions,
    ZoneVersions,
    build_calendar,
)
from storemon_pipeline.business_time.weeks import WeekIntervals
from storemon_pipeline.domain.windows import HOUR_US, IntArray
from storemon_pipeline.events.event_texts import EventText
from storemon_pipeline.statements.period_reasons import reasons_of_outages
from storemon_pipeline.uptime.event_stretches import EventStretches

TEXTS = {
    1: EventText("platform", "tablet offline"),
    2: EventText("till", "paper"),
    3: EventText("platform", "tablet offline"),
    -1: EventText("correction", "power cut", is_correction=True),
}


def always_open(stores: int) -> Calendar:
    none = np.empty(0, np.int64)
    return build_calendar(
        stores=stores,
        start_us=0,
        end_us=1000 * HOUR_US,
        weeks=WeekIntervals(none, none, none),
        hours=HoursVersions(none, none, none),
        zones=ZoneVersions(none, none, none, ()),
    )


def hours(*values: float) -> IntArray:
    return (np.array(values) * HOUR_US).astype(np.int64)


def found(
    events: list[tuple[int, float, float, bool, int]], outages: list[tuple[int, float, float]]
) -> list[dict[str, float]]:
    """The hours lost by reason, for each outage of store, start and end."""
    store, start, end, is_up, event = zip(*events, strict=True)
    stretches = EventStretches(
        np.array(store), hours(*start), hours(*end), np.array(is_up), np.array(event)
    )
    of_store, begin, finish = zip(*outages, strict=True)
    reasons = reasons_of_outages(
        stretches, TEXTS, always_open(4), np.array(of_store), hours(*begin), hours(*finish)
    )
    return [
        {f"{one.source}: {one.reason}": one.lost_us / HOUR_US for one in own} for own in reasons
    ]


def test_each_outage_has_the_part_of_an_event_that_lies_in_it() -> None:
    assert found(
        [(0, 5, 20, False, 1), (2, 0, 9, False, 2)],
        [(0, 2, 6), (0, 10, 11), (0, 19, 30), (1, 2, 6), (2, 8, 12)],
    ) == [
        {"platform: tablet offline": 1},
        {"platform: tablet offline": 1},
        {"platform: tablet offline": 1},
        {},
        {"till: paper": 1},
    ]


def test_several_events_of_one_outage_are_in_order_and_equal_ones_are_one_reason() -> None:
    (own,) = found(
        [(3, 1, 2, False, 2), (3, 2, 2.5, True, 1), (3, 3, 4, False, 1), (3, 4, 4.5, False, 3)],
        [(3, 0, 9)],
    )
    assert list(own.items()) == [("till: paper", 1), ("platform: tablet offline", 1.5)]


def test_where_a_correction_holds_no_event_gives_a_reason() -> None:
    assert found([(0, 1, 9, False, 1), (0, 2, 4, False, -1)], [(0, 0, 10)]) == [
        {"platform: tablet offline": 6, "correction: power cut": 2}
    ]


def test_an_event_without_an_end_reaches_to_the_end_of_the_last_outage() -> None:
    none = 2**62 / HOUR_US
    assert found([(0, 3, none, False, 1), (1, 7, none, False, 2)], [(0, 2, 5), (1, 1, 8)]) == [
        {"platform: tablet offline": 2},
        {"till: paper": 1},
    ]
