"""Sending statements in a browser: once, as a revision, by mail, and every Monday."""

import re

from playwright.sync_api import Browser, expect

from api_server import serve
from browser import PHONE, visit
from stored import load

WEEK = "2023-W04"


def test_a_statement_is_sent_revised_and_scheduled_on_the_pages(
    chromium: Browser, database_url: str
) -> None:
    load(database_url, *(f"A {hour:02}:00 up" for hour in range(8, 40)), "A 300:00 up")
    with serve(database_url) as client:
        root = str(client.base_url).rstrip("/")
        statement = f"{root}/pages/statement?store_id=A&period={WEEK}"
        with visit(chromium, statement) as page:
            page.get_by_role("button", name="Keep it as sent").click()
            expect(page).to_have_url(re.compile(r"/pages/statements/1$"))
            expect(page.get_by_text("its figures still hold")).to_be_visible()
        load(database_url, "A 20:30 down")
        with visit(chromium, f"{root}/pages/statements/1") as page:
            expect(page.get_by_role("heading", name="The figures have changed")).to_be_visible()
            page.get_by_role("button", name="Send revision 2").click()
            expect(page).to_have_url(re.compile(r"/pages/statements/2$"))
            expect(page.get_by_role("heading", name="Changes")).to_be_visible()
        with visit(chromium, statement) as page:
            page.get_by_label("Mail to").fill("owner@example.com")
            page.get_by_role("button", name="Send by mail").click()
            expect(page).to_have_url(re.compile(r"/pages/statements/2$"))
            expect(page.get_by_text("Being mailed to owner@example.com")).to_be_visible()
        with visit(chromium, statement, size=PHONE) as page:
            page.get_by_role("link", name="Send every week or month").click()
            mails = page.get_by_role("region", name="Mails")
            expect(mails.get_by_text("owner@example.com")).to_be_visible()
            expect(page.get_by_label("Store", exact=True)).to_have_value("A")
            page.get_by_label("To", exact=True).fill("owner@example.com")
            page.get_by_role("button", name="Send regularly").click()
            plan = page.get_by_role("region", name="By mail, every week or month")
            expect(plan.get_by_text("Monday 08:00, America/Chicago")).to_be_visible()
            page.wait_for_selector("body[data-ready]")
            width = page.evaluate("document.documentElement.scrollWidth")
            assert width <= PHONE[0]
            page.get_by_role("button", name="End", exact=True).click()
            expect(page.get_by_text("Nothing is sent by itself yet.")).to_be_visible()
