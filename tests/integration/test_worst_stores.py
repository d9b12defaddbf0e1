"""Ranking stores: ties in an order that says something, stores that were never online apart.

All stores are open from 9 to 17 on the Mondays of two weeks unless they say otherwise. Polls come
every hour on Monday, from 08:00 to 18:00.
"""

from collections.abc import Iterator

import httpx
import pytest

from api_server import serve
from stored import at, execute, load, load_hours, load_zones
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.figures.refresh_uptime import refresh_uptime
from storemon_pipeline.schedules.weekly_intervals import refresh_intervals

# Store: opening hours on Monday, and the hours whose poll is down. One poll down is an hour.
STORES = {
    "always": ("09:00,17:00", range(8, 19)),
    "long": ("08:30,17:30", (10,)),
    "short": ("09:00,13:00", (10,)),
    "twice": ("09:00,17:00", (10, 14)),
    "same share": ("09:00,13:00", (11,)),
    "fine": ("09:00,17:00", ()),
    "fine, short": ("09:00,13:00", ()),
}


@pytest.fixture(scope="module")
def client(module_database_url: str) -> Iterator[httpx.Client]:
    url = module_database_url
    names = {name: name.replace(" ", "_").replace(",", "") for name in STORES}
    for name, (_, down) in STORES.items():
        load(
            url,
            *(
                f"{names[name]} {hour:02}:00 {'down' if hour in down else 'up'}"
                for hour in range(8, 19)
            ),
        )
    load_zones(url, *(f"{one},UTC,always" for one in names.values()))
    load_hours(url, *(f"{names[one]},0,{hours},always" for one, (hours, _) in STORES.items()))
    with bulk_transaction(url, is_writing_polls=True) as bulk:
        refresh_intervals(bulk)
    refresh_uptime(url, refreshed_at=at("18:00"))
    execute(
        url,
        "INSERT INTO alerts (kind, subject, store_key, opened_at, since, lost_us, is_told)"
        " SELECT 'down', store_id, store_key, now(), now(), 0, false FROM stores"
        " WHERE store_id IN ('always', 'twice')",
        "INSERT INTO alerts (kind, subject, opened_at, since, lost_us, is_told)"
        " VALUES ('source', 'store_status', now(), now(), 0, false)",
    )
    with serve(url) as client:
        goal = {"applies_to": "all", "objective": 99, "by": "week", "valid_from": "always"}
        client.put("/objectives", json=goal).raise_for_status()
        yield client


def listed(client: httpx.Client, **parameters: str) -> list[str]:
    answer = client.get("/stores", params=parameters)
    assert answer.status_code == 200, answer.text
    return [store["store_id"] for store in answer.json()["stores"]]


def test_ties_of_hours_are_in_the_order_of_the_share(client: httpx.Client) -> None:
    worst = listed(client, sort="downtime_week", order="desc", never_online="false")
    assert worst == ["twice", "same_share", "short", "long", "fine", "fine_short"]
    assert listed(client, sort="downtime_week", order="asc", never_online="false") == [
        *("fine", "fine_short", "long", "same_share", "short", "twice"),
    ]


def test_ties_of_the_share_are_in_the_order_of_hours(client: httpx.Client) -> None:
    # 2 of 8 hours are the same share as 1 of 4.
    worst = listed(client, sort="uptime_week", order="asc", never_online="false")
    assert worst == ["twice", "same_share", "short", "long", "fine_short", "fine"]
    best = listed(client, sort="uptime_week", order="desc", never_online="false")
    assert best == ["fine", "fine_short", "long", "same_share", "short", "twice"]


def test_stores_that_were_never_online_and_hardly_open_are_apart(client: httpx.Client) -> None:
    assert listed(client, never_online="true") == ["always"]
    assert listed(client, min_open_hours="8", sort="downtime_week", order="desc") == [
        *("always", "twice", "long", "fine"),
    ]
    assert client.get("/stores", params={"min_open_hours": "-1"}).status_code == 422


def test_budgets_and_alerts_have_stores_that_were_never_online_apart(client: httpx.Client) -> None:
    def budgets(**parameters: str) -> list[str]:
        wanted = {"by": "week", "sort": "left", "order": "asc", **parameters}
        answer = client.get("/fleet/budgets", params=wanted).raise_for_status()
        return [one["store_id"] for one in answer.json()["budgets"]]

    def alerts(**parameters: str) -> set[tuple[str, str]]:
        answer = client.get("/alerts", params=parameters).raise_for_status()
        return {(one["kind"], one["subject"]) for one in answer.json()["alerts"]}

    assert budgets()[0] == "always"
    assert budgets(never_online="true") == ["always"]
    assert budgets(never_online="false") == budgets()[1:]
    # It is about no store.
    source = ("source", "store_status")
    assert alerts() == {("down", "always"), ("down", "twice"), source}
    assert alerts(never_online="true") == {("down", "always")}
    assert alerts(never_online="false") == {("down", "twice"), source}
