"""Stores, their history and the fleet over HTTP: every number equals the reference."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby, pairwise
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import httpx
import pytest

import oracle
import oracle_history
from api_server import serve
from clock_changes import AUTUMN, GROUPS, MAX_GAP, SPRING, ZONES, at, draw, fill, us
from databases import Databases
from stored import execute, load_rows
from storemon_pipeline.database.bulk import bulk_transaction


@dataclass(frozen=True, slots=True)
class Served:
    """A running API, and the same data as the reference's plain rows."""

    client: httpx.Client
    inputs: oracle.Inputs
    as_of: datetime

    def get(self, path: str, **parameters: str | int) -> Any:  # noqa: ANN401 - a JSON body
        answer = self.client.get(path, params=parameters or None)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(SPRING, id="spring"),
        pytest.param(AUTUMN, id="autumn"),
    ],
)
def served(databases: Databases, request: pytest.FixtureRequest) -> Iterator[Served]:
    """Give a running API to tests that only read."""
    inputs = draw(request.param, seed=request.param.month)
    with databases.taken() as url:
        fill(url, inputs)
        with serve(url) as client:
            yield Served(client, inputs, max(poll.polled_at for poll in inputs.polls))


def test_every_number_of_stores_and_fleet_equals_the_reference(served: Served) -> None:
    report = oracle.make_report(served.inputs, as_of=served.as_of)
    stores = served.get("/stores")["stores"]
    assert [store["store_id"] for store in stores] == list(ZONES)
    sums = [0, 0, 0]
    for store in stores:
        row = report.rows[store["store_id"]]
        for column, window in enumerate(("hour", "day", "week")):
            figures = store["figures"][window]
            assert figures["business_us"] == row.business_us[column]
            assert figures["uptime_us"] == row.uptime_us[column]
            assert figures["downtime_us"] == row.downtime_us[column]
            assert figures["lowest_uptime_us"] == row.lowest_uptime_us[column]
            assert figures["highest_uptime_us"] == row.highest_uptime_us[column]
            assert figures["observed_us"] == row.observed_us[column]
            sums[column] += row.uptime_us[column]
            ledger = served.get(f"/stores/{store['store_id']}/explain", window=window)
            up = [entry["counted_us"] for entry in ledger["entries"] if entry["kind"] == "up"]
            assert sum(up) == ledger["uptime_us"] == row.uptime_us[column]
            assert ledger["lowest_uptime_us"] == row.lowest_uptime_us[column]
            assert ledger["highest_uptime_us"] == row.highest_uptime_us[column]
    now = served.get("/fleet/now")
    assert [now["windows"][window]["uptime_us"] for window in ("hour", "day", "week")] == sums
    assert sum(now["standing"].values()) == 3


@pytest.mark.parametrize("policy", ["nearest", "previous"])
def test_the_ledger_of_a_past_instant_sums_to_the_figure_of_the_reference(
    served: Served, policy: oracle.Policy
) -> None:
    rng = random.Random(policy)  # noqa: S311 - a test's dice
    for _ in range(3):
        as_of = served.as_of - timedelta(seconds=rng.randrange(6 * 86_400))
        report = oracle.make_report(served.inputs, as_of=as_of, policy=policy)
        for store_id, row in report.rows.items():
            for column, window in enumerate(("hour", "day", "week")):
                ledger = served.get(
                    f"/stores/{store_id}/explain",
                    window=window,
                    policy=policy,
                    as_of=as_of.isoformat(),
                )
                counted = {"up": 0, "down": 0}
                for entry in ledger["entries"]:
                    if entry["kind"] in counted:
                        length = at(entry["end"]) - at(entry["start"])
                        assert entry["counted_us"] == length
                        counted[entry["kind"]] += length
                assert counted["up"] == row.uptime_us[column]
                assert counted["down"] == row.downtime_us[column]
                assert ledger["business_us"] == row.business_us[column]
                for before, after in pairwise(ledger["entries"]):
                    assert before["end"] == after["start"]


def test_totals_of_now_and_of_the_period_before_are_sums_of_the_reference(
    served: Served,
) -> None:
    report = oracle.make_report(served.inputs, as_of=served.as_of)
    stores = {store["store_id"]: store for store in served.get("/stores")["stores"]}
    now = served.get("/fleet/now")
    assert [total["name"] for total in now["groups"]] == ["East", None]
    for members, totals in (
        (list(ZONES), now),
        (["A", "B"], now["groups"][0]),
        (["C"], now["groups"][1]),
        (["A", "B"], served.get("/fleet/now", group="East")),
        (["B"], served.get("/fleet/now", group="East", timezone="Asia/Kathmandu")),
    ):
        assert totals["stores"] == len(members)
        assert totals["lost_us"] == sum(stores[store]["lost_us"] for store in members)
        assert totals["open_incidents"] == sum(
            stores[store]["down_since"] is not None for store in members
        )
        for standing, count in totals["standing"].items():
            assert count == sum(stores[store]["standing"] == standing for store in members)
        for column, (window, hours) in enumerate((("hour", 1), ("day", 24), ("week", 168))):
            rows = [report.rows[store] for store in members]
            share = totals["windows"][window]
            up, business = (
                sum(row.uptime_us[column] for row in rows),
                sum(row.business_us[column] for row in rows),
            )
            assert (share["uptime_us"], share["business_us"]) == (up, business)
            assert share["observed_us"] == sum(row.observed_us[column] for row in rows)
            assert share["lowest_uptime_us"] == sum(row.lowest_uptime_us[column] for row in rows)
            assert share["highest_uptime_us"] == sum(row.highest_uptime_us[column] for row in rows)
            assert share["uptime_percent"] == floored(up, business)
            end = served.as_of - timedelta(hours=hours)
            before = [expected_sum(served, s, end - timedelta(hours=hours), end) for s in members]
            up, down = sum(amounts.up for amounts in before), sum(one.down for one in before)
            # Twelve days of polls do not reach two weeks back.
            expected = None if window == "week" else floored(up, up + down)
            assert share["previous_percent"] == expected


def floored(part: int, whole: int) -> float | None:
    return part * 10_000 // whole / 100 if whole else None


def expected_sum(
    served: Served, store_id: str, start: datetime, end: datetime
) -> oracle_history.Amounts:
    found = oracle_history.stretches(
        served.inputs, store_id, start, end, as_of=served.as_of, max_gap=MAX_GAP
    )
    total = oracle_history.Amounts()
    for amounts in oracle_history.history(found, "month").values():
        for name in ("business", "up", "down", "unknown", "uncertain", "certain_up"):
            setattr(total, name, getattr(total, name) + getattr(amounts, name))
    return total


def expected_history(
    served: Served, store_id: str, start: datetime, end: datetime, by: oracle_history.Period
) -> dict[str, oracle_history.Amounts]:
    found = oracle_history.stretches(
        served.inputs, store_id, start, end, as_of=served.as_of, max_gap=MAX_GAP
    )
    return {label: made for (label, _), made in oracle_history.history(found, by).items()}


def assert_amounts(row: dict[str, Any], amounts: oracle_history.Amounts) -> None:
    assert row["business_us"] == amounts.business
    assert row["uptime_us"] == amounts.up
    assert row["downtime_us"] == amounts.down
    assert row["unknown_us"] == amounts.unknown
    assert row["uncertain_us"] == amounts.uncertain
    assert row["lowest_uptime_us"] == amounts.certain_up
    assert row["highest_uptime_us"] == amounts.certain_up + amounts.uncertain
    assert row["uptime_percent"] == floored(amounts.up, amounts.up + amounts.down)


def test_hours_equal_the_reference_and_a_repeated_hour_is_two_rows(served: Served) -> None:
    end = served.as_of
    start = end - timedelta(days=9)
    for store_id in ZONES:
        answer = served.get(
            f"/stores/{store_id}/uptime", by="hour", limit=1000, **{"from": start.isoformat()}
        )
        found = oracle_history.stretches(
            served.inputs, store_id, start, end, as_of=served.as_of, max_gap=MAX_GAP
        )
        expected = oracle_history.history(found, "hour")
        made = {}
        for row in answer["periods"]:
            begin = datetime.fromisoformat(row["begin_local"]).replace(tzinfo=UTC)
            full = timedelta(hours=1) - (
                datetime.fromisoformat(row["end"]) - datetime.fromisoformat(row["start"])
            )
            # The offset is that of the row's end, which is a full hour but for the last one.
            offset = (
                us(begin) + oracle.HOUR - at(row["end"])
                if row["end"] != answer["end"]
                else (us(begin) - at(row["start"]))
            )
            assert full >= timedelta(0)
            made[row["begin_local"][:16], offset] = row
        assert set(made) == set(expected)
        for label, amounts in expected.items():
            assert_amounts(made[label], amounts)
        clocks = [row["begin_local"] for row in answer["periods"]]
        repeats = len(clocks) - len(set(clocks))
        assert repeats == (1 if store_id == "A" and served.as_of.month == 11 else 0)
        if store_id == "A" and served.as_of.month == 3:
            assert "2023-03-12T02:00:00" not in clocks


@pytest.mark.parametrize("by", ["day", "week", "month"])
def test_history_of_random_periods_equals_the_reference(
    served: Served, by: oracle_history.Period
) -> None:
    rng = random.Random(by)  # noqa: S311 - a test's dice
    for store_id in ZONES:
        end = served.as_of - timedelta(minutes=rng.randrange(3000))
        start = end - timedelta(minutes=rng.randrange(1, 12_000))
        answer = served.get(
            f"/stores/{store_id}/uptime",
            by=by,
            limit=1000,
            **{"from": start.isoformat(), "to": end.isoformat()},
        )
        expected = expected_history(served, store_id, start, end, by)
        assert {row["begin_local"][:16] for row in answer["periods"]} == set(expected)
        for row in answer["periods"]:
            assert_amounts(row, expected[row["begin_local"][:16]])
        assert answer["sum"]["uptime_us"] == sum(amounts.up for amounts in expected.values())


def test_hours_of_a_store_and_of_the_fleet_sum_to_the_days(served: Served) -> None:
    begin = (served.as_of - timedelta(days=5)).replace(microsecond=0, second=0, minute=0)
    total = 0
    for store_id in ZONES:
        period = {"from": begin.isoformat()}
        hours = served.get(f"/stores/{store_id}/uptime", by="hour", limit=1000, **period)
        days = served.get(f"/stores/{store_id}/uptime", by="day", **period)
        assert hours["sum"] == days["sum"]
        assert sum(row["uptime_us"] for row in hours["periods"]) == hours["sum"]["uptime_us"]
        total += hours["sum"]["uptime_us"]
    fleet = served.get("/fleet/uptime", by="hour", limit=1000, **{"from": begin.isoformat()})
    assert sum(row["uptime_us"] for row in fleet["periods"]) == total


@pytest.mark.parametrize("by", ["day", "week", "month"])
def test_the_history_of_the_fleet_is_the_sum_of_the_reference(
    served: Served, by: oracle_history.Period
) -> None:
    sums: dict[tuple[str, str | None], oracle_history.Amounts] = {}
    for store_id, group in GROUPS.items():
        polled = min(p.polled_at for p in served.inputs.polls if p.store_id == store_id)
        zone = ZoneInfo(ZONES[store_id])
        start = polled.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
        for label, amounts in expected_history(
            served, store_id, start.astimezone(UTC), served.as_of, by
        ).items():
            total = sums.setdefault((label, group), oracle_history.Amounts())
            for name in ("business", "up", "down", "unknown", "uncertain", "certain_up"):
                setattr(total, name, getattr(total, name) + getattr(amounts, name))
    rows = served.get("/fleet/uptime", by=by, split="group", limit=1000)["periods"]
    made = {(row["begin_local"][:16], row["group"]): row for row in rows}
    assert set(made) == set(sums)
    for key, row in made.items():
        assert_amounts(row, sums[key])
    of_east = served.get("/fleet/uptime", by=by, group="East", limit=1000)["periods"]
    assert {row["begin_local"]: row["uptime_us"] for row in of_east} == {
        row["begin_local"]: row["uptime_us"] for (_, name), row in made.items() if name == "East"
    }


def test_the_hours_of_the_fleet_are_sums_of_the_reference(served: Served) -> None:
    changes = {3: datetime(2023, 3, 12, tzinfo=UTC), 11: datetime(2023, 11, 5, tzinfo=UTC)}
    begin = changes[served.as_of.month]
    end = begin + timedelta(hours=30)
    rows = served.get(
        "/fleet/uptime", by="hour", **{"from": begin.isoformat(), "to": end.isoformat()}
    )["periods"]
    assert len(rows) == 30
    for row in rows:
        start = datetime.fromisoformat(row["begin_local"]).replace(tzinfo=UTC)
        total = oracle_history.Amounts()
        for store_id in ZONES:
            amounts = expected_sum(served, store_id, start, start + timedelta(hours=1))
            for name in ("business", "up", "down", "unknown", "uncertain", "certain_up"):
                setattr(total, name, getattr(total, name) + getattr(amounts, name))
        assert_amounts(row, total)


def test_the_fleet_s_days_are_the_sums_of_the_stores_days(served: Served) -> None:
    fleet = {row["begin_local"]: row for row in served.get("/fleet/uptime")["periods"]}
    sums: dict[str, int] = {}
    for store_id in ZONES:
        days = served.get(f"/stores/{store_id}/uptime", limit=1000)
        for row in days["periods"]:
            sums[row["begin_local"]] = sums.get(row["begin_local"], 0) + row["uptime_us"]
    assert {begin: row["uptime_us"] for begin, row in fleet.items()} == sums
    east = served.get("/fleet/uptime", split="group")["periods"]
    assert {row["group"] for row in east} == {"East", None}


@pytest.mark.parametrize("by", ["week", "month"])
def test_a_budget_is_that_of_the_history_of_its_period(served: Served, by: str) -> None:
    for store_id in ZONES:
        budget = served.get(f"/stores/{store_id}/budget", objective="98.5", by=by)
        period = {"from": budget["start"], "to": budget["end"]}
        so_far = served.get(f"/stores/{store_id}/uptime", by=by, **period)["sum"]
        assert datetime.fromisoformat(budget["until"]) == served.as_of
        assert budget["spent_us"] == so_far["downtime_us"]
        assert budget["unknown_us"] == so_far["unknown_us"]
        assert budget["uptime_percent"] == so_far["uptime_percent"]
        to_come = oracle.business_time(
            served.inputs, store_id, served.as_of, datetime.fromisoformat(budget["end"])
        )
        opening_us = so_far["business_us"] + to_come - so_far["unknown_us"]
        assert budget["opening_us"] == opening_us
        assert budget["budget_us"] == opening_us * 15 // 1000
        assert budget["left_us"] == budget["budget_us"] - budget["spent_us"]
        # A date of the same period gives the same.
        begin = budget["start"]
        again = served.get(f"/stores/{store_id}/budget", objective="98.5", by=by, at=begin)
        assert again == budget


def test_incidents_equal_the_reference(served: Served) -> None:
    start = min(poll.polled_at for poll in served.inputs.polls) - timedelta(days=9)
    found_open = []
    for store_id in ZONES:
        answer = served.get(f"/stores/{store_id}/incidents", limit=1000)
        expected = oracle_history.incidents(
            served.inputs, store_id, start, as_of=served.as_of, max_gap=MAX_GAP
        )
        made = sorted(
            (at(row["start"]), at(row["end"]), row["lost_us"], row["ending"])
            for row in answer["incidents"]
        )
        assert made == [(row.start, row.end, row.lost, row.ending) for row in expected]
        ended = [row.lost for row in expected if row.ending == "ended"]
        assert answer["summary"]["longest_us"] == max((row.lost for row in expected), default=0)
        assert answer["summary"]["mean_to_recovery_us"] == (
            sum(ended) // len(ended) if ended else None
        )
        found_open += [store_id for row in expected if row.ending == "open"]
    open_now = served.get("/incidents", open="true")
    assert sorted(row["store_id"] for row in open_now["incidents"]) == sorted(found_open)


def test_incidents_of_a_period_equal_those_of_the_reference_that_overlap_it(served: Served) -> None:
    first = min(poll.polled_at for poll in served.inputs.polls) - timedelta(days=9)
    rng = random.Random(served.as_of.month)  # noqa: S311 - a test's dice
    for _ in range(3):
        end = served.as_of - timedelta(minutes=rng.randrange(6_000))
        start = end - timedelta(minutes=rng.randrange(60, 9_000))
        period = {"from": start.isoformat(), "to": end.isoformat()}
        expected = {
            (store_id, row.start, row.end, row.lost)
            for store_id in ZONES
            for row in oracle_history.incidents(
                served.inputs, store_id, first, as_of=served.as_of, max_gap=MAX_GAP
            )
            if row.end > us(start) and row.start < us(end)
        }
        fleet = served.get("/incidents", limit=1000, **period)["incidents"]
        of_stores = [
            row
            for store_id in ZONES
            for row in served.get(f"/stores/{store_id}/incidents", limit=1000, **period)[
                "incidents"
            ]
        ]
        for found in (fleet, of_stores):
            made = {
                (row["store_id"], at(row["start"]), at(row["end"]), row["lost_us"]) for row in found
            }
            assert made == expected


def test_segments_of_a_timeline_equal_the_reference_over_a_clock_change(
    served: Served,
) -> None:
    end = served.as_of
    start = end - timedelta(days=9)
    for store_id in ZONES:
        answer = served.get(f"/stores/{store_id}/timeline", **{"from": start.isoformat()})
        found = oracle_history.stretches(
            served.inputs, store_id, start, end, as_of=end, max_gap=MAX_GAP
        )
        planned = oracle_history.stretches(
            replace(served.inputs, closures=()), store_id, start, end, as_of=end, max_gap=MAX_GAP
        )
        expected = [
            (*key, parts[0][0], parts[-1][1])
            for key, parts in (
                (key, list(group))
                for key, group in groupby(kinds(found, planned), key=lambda part: part[2:])
            )
        ]
        assert [
            (row["kind"], row["is_certain"], at(row["start"]), at(row["end"]))
            for row in answer["segments"]
        ] == expected


def kinds(
    found: list[oracle_history.Stretch], planned: list[oracle_history.Stretch]
) -> Iterator[tuple[int, int, str, bool]]:
    """What each stretch is: what is business time but for closures is one of them."""
    edges = sorted({edge for one in (*found, *planned) for edge in (one.start, one.end)})
    for since, until in pairwise(edges):
        own = next(one for one in found if one.start <= since < one.end)
        without = next(one for one in planned if one.start <= since < one.end)
        if own.is_business:
            yield since, until, own.state, own.is_certain
        else:
            yield since, until, "closure" if without.is_business else "closed", True


def test_a_timeline_fills_its_period_and_shows_each_poll(served: Served) -> None:
    answer = served.get("/stores/A/timeline", **{"from": served.as_of.date().isoformat()})
    segments = answer["segments"]
    assert segments[0]["start"] == answer["start"]
    assert segments[-1]["end"] == answer["end"]
    for before, after in pairwise(segments):
        assert before["end"] == after["start"]
    polled = [
        us(poll.polled_at)
        for poll in served.inputs.polls
        if poll.store_id == "A" and us(poll.polled_at) >= at(answer["start"])
    ]
    assert [at(tick["at"]) for tick in answer["polls"]] == polled


def test_a_planned_closure_is_a_segment_of_its_own(database_url: str) -> None:
    inputs = draw(AUTUMN, seed=3)
    hours = [oracle.HoursRow("A", day, "09:00", "17:00", "always") for day in range(7)]
    fill(database_url, oracle.Inputs(inputs.polls, hours, inputs.zones, inputs.closures))
    with serve(database_url) as client:
        answer = client.get("/stores/A/timeline?from=2023-11-05&to=2023-11-06").json()
    closures = [
        (segment["start"], segment["end"])
        for segment in answer["segments"]
        if segment["kind"] == "closure"
    ]
    # New York's clocks went back on that morning: 10:00 there is 15:00 UTC.
    assert closures == [("2023-11-05T15:00:00Z", "2023-11-05T20:00:00Z")]


def test_lists_are_filtered_sorted_and_paged(served: Served) -> None:
    def ids(**parameters: str | int) -> list[str]:
        return [row["store_id"] for row in served.get("/stores", **parameters)["stores"]]

    assert ids(sort="name", order="desc") == ["C", "B", "A"]
    assert ids(q="store b") == ["B"]
    assert ids(group="East") == ["A", "B"]
    assert ids(timezone="Asia/Kathmandu") == ["B"]
    assert ids(group="nowhere") == []
    page = served.get("/stores", limit=2)
    assert page["total"] == 3
    assert [row["store_id"] for row in served.get(page["next"])["stores"]] == ["C"]
    standing = {row["store_id"]: row["standing"] for row in served.get("/stores")["stores"]}
    for word in set(standing.values()):
        assert ids(standing=word) == [key for key in standing if standing[key] == word]


@pytest.mark.parametrize("served", [pytest.param(AUTUMN, id="autumn")], indirect=True)
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/stores/nobody", 404),
        ("/stores/nobody/uptime", 404),
        ("/stores/%00/uptime", 404),
        ("/stores/A/uptime?from=yesterday", 422),
        ("/stores/A/uptime?from=0001-01-01", 422),
        ("/stores/A/uptime?from=1990-01-01&by=hour", 422),
        ("/stores/A/timeline?from=1990-01-01", 422),
        ("/stores/A/timeline?to=9999-12-31", 422),
        ("/stores/A/timeline?to=1950-01-01", 200),
        ("/stores/A/explain?as_of=1950-01-01T00:00:00Z", 200),
        ("/stores/A/explain?window=year", 422),
        ("/stores/A/budget", 404),
        ("/stores/A/budget?objective=100.1", 422),
        ("/stores/A/budget?objective=98.5&by=day", 422),
        ("/stores/A/budget?objective=98.5&at=1950-01-01", 200),
        ("/stores/nobody/budget?objective=98.5", 404),
        ("/stores?limit=0", 422),
        ("/stores?group=%00", 422),
        ("/incidents?from=1990-01-01T00:00:00Z", 422),
        ("/fleet/uptime?by=day&from=2023-01-01T00:00:00Z", 422),
        ("/fleet/uptime?by=hour&from=2000-01-01", 422),
    ],
)
def test_bad_questions_get_a_problem(served: Served, path: str, status: int) -> None:
    assert served.client.get(path).status_code == status


@pytest.mark.parametrize("by", ["timeline?", "uptime?by=hour&"])
def test_a_browser_s_longest_period_is_served_where_the_newest_poll_has_microseconds(
    database_url: str, by: str
) -> None:
    newest = datetime(2023, 1, 25, 18, 13, 22, 479220, tzinfo=UTC)
    with bulk_transaction(database_url, is_writing_polls=True) as bulk:
        load_rows(bulk, [("A", us(newest), True)], file_path=None)
    days = 31 if by == "timeline?" else 92
    # A browser's clock has milliseconds.
    begin = (newest - timedelta(days=days)).isoformat(timespec="milliseconds")[:23]
    with serve(database_url) as client:
        assert client.get(f"/stores/A/{by}from={begin}Z").status_code == 200
        longer = (newest - timedelta(days=days + 1)).isoformat()[:23]
        assert client.get(f"/stores/A/{by}from={longer}Z").status_code == 422


STRANGE_IDS = (
    "A/uptime",
    "A/incidents",
    "A/timeline",
    "A/explain",
    "A/budget",
    "A/hours",
    "..",
    ".",
    "-",
    "a?b#c%2F",
)


def test_stores_of_any_id_have_addresses_of_their_own(database_url: str) -> None:
    newest = datetime(2023, 1, 25, 18, tzinfo=UTC)
    polls = [(store_id, us(newest), True) for store_id in ("A", *STRANGE_IDS)]
    with bulk_transaction(database_url, is_writing_polls=True) as bulk:
        load_rows(bulk, polls, file_path=None)
    with serve(database_url) as client:
        for store_id in STRANGE_IDS:
            addresses = [("/stores/-{}", {"store_id": store_id})]
            if store_id not in {".", ".."}:
                addresses.append((f"/stores/{quote(store_id, safe='')}{{}}", {}))
            for address, query in addresses:
                for view in ("", "/uptime", "/timeline", "/explain"):
                    response = client.get(address.format(view), params=query)
                    assert response.status_code == 200
                    assert response.json()["store_id"] == store_id
                page = client.get(
                    address.format("/uptime"), params={**query, "by": "hour", "limit": 1}
                )
                following = page.json()["next"]
                assert client.get(following).json()["store_id"] == store_id
                body = {"timezone": "Asia/Kathmandu"}
                address_of_zone = address.format("/timezone")
                assert client.put(address_of_zone, json=body, params=query).status_code == 200
                zone = client.get(address.format("/explain"), params=query).json()["timezone"]
                assert zone == "Asia/Kathmandu"
        assert client.get("/stores/A/explain").json()["timezone"] == "America/Chicago"


def test_without_polls_lists_are_empty_and_a_store_has_no_history(database_url: str) -> None:
    execute(database_url, "INSERT INTO stores (store_id) VALUES ('A')")
    with serve(database_url) as client:
        assert client.get("/stores").json()["total"] == 0
        assert client.get("/fleet/now").json()["as_of"] is None
        assert client.get("/incidents").json()["total"] == 0
        assert client.get("/fleet/uptime").json()["periods"] == []
        assert client.get("/fleet/uptime?by=hour").json()["periods"] == []
        assert client.get("/stores/A").status_code == 404
        assert client.get("/stores/A/uptime").status_code == 409


def test_a_stream_of_events_tells_of_the_data_at_once_and_of_newer_data(
    database_url: str,
) -> None:
    inputs = draw(AUTUMN, seed=3)
    fill(database_url, inputs)
    later = max(poll.polled_at for poll in inputs.polls) + timedelta(hours=1)
    with serve(database_url) as client, client.stream("GET", "/events") as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        assert any(line == "event: data" for line in lines)
        with bulk_transaction(database_url, is_writing_polls=True) as bulk:
            load_rows(bulk, [("A", us(later), True)], file_path=None)
        assert any(line == "event: data" for line in lines)
        assert client.get("/fleet/now").json()["as_of"] == later.isoformat().replace("+00:00", "Z")
