"""Changing opening hours and closures in a browser, with a preview, and taking them back."""

from playwright.sync_api import Browser, Page, expect

from api_keys import new_key
from api_server import serve
from browser import PHONE, visit
from stored import at, load_monday
from storemon_pipeline.access.keys import Scope
from storemon_pipeline.figures.refresh_daily import refresh_daily
from storemon_pipeline.figures.refresh_uptime import refresh_uptime


def monitored(url: str) -> None:
    """A is open on Mondays from 9 to 18 UTC; it was up until noon, and down until 16:00."""
    load_monday(
        url,
        *(f"A {hour:02}:00 up" for hour in range(8, 13)),
        *(f"A {hour:02}:00 down" for hour in range(13, 17)),
    )
    refresh_uptime(url, refreshed_at=at("16:00"))
    refresh_daily(url)


def day_in_preview(page: Page) -> list[str]:
    """The lines of the last 24 hours: before and after."""
    rows = page.locator("#change-preview table").first.locator("tbody tr")
    before = rows.filter(has_text="Last 24 hours")
    expect(before).to_contain_text("now")
    after = rows.filter(has_text="then").nth(-2)
    return [row.inner_text().replace("\t", " ").strip() for row in (before, after)]


def test_hours_are_changed_with_a_preview_and_taken_back(
    chromium: Browser, database_url: str
) -> None:
    monitored(database_url)
    writer = new_key(database_url, "Anna", Scope.READ, Scope.INGEST)
    with serve(database_url) as client:
        url = f"{client.base_url}/store/A"
        with visit(chromium, url, key=writer) as page:
            page.get_by_role("button", name="Change opening hours").click()
            monday = page.get_by_role("group", name="Mon")
            expect(monday.get_by_label("from")).to_have_value("09:00")
            monday.get_by_label("to").fill("12:00")
            page.get_by_label("always: they were wrong before").check()
            page.get_by_role("button", name="Show what changes").click()
            before, after = day_in_preview(page)
            assert before == "Last 24 hours now 50.00 % 3 h 30 min 7 h"
            assert after == "then 100.00 % 0 s 3 h"
            page.get_by_role("button", name="Save").press("Enter")
            expect(page.locator("#change")).not_to_be_visible()
            expect(page.locator("#hours dd").first).to_have_text("9:00 AM – 12:00 PM")  # noqa: RUF001
            page.get_by_role("button", name="Change opening hours").click()
            page.get_by_role("button", name="Mon's hours on every day").click()
            sunday = page.get_by_role("group", name="Sun")
            expect(sunday.get_by_label("to")).to_have_value("12:00")
            page.keyboard.press("Escape")
            page.get_by_text("Who changed what").click()
            expect(page.locator("#changes li")).to_contain_text("opening hours entered · Anna")
        with visit(chromium, url, key=writer, size=PHONE, scheme="dark") as page:
            page.get_by_text("All opening hours on file").click()
            page.get_by_role("button", name="Take back").click()
            expect(page.locator("#change-preview .changed").first).to_contain_text("then")
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
            page.locator("#change-save").click()
            expect(page.locator("#hours dd").first).to_have_text("9:00 AM – 6:00 PM")  # noqa: RUF001


def test_a_closure_is_added_with_a_preview_and_cancelled(
    chromium: Browser, database_url: str
) -> None:
    monitored(database_url)
    with serve(database_url) as client, visit(chromium, f"{client.base_url}/store/A") as page:
        page.get_by_role("button", name="Add a closure").click()
        page.get_by_role("button", name="Save").click()
        page.get_by_label("First day").fill("2023-01-23")
        page.get_by_text("Only part of the first and last day").click()
        page.get_by_label("Closed from").fill("12:00")
        page.get_by_label("Reason").fill("Inventory")
        page.get_by_role("button", name="Show what changes").click()
        assert day_in_preview(page)[1] == "then 100.00 % 0 s 3 h"
        page.keyboard.press("Escape")
        expect(page.locator("#change")).not_to_be_visible()
        expect(page.locator("#closures li")).to_have_count(0)
        page.get_by_role("button", name="Add a closure").press("Enter")
        page.get_by_label("First day").fill("2023-01-20")
        page.get_by_label("Reason").fill("Inventory")
        page.get_by_label("Reason").press("Enter")
        closure = page.locator("#closures li")
        expect(closure).to_contain_text(
            "Jan 20, 2023, 12:00 AM – Jan 21, 2023, 12:00 AM · Inventory"  # noqa: RUF001
        )
        page.get_by_role("button", name="Cancel closure").click()
        page.locator("#change-save").click()
        expect(closure).to_have_count(0)


def test_special_hours_are_entered_changed_and_taken_back_with_previews(
    chromium: Browser, database_url: str
) -> None:
    monitored(database_url)
    writer = new_key(database_url, "Anna", Scope.READ, Scope.INGEST)
    with serve(database_url) as client:
        url = f"{client.base_url}/store/A"
        with visit(chromium, url, key=writer) as page:
            page.get_by_role("button", name="Add special hours").click()
            page.get_by_label("Date").fill("2023-01-23")
            # A date begins with the weekly hours of its weekday.
            hours = page.get_by_role("group", name="Hours on this date")
            expect(hours.get_by_label("from")).to_have_value("09:00")
            expect(hours.get_by_label("to")).to_have_value("18:00")
            hours.get_by_label("to").fill("12:00")
            page.get_by_label("Date").fill("2023-01-24")
            expect(hours.get_by_label("to")).to_have_value("12:00")
            page.get_by_label("Date").fill("2023-01-23")
            page.get_by_role("button", name="Show what changes").click()
            before, after = day_in_preview(page)
            assert before == "Last 24 hours now 50.00 % 3 h 30 min 7 h"
            assert after == "then 100.00 % 0 s 3 h"
            page.locator("#change-save").click()
            expect(page.locator("#change")).not_to_be_visible()
            line = page.locator("#special-hours li")
            expect(line).to_contain_text("Mon, Jan 23, 2023: 09:00 – 12:00")  # noqa: RUF001
            page.locator("#special-hours").get_by_role("button", name="Change").click()
            assert page.get_by_label("Date").get_attribute("readonly") is not None
            hours.get_by_label("to").fill("14:00")
            page.locator("#change-save").click()
            expect(line).to_contain_text("09:00 – 14:00")  # noqa: RUF001
            page.locator("#special-hours").get_by_role("button", name="Change").click()
            hours.get_by_role("button", name="Remove").click()
            page.get_by_label("Date").press("Enter")
            expect(line).to_contain_text("2023: closed")
            page.get_by_text("Who changed what").click()
            expect(page.locator("#changes li").first).to_contain_text(
                "special hours entered · Anna"
            )
        with visit(chromium, url, key=writer, size=PHONE, scheme="dark") as page:
            page.locator("#special-hours").get_by_role("button", name="Take back").click()
            expect(page.locator("#change-preview .changed").first).to_contain_text("then")
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
            page.locator("#change-save").click()
            expect(page.locator("#special-hours li")).to_have_count(0)
            page.get_by_role("button", name="Add special hours").click()
            expect(page.get_by_label("Date")).to_have_js_property("readOnly", value=False)


def test_a_key_that_may_not_change_anything_is_offered_nothing(
    chromium: Browser, database_url: str
) -> None:
    monitored(database_url)
    reader = new_key(database_url, "reader", Scope.READ)
    with (
        serve(database_url) as client,
        visit(chromium, f"{client.base_url}/store/A", key=reader) as page,
    ):
        expect(page.get_by_role("button", name="Change opening hours")).to_have_count(0)
        expect(page.get_by_role("button", name="Add a closure")).to_have_count(0)
        expect(page.get_by_role("button", name="Add special hours")).to_have_count(0)
        expect(page.locator("dialog")).to_have_count(0)


def test_an_outage_is_corrected_with_a_preview_and_the_correction_taken_back(
    chromium: Browser, database_url: str
) -> None:
    monitored(database_url)
    writer = new_key(database_url, "Anna", Scope.READ, Scope.INGEST)
    with serve(database_url) as client:
        url = f"{client.base_url}/store/A"
        with visit(chromium, url, key=writer) as page:
            page.get_by_role("button", name="This was not so").click()
            # The middle between the two checks, to the newest one.
            expect(page.get_by_label("From")).to_have_value("2023-01-23T12:30")
            expect(page.get_by_label("Until")).to_have_value("2023-01-23T16:00")
            page.get_by_label("Until").fill("2023-01-23T14:00")
            page.get_by_role("button", name="Show what changes").click()
            before, after = day_in_preview(page)
            assert before == "Last 24 hours now 50.00 % 3 h 30 min 7 h"
            assert after == "then 71.42 % 2 h 7 h"
            page.get_by_label("Reason").fill("power cut")
            page.get_by_role("button", name="Save").click()
            correction = page.locator("#corrections li")
            expect(correction).to_contain_text(
                "2:00:00 PM UTC: online · power cut, entered by Anna"
            )
            expect(page.locator("#incidents tbody tr")).to_contain_text("2 h")
            page.get_by_text("Who changed what").click()
            expect(page.locator("#changes li")).to_contain_text("correction entered · Anna")
        with visit(chromium, url, key=writer, size=PHONE) as page:
            page.get_by_role("button", name="Take back").click()
            expect(page.locator("#change-preview .changed").first).to_contain_text("then")
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
            page.locator("#change-save").click()
            expect(page.locator("#corrections li")).to_have_count(0)
            page.get_by_role("button", name="Correct a time").click()
            expect(page.get_by_label("From")).to_have_value("")


def test_an_owner_is_not_offered_to_correct(chromium: Browser, database_url: str) -> None:
    monitored(database_url)
    owner = new_key(database_url, "owner", Scope.READ, Scope.EDIT)
    with (
        serve(database_url) as client,
        visit(chromium, f"{client.base_url}/store/A", key=owner) as page,
    ):
        expect(page.get_by_role("button", name="Add a closure")).to_have_count(1)
        expect(page.get_by_role("button", name="This was not so")).to_have_count(0)
        expect(page.get_by_role("button", name="Correct a time")).to_have_count(0)
