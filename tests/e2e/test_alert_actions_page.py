"""Acting on alerts in a browser: what is offered, what it does, what the page then shows."""

from datetime import timedelta

from playwright.sync_api import Browser, expect

from api_keys import new_key
from api_server import serve
from browser import PHONE, visit
from stored import at, load
from storemon_pipeline.access.keys import Scope
from storemon_pipeline.alerts.conditions import Rules
from storemon_pipeline.alerts.evaluate import Notification, evaluate_rules


def alarm(url: str) -> None:
    """A is down since 08:30 and B since 09:30."""
    for rows, clock in (
        (["A 08:00 up", "B 08:00 up", "B 09:00 up", "C 08:00 up"], "09:00"),
        (["A 09:00 down", "A 12:00 down", "B 10:00 down", "B 12:00 down", "C 12:00 up"], "12:00"),
    ):
        load(url, *rows)
        evaluate_rules(
            url,
            rules=Rules(),
            notification=Notification(("json://localhost",)),
            now=at(clock) + timedelta(minutes=1),
            is_loading=False,
        )


def test_an_alert_is_acknowledged_noted_on_and_silenced_on_the_page(
    chromium: Browser, database_url: str
) -> None:
    alarm(database_url)
    writer = new_key(database_url, "Night shift", Scope.READ, Scope.INGEST)
    with serve(database_url) as client:
        url = f"{client.base_url}/pages/alerts"
        with visit(chromium, url, key=writer) as page:
            ids = page.locator("#alerts td.id a")
            page.get_by_label("Sort by").select_option("longest first")
            expect(ids).to_have_text(["A", "B"])
            page.get_by_label("Search by name or ID").fill("b")
            expect(ids).to_have_text(["B"])
            page.get_by_role("button", name="Acknowledge or silence").click()
            page.get_by_label("Note").fill("called the owner")
            page.get_by_role("button", name="Acknowledge", exact=True).click()
            row = page.locator("#alerts tbody tr").first
            expect(row).to_contain_text("called the owner")
            expect(row).to_contain_text("acknowledged by Night shift")
            page.get_by_label("Search by name or ID").fill("")
            expect(ids).to_have_text(["A", "B"])
            page.locator("select[name=handled]").select_option("not acknowledged")
            expect(ids).to_have_text(["A"])
            page.get_by_role("button", name="Acknowledge or silence").click()
            page.get_by_label("Silent until").fill("2020-01-01T00:00")
            page.get_by_role("button", name="Silence", exact=True).click()
            expect(page.locator("#act-problem")).to_have_text("Pick a time in the future.")
            page.get_by_label("Silent until").fill("2100-01-01T00:00")
            page.get_by_role("button", name="Silence", exact=True).press("Enter")
            expect(row.locator("td.state")).to_contain_text("silenced")
            assert "handled=new" in page.url
            assert "sort=oldest" in page.url
            page.go_back()
            expect(ids).to_have_text(["A", "B"])
        with visit(
            chromium, f"{url}?handled=silenced", key=writer, scheme="dark", size=PHONE
        ) as page:
            expect(page.locator("#alerts td.id a")).to_have_text(["A"])
            page.get_by_role("button", name="Acknowledge or silence").click()
            page.get_by_role("button", name="End silence").click()
            expect(page.locator("#alerts td.empty")).to_have_text("No alerts match")
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]


def test_a_key_that_may_not_act_is_offered_nothing(chromium: Browser, database_url: str) -> None:
    alarm(database_url)
    reader = new_key(database_url, "reader", Scope.READ)
    with (
        serve(database_url) as client,
        visit(chromium, f"{client.base_url}/pages/alerts", key=reader) as page,
    ):
        expect(page.locator("#alerts td.id a")).to_have_count(2)
        expect(page.get_by_role("button", name="Acknowledge or silence")).to_have_count(0)
        expect(page.locator("dialog")).to_have_count(0)
