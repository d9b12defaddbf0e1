"""Outages by reason over both clock changes, against the slow reference."""

from collections import Counter
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from api_server import serve
from clock_changes import (
    AUTUMN,
    SOURCES,
    SPRING,
    ZONES,
    draw,
    draw_events,
    event_rows,
    fill,
    push,
)
from oracle_history import lost_by_source
from storemon_pipeline.domain.sources import Source

# The clocks change in New York on 12 March and on 5 November 2023.
FIRST_DAY = {SPRING: "2023-03-11", AUTUMN: "2023-11-04"}
LAST_DAY = {SPRING: "2023-03-13", AUTUMN: "2023-11-06"}


@pytest.mark.parametrize("begin", [SPRING, AUTUMN], ids=["spring", "autumn"])
def test_totals_by_reason_equal_the_reference(database_url: str, begin: datetime) -> None:
    inputs = draw(begin, 5)
    end = max(poll.polled_at for poll in inputs.polls)
    inputs = replace(inputs, events=draw_events(begin, end, 7))
    fill(database_url, inputs)
    push(database_url, Source.STORE_EVENTS, event_rows(inputs.events))
    period = {"from": begin.isoformat(), "to": end.isoformat()}
    totals: Counter[str] = Counter()
    days = {"from": FIRST_DAY[begin], "to": LAST_DAY[begin]}
    with serve(database_url) as client:

        def get(path: str, **parameters: str) -> Any:  # noqa: ANN401 - a JSON body
            return client.get(path, params=parameters).raise_for_status().json()

        for store_id, zone in ZONES.items():
            found = lost(get(f"/stores/{store_id}/incidents", **period)["summary"])
            assert found == lost_by_source(inputs, store_id, begin, end)
            midnights = (
                datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone)) for day in days.values()
            )
            on_days = get("/fleet/reasons", store_id=store_id, **days)
            assert lost(on_days) == lost_by_source(inputs, store_id, *midnights)
            totals.update(found)
        fleet = get("/incidents", **period)["summary"]
        every_day = get("/fleet/reasons", **{"from": "2023-01-01", "to": "2023-12-31"})
        in_east = get("/fleet/reasons", group="East", **days)
        file = client.get("/fleet/reasons", params={**days, "format": "csv"}).text
    assert lost(fleet) == lost(every_day) == totals
    assert every_day["lost_us"] == totals.total()
    assert {one["reason"] for one in fleet["reasons"]} == {f"by {source}" for source in SOURCES}
    assert {one["stores"] for one in in_east["reasons"]} <= {1, 2}
    assert file.splitlines()[0] == "source,reason,stores,lost_hours"


def lost(answer: Any) -> dict[str, int]:  # noqa: ANN401 - a JSON body
    """The business time lost by source, where there is some."""
    return {one["source"]: one["lost_us"] for one in answer["reasons"] if one["lost_us"]}
