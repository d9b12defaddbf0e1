"""Setting, ending and taking back objectives in a browser, with a preview of the verdicts."""

from playwright.sync_api import Browser, expect

from api_keys import new_key
from api_server import serve
from browser import PHONE, visit
from stored import execute, load
from storemon_pipeline.access.keys import Scope


def test_an_objective_is_set_changed_ended_and_taken_back(
    chromium: Browser, database_url: str
) -> None:
    load(database_url, *(f"{name} {hour:02}:00 up" for name in "AB" for hour in range(8, 17)))
    execute(
        database_url,
        "INSERT INTO store_details (store_key, name, group_name, region, load_id)"
        " SELECT store_key, 'Store ' || store_id, 'Bay Area', NULL, 1 FROM stores"
        " WHERE store_id = 'A'",
    )
    with serve(database_url) as client:
        url = f"{client.base_url}/pages/objectives"
        with visit(chromium, url) as page:
            expect(page.locator("#versions tbody")).to_contain_text("No objective is set")
            page.get_by_role("button", name="Set an objective").click()
            page.get_by_label("Online for at least").fill("98.5")
            page.get_by_role("button", name="Show what changes").click()
            expect(page.locator("#change-preview")).to_contain_text("2 stores get another")
            page.get_by_role("button", name="Save").click()
            expect(page.locator("#versions tbody tr")).to_contain_text("All stores98.5 % per month")
            expect(page.locator("#budgets tbody tr")).to_have_count(2)
            page.get_by_role("button", name="Set an objective").click()
            page.get_by_label("For", exact=True).select_option("group")
            page.get_by_label("Group").select_option("Bay Area")
            page.get_by_label("Online for at least").fill("99")
            page.get_by_role("button", name="Save").click()
            expect(page.locator("#versions tbody tr").first).to_contain_text("Group Bay Area")
            expect(page.locator("#budgets tbody")).to_contain_text("99 %")
        with visit(chromium, url, size=PHONE) as page:
            page.get_by_role("button", name="End").first.click()
            expect(page.locator("#change-preview")).to_contain_text("0 stores get another")
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
            page.get_by_role("button", name="End it").click()
            expect(page.locator("#versions tbody tr")).to_have_count(3)
            expect(page.locator("#versions tbody tr").first).to_contain_text("none")
            page.get_by_role("button", name="Take back").first.click()
            page.locator("#change-save").click()
            expect(page.locator("#versions tbody tr")).to_have_count(2)


def test_who_may_not_set_objectives_sees_them_alone(chromium: Browser, database_url: str) -> None:
    load(database_url, "A 09:00 up")
    # Before the service starts: a running one learns of its first key a little later.
    reader = new_key(database_url, "reader", Scope.READ)
    writer = new_key(database_url, "writer", Scope.INGEST)
    with serve(database_url) as client:
        body = {"applies_to": "all", "objective": 98}
        client.put("/objectives", json=body, headers={"X-API-Key": writer}).raise_for_status()
        with visit(chromium, f"{client.base_url}/pages/objectives", key=reader) as page:
            expect(page.locator("#versions tbody tr")).to_contain_text("98 % per month")
            expect(page.get_by_role("button", name="Set an objective")).to_have_count(0)
            expect(page.get_by_role("button", name="Take back")).to_have_count(0)
