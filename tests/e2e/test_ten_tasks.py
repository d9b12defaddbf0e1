"""What owners come for, done by the pages alone, with the number of clicks that each takes.

Three stores with names are open on Mondays from 9 to 18 UTC; A was offline in the afternoon, and
sells 120 dollars an hour. D has polls of December alone. Every task begins at the page Now; typing
into a field is no click.
"""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Locator, Page, expect

from api_server import serve
from browser import BLANK, visit
from mail_server import files_of, mail_server
from signed_in import PASSWORD, new_account
from stored import at, execute, load, load_hours, load_zones
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.figures.refresh_daily import refresh_daily
from storemon_pipeline.figures.refresh_uptime import refresh_uptime
from storemon_pipeline.ingestion.ingest_files import ingest_source
from storemon_pipeline.schedules.weekly_intervals import refresh_intervals
from storemon_pipeline.sent_statements.deliver_statements import Mailing, deliver_statements

DECEMBER = -24 * 42
"""Hours from MIDNIGHT to a Monday of the month before."""


@pytest.fixture(scope="module")
def address(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    url = module_database_url
    load(url, *(f"D {DECEMBER + hour}:00 up" for hour in range(8, 19)))
    for name in "ABC":
        load(url, *(f"{name} {hour:02}:00 up" for hour in range(8, 13)))
        status = "down" if name == "A" else "up"
        load(url, *(f"{name} {hour:02}:00 {status}" for hour in range(13, 17)))
    load_zones(url, *(f"{name},UTC,always" for name in "ABCD"))
    load_hours(url, *(f"{name},0,09:00,18:00" for name in "ABCD"))
    execute(
        url,
        "INSERT INTO store_details (store_key, name, group_name, region, load_id)"
        " SELECT store_key, 'Store ' || store_id, 'Bay Area', NULL, 1 FROM stores",
    )
    with bulk_transaction(url, is_writing_polls=True) as bulk:
        refresh_intervals(bulk)
    folder = tmp_path_factory.mktemp("data")
    rows = [f"A,0,{hour},120,USD\n" for hour in range(24)]
    header = "store_id,weekday,hour,sales_per_hour,currency\n"
    (folder / "demand.csv").write_text(header + "".join(rows))
    ingest_source(url, folder, Source.DEMAND, now=at("16:00"), run_id=None)
    refresh_uptime(url, refreshed_at=at("16:00"))
    refresh_daily(url)
    with serve(url) as client:
        yield str(client.base_url)


@pytest.fixture
def page(chromium: Browser, address: str) -> Iterator[Page]:
    with visit(chromium, f"{address}/?standing=") as page:
        yield page


class Clicks:
    """Counts the clicks of one task."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, target: Locator) -> None:
        target.click()
        self.count += 1


def test_send_last_months_statement_to_a_franchisee(page: Page, module_database_url: str) -> None:
    click = Clicks()
    click(page.get_by_role("link", name="Store D").first)
    click(page.get_by_role("link", name="Statement of last month"))
    page.get_by_label("Mail to").fill("owner@example.com")
    click(page.get_by_role("button", name="Send by mail"))
    assert click.count == 3
    expect(page.get_by_text("Being mailed to owner@example.com")).to_be_visible()
    with mail_server() as mails:
        deliver_statements(module_database_url, Mailing(mails.url), now=datetime.now(UTC))
    (mail,) = mails.taken
    assert mail["To"] == "owner@example.com"
    assert "Store D" in mail["Subject"]
    assert "December 2022" in mail["Subject"]
    ((name, content),) = files_of(mail).items()
    assert (name, content[:5]) == ("statement-D-2022-12.pdf", b"%PDF-")


def test_get_a_mail_every_monday(page: Page, module_database_url: str) -> None:
    click = Clicks()
    click(page.get_by_role("link", name="Reports"))
    click(page.get_by_role("link", name="Sent statements"))
    page.get_by_label("To", exact=True).fill("manager@example.com")
    click(page.get_by_role("button", name="Send regularly"))
    assert click.count == 3
    plan = page.get_by_role("region", name="By mail, every week or month")
    expect(plan.get_by_text("Monday 08:00, America/Chicago")).to_be_visible()
    # As if it were 2023: it was entered on a Friday, and waits a day for the polls of Sunday.
    execute(module_database_url, "UPDATE statement_schedules SET created_at = '2023-01-27Z'")
    later = datetime(2023, 1, 31, 15, tzinfo=UTC)
    with mail_server() as mails:
        deliver_statements(module_database_url, Mailing(mails.url), now=later)
    (mail,) = [one for one in mails.taken if one["To"] == "manager@example.com"]
    assert "Week 4 of 2023" in mail["Subject"]
    assert len(files_of(mail)) == 1
    page.get_by_role("button", name="End", exact=True).click()
    expect(page.get_by_text("Nothing is sent by itself yet.")).to_be_visible()


def test_what_did_it_cost(page: Page) -> None:
    click = Clicks()
    click(page.get_by_role("link", name="Store A").first)
    assert click.count == 1
    # Three and a half hours offline.
    expect(page.locator("#incidents tbody tr").first).to_contain_text("$420.00")


def test_export_a_month_by_day_of_three_stores_to_a_spreadsheet(page: Page) -> None:
    click = Clicks()
    for name in "ABC":
        click(page.get_by_label(f"Choose Store {name}"))
    with page.expect_download() as caught:
        click(page.get_by_role("group", name="Chosen stores").get_by_label("Download CSV"))
    assert click.count == 4
    text = Path(caught.value.path()).read_text("utf-8")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["name"], row["local_date"]) for row in rows] == [
        (f"Store {name}", "2023-01-23") for name in "ABC"
    ]
    # Offline from 12:30, the middle between two checks, to the newest check at 16:00.
    assert [row["downtime_hours"] for row in rows] == ["3.5", "0.0", "0.0"]


def test_compare_this_month_with_last(page: Page) -> None:
    click = Clicks()
    click(page.get_by_role("link", name="Compare"))
    click(page.get_by_role("button", name="This month"))
    assert click.count == 2
    expect(page.locator("#comparison tbody tr").first).to_contain_text("83.33 %")
    expect(page.locator("#comparison thead")).to_contain_text("Jan 1, 2023")


def test_was_it_the_platform_or_my_store(page: Page) -> None:
    click = Clicks()
    click(page.get_by_role("link", name="Store A").first)
    assert click.count == 1
    expect(page.locator("#incidents tbody")).to_contain_text("This store alone")


def test_close_the_store_on_friday_and_take_it_back(page: Page) -> None:
    click = Clicks()
    click(page.get_by_role("link", name="Store B").first)
    click(page.get_by_role("button", name="Add a closure"))
    page.get_by_label("First day").fill("2023-01-27")
    click(page.get_by_role("button", name="Save"))
    assert click.count == 3
    expect(page.locator("#closures li")).to_contain_text("Jan 27, 2023")
    click(page.get_by_role("button", name="Cancel closure"))
    click(page.locator("#change-save"))
    expect(page.locator("#closures li")).to_have_count(0)


def test_close_all_stores_of_a_group_for_a_storm(page: Page, address: str) -> None:
    click = Clicks()
    page.locator("select[name=group]").select_option("Bay Area")
    click(page.get_by_role("button", name="Close all stores of Bay Area"))
    page.get_by_label("First day").fill("2023-02-03")
    click(page.get_by_role("button", name="Show what changes"))
    # Nine hours would be those of a Monday: this is a Friday, on which no store is open.
    expect(page.locator("#change-preview")).to_contain_text("4 stores")
    page.get_by_label("First day").fill("2023-02-06")
    click(page.get_by_role("button", name="Show what changes"))
    expect(page.locator("#change-preview tr").last).to_contain_text("36 h")
    click(page.get_by_role("button", name="Save"))
    expect(page.locator("#change")).to_be_hidden()
    assert click.count == 4
    with httpx.Client(base_url=address) as client:
        closures = client.get("/closures").json()["closures"]
        assert [one["store_id"] for one in closures] == ["A", "B", "C", "D"]
        for one in closures:
            client.delete(f"/closures/{one['closure_id']}").raise_for_status()


def test_correct_wrong_hours(page: Page) -> None:
    click = Clicks()
    click(page.get_by_role("link", name="Store C").first)
    click(page.get_by_role("button", name="Change opening hours"))
    page.get_by_role("group", name="Mon").get_by_label("to").fill("15:00")
    click(page.get_by_label("always: they were wrong before"))
    click(page.get_by_role("button", name="Show what changes"))
    expect(page.locator("#change-preview .changed").first).to_be_visible()
    click(page.get_by_role("button", name="Save"))
    assert click.count == 5
    expect(page.locator("#hours dd").first).to_contain_text("3:00 PM")


def test_give_an_owner_a_login(chromium: Browser, database_url: str) -> None:
    load(database_url, "A 08:00 up", "B 08:00 up")
    engine = sa.create_engine(database_url)
    new_account(engine)
    engine.dispose()
    click = Clicks()
    with serve(database_url) as client, visit(chromium, f"{client.base_url}/sign-in") as page:
        page.get_by_label("Email").fill("admin@example.com")
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        click(page.get_by_role("link", name="Accounts"))
        click(page.get_by_role("button", name="Invite a person"))
        form = page.get_by_role("dialog")
        form.get_by_label("Email address").fill("owner@example.com")
        form.get_by_label("Store IDs").fill("A")
        click(form.get_by_role("button", name="Invite", exact=True))
        page.get_by_role("button", name="Done").wait_for()
        link = page.get_by_label("Link", exact=True).input_value()
        assert click.count == 3
        context = chromium.new_context()
        own = context.new_page()
        own.goto(link)
        own.get_by_label("New password").fill(PASSWORD)
        own.get_by_label("again").fill(PASSWORD)
        own.get_by_role("button", name="Save and sign in").click()
        own.wait_for_selector("body[data-ready]")
        own.goto(f"{client.base_url}/?standing=")
        expect(own.get_by_label("Choose A")).to_be_visible()
        expect(own.get_by_label("Choose B")).to_have_count(0)
        context.close()
        page.goto(BLANK)
        page.context.clear_cookies()


def test_link_a_colleague_to_exactly_what_i_see(chromium: Browser, address: str) -> None:
    click = Clicks()
    with visit(chromium, f"{address}/?standing=") as page:
        click(page.get_by_role("button", name="by share"))
        expect(page.locator("#worst-by [aria-pressed=true]")).to_have_text("by share")
        click(page.get_by_role("button", name="7 days", exact=True))
        expect(page.locator("#stores th[aria-sort]")).to_contain_text("7 days")
        click(page.get_by_label("Choose Store B"))
        expect(page.get_by_role("group", name="Chosen stores")).to_be_visible()
        mine, link = page.locator("main").inner_text(), page.url
    assert click.count == 3
    with visit(chromium, link) as page:
        expect(page.get_by_role("group", name="Chosen stores")).to_be_visible()
        expect(page.get_by_label("Choose Store B")).to_be_checked()
        assert page.locator("main").inner_text() == mine
