"""The page of alerts in a real browser shows what the JSON says."""

from datetime import timedelta

from playwright.sync_api import Browser, expect

from api_server import serve
from browser import PHONE, late_answers, visit
from receiver import receiving
from stored import at, load
from storemon_pipeline.alerts.conditions import Rules
from storemon_pipeline.alerts.deliver import deliver_alerts
from storemon_pipeline.alerts.evaluate import Notification, evaluate_rules
from storemon_pipeline.alerts.targets import labelled


def look(url: str, clock: str, address: str) -> None:
    """Look for alerts, and send what waits."""
    targets = labelled([address])
    now = at(clock) + timedelta(minutes=1)
    evaluate_rules(
        url, rules=Rules(), notification=Notification(tuple(targets)), now=now, is_loading=False
    )
    deliver_alerts(url, targets, now=now)


def test_alerts_are_shown_with_their_messages_and_filtered(
    chromium: Browser, database_url: str
) -> None:
    with receiving() as receiver, serve(database_url) as client:
        load(database_url, "A 08:00 up", "B 08:00 up", "C 08:00 up")
        look(database_url, "08:00", receiver.url)
        load(database_url, *(f"{one} {clock} down" for one in "AB" for clock in ("09:00", "11:00")))
        look(database_url, "11:00", receiver.url)
        receiver.status = 503
        load(database_url, "A 12:00 up", "C 15:00 up")
        look(database_url, "15:00", receiver.url)
        with visit(chromium, f"{client.base_url}/pages/alerts") as page:
            expect(page.locator("#summary .standing .count")).to_have_text(list("10000"))
            expect(page.locator("#alerts tbody tr")).to_have_count(1)
            row = page.locator("#alerts tbody tr").first
            expect(row.locator("td.id a")).to_have_text("B")
            expect(row).to_contain_text("6 h 30 min")
            expect(row).to_contain_text("json://127.0.0.1")
            page.locator("#states").get_by_role("button", name="Closed").click()
            expect(row.locator("td.id a")).to_have_text("A")
            expect(row).to_contain_text("back online")
            expect(row).to_contain_text("delivery failed 1\N{MULTIPLICATION SIGN}, retrying")
            assert "state=closed" in page.url
            page.locator("#summary button").nth(1).click()
            expect(page.locator("#alerts tbody")).to_have_text("No alerts match")
            page.reload()
            expect(page.locator("#alerts tbody")).to_have_text("No alerts match")
            page.locator("#summary button").nth(1).click()
            with late_answers(page, "state=open"):
                page.locator("#states").get_by_role("button", name="Open").click()
                page.locator("#states").get_by_role("button", name="Closed").click()
                expect(row.locator("td.id a")).to_have_text("A")
            assert row.locator("td.id a").inner_text() == "A"
            row.locator("td.id a").click()
            expect(page.locator("h1")).to_have_text("A")
        with visit(
            chromium, f"{client.base_url}/pages/alerts?state=", scheme="dark", size=PHONE
        ) as page:
            expect(page.locator("#alerts tbody tr")).to_have_count(2)
            width = page.evaluate("document.documentElement.scrollWidth")
            assert width <= PHONE[0]


def test_the_page_shows_an_alert_that_opens_while_it_is_looked_at(
    chromium: Browser, database_url: str
) -> None:
    with receiving() as receiver, serve(database_url) as client:
        load(database_url, "A 08:00 up")
        look(database_url, "08:00", receiver.url)
        with visit(chromium, f"{client.base_url}/pages/alerts") as page:
            expect(page.locator("#alerts tbody")).to_have_text("Nothing is wrong now")
            load(database_url, "A 09:00 down", "A 11:00 down")
            look(database_url, "11:00", receiver.url)
            expect(page.locator("#alerts td.id a")).to_have_text("A")
