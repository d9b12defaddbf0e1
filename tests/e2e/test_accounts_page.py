"""The page of accounts in a browser: the first admin invites a person and disables them."""

from collections.abc import Iterator

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from api_server import serve
from browser import PHONE
from signed_in import PASSWORD
from stored import execute, load


@pytest.fixture
def site(database_url: str) -> Iterator[httpx.Client]:
    load(database_url, "A 08:00 up")
    execute(
        database_url,
        "INSERT INTO store_details (store_key, name, group_name, region, load_id)"
        " SELECT store_key, 'Store ' || store_id, 'Bay Area', NULL, 1 FROM stores",
    )
    with serve(database_url) as client:
        yield client


def invite(page: Page, email: str, role: str) -> str:
    """Invite a person in the dialog, and return the link that the page shows."""
    page.get_by_role("button", name="Invite a person").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Email address").fill(email)
    form.get_by_label("Role").select_option(role)
    form.get_by_role("button", name="Invite", exact=True).click()
    return shown_link(page)


def shown_link(page: Page) -> str:
    page.get_by_role("button", name="Done").wait_for()
    return page.get_by_label("Link", exact=True).input_value()


def test_an_admin_invites_changes_and_disables_a_person_by_the_pages_alone(
    site: httpx.Client, chromium: Browser
) -> None:
    context = chromium.new_context(viewport={"width": PHONE[0], "height": PHONE[1]})
    try:
        page = context.new_page()
        page.goto(f"{site.base_url}/")
        page.get_by_role("link", name="Accounts").click()
        page.get_by_text("the first one must be an admin").wait_for()
        link = invite(page, "ada@example.com", "admin")
        page.goto(link)
        page.get_by_label("New password").fill(PASSWORD)
        page.get_by_label("again").fill(PASSWORD)
        page.get_by_role("button", name="Save and sign in").click()
        page.get_by_role("link", name="Accounts").click()

        page.get_by_role("button", name="Invite a person").click()
        form = page.get_by_role("dialog")
        form.get_by_label("Email address").fill("bob@example.com")
        form.get_by_label("Store IDs").fill("7")
        form.get_by_role("button", name="Invite", exact=True).click()
        form.get_by_text("No data names these stores: 7.").wait_for()
        form.get_by_label("Find stores and groups").fill("bay")
        form.get_by_role("button", name="Group Bay Area").click()
        expect(form.get_by_label("Groups of stores")).to_have_value("Bay Area")
        form.get_by_label("Find stores and groups").fill("store a")
        form.get_by_role("button", name="Store A · A · Bay Area").click()
        expect(form.get_by_label("Store IDs")).to_have_value("7\nA")
        assert Axe().run(page).response["violations"] == []
        form.get_by_label("may be unknown").check()
        form.get_by_role("button", name="Invite", exact=True).click()
        assert "/password?token=" in shown_link(page)
        page.get_by_role("button", name="Done").click()

        row = page.get_by_role("row").filter(has_text="bob@example.com")
        expect(row).to_contain_text("Invited")
        row.get_by_role("button", name="Change").click()
        form.get_by_label("Role").select_option("operator")
        form.get_by_role("button", name="Save").click()
        expect(row).to_contain_text("all stores")
        row.get_by_role("button", name="Disable").click()
        expect(row).to_contain_text("Disabled")
        row.get_by_role("button", name="Enable").click()
        expect(row).to_contain_text("Invited")
        own = page.get_by_role("row").filter(has_text="ada@example.com")
        own.get_by_role("button", name="Disable").click()
        page.get_by_role("alert").filter(has_text="nobody could administer").wait_for()

        page.get_by_label("Search by name").fill("ada")
        expect(row).to_have_count(0)
        assert page.url.endswith("/pages/accounts?q=ada")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    finally:
        context.close()
