"""Closing the stores of a group on Now, and taking that back there, in a browser."""

from playwright.sync_api import Browser, expect

from api_keys import new_key
from api_server import serve
from browser import PHONE, visit
from stored import execute, load, load_hours, load_zones
from storemon_pipeline.access.keys import Scope
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.schedules.weekly_intervals import refresh_intervals


def fill(url: str) -> None:
    """Three stores that are open from 9 to 18 UTC; A and B are of the group North."""
    for name in "ABC":
        load(url, *(f"{name} {hour:02}:00 up" for hour in range(8, 17)))
    load_zones(url, *(f"{name},UTC,always" for name in "ABC"))
    load_hours(url, *(f"{name},{day},09:00,18:00" for name in "ABC" for day in range(7)))
    execute(
        url,
        "INSERT INTO store_details (store_key, name, group_name, load_id) SELECT store_key, NULL,"
        " CASE WHEN store_id < 'C' THEN 'North' ELSE 'South' END, 1 FROM stores",
    )
    with bulk_transaction(url, is_writing_polls=True) as bulk:
        refresh_intervals(bulk)


def test_what_was_closed_in_one_step_is_listed_and_taken_back_as_a_whole(
    chromium: Browser, database_url: str
) -> None:
    fill(database_url)
    editor = new_key(database_url, "Ann", Scope.READ, Scope.EDIT)
    with serve(database_url) as client, visit(chromium, str(client.base_url), key=editor) as page:
        page.get_by_text("Closed in one step").click()
        expect(page.locator("#closings-list")).to_have_text("Nothing is closed in one step.")
        page.locator("select[name=group]").select_option("North")
        page.get_by_role("button", name="Close all stores of North").click()
        page.get_by_label("First day").fill("2023-01-24")
        page.get_by_label("Reason").fill("storm")
        page.get_by_role("button", name="Save").click()
        line = page.locator("#closings-list li")
        expect(line).to_contain_text("Jan 25, 2023, 12:00 AM: 2 stores")
        expect(line).to_contain_text("storm · entered ")
        expect(line).to_contain_text(" by Ann")
        line.get_by_role("button", name="Take back").click()
        # Nine hours of a day, of two stores.
        expect(page.locator("#change-preview tr").last).to_have_text(
            "Opening time to come that comes back18 h"
        )
        # Opened again before the browser tells that it was closed, it still has its preview.
        page.evaluate(
            "document.getElementById('change').close();"
            "document.querySelector('#closings-list button').click()"
        )
        expect(page.locator("#change-preview tr").last).to_contain_text("18 h")
        page.locator("#change-save").click()
        expect(page.locator("#change")).to_be_hidden()
        expect(page.locator("#closings-list")).to_have_text("Nothing is closed in one step.")
        closures = client.get("/closures", headers={"X-API-Key": editor}).json()["closures"]
        assert closures == []


def test_a_key_that_may_not_close_stores_is_not_offered_the_list(
    chromium: Browser, database_url: str
) -> None:
    fill(database_url)
    reader = new_key(database_url, "reader", Scope.READ)
    with (
        serve(database_url) as client,
        visit(chromium, str(client.base_url), key=reader, size=PHONE) as page,
    ):
        expect(page.locator("#scope, #standings").last).to_contain_text("Online now")
        expect(page.get_by_text("Closed in one step")).to_have_count(0)
