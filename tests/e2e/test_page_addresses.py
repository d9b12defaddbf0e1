"""What a page's address keeps: the reader's choices, and stores of any id."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

import pytest
from playwright.sync_api import Browser, Page, expect

from api_keys import new_key
from api_server import serve
from browser import Site, late_answers, visit
from databases import Databases
from refreshed import refresh_figures
from stored import HOUR, MIDNIGHT, at_us, execute, load_rows
from storemon_pipeline.access.keys import Scope
from storemon_pipeline.alerts.conditions import Rules
from storemon_pipeline.alerts.evaluate import Notification, evaluate_rules
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.figures.refresh_daily import refresh_daily
from storemon_pipeline.figures.refresh_uptime import refresh_uptime
from storemon_pipeline.reports.make_reports import make_waiting_reports
from waiting import eventually

NOW: Final = datetime(2023, 2, 1, tzinfo=UTC)
ODD_IDS: Final = (".", "..", "-", "a/b", "a/uptime", "50 %?q=1&r#s", '"<i>', "two\rlines", "日本")
# Of each kind of address one; of all ids the API's addresses are tested with the API.
DIFFERENT_IDS: Final = ("..", "-", "a/uptime", "50 %?q=1&r#s", "two\rlines")


@pytest.fixture(scope="module")
def filled_url(databases: Databases) -> Iterator[str]:
    """Give a database with Alpha (North) and Albert (South) online, Beta and Gamma offline."""
    stores = [
        ("1", "Alpha", "North", True),
        ("2", "Albert", "South", True),
        ("3", "Beta", "North", False),
        ("4", "Gamma", "South", False),
    ]
    with databases.taken() as url:
        fill(url, [(store_id, is_up) for store_id, _, _, is_up in stores])
        execute(
            url,
            *(
                "INSERT INTO store_details (store_key, name, group_name, load_id) SELECT"
                f" store_key, '{name}', '{group}', 1 FROM stores WHERE store_id = '{store_id}'"
                for store_id, name, group, _ in stores
            ),
        )
        yield url


@pytest.fixture(scope="module")
def odd_url(databases: Databases) -> Iterator[str]:
    """Give a database whose stores have odd ids and are offline."""
    with databases.taken() as url:
        fill(url, [(store_id, False) for store_id in ODD_IDS])
        yield url


@contextmanager
def served_copy(chromium: Browser, databases: Databases, original_url: str) -> Iterator[Site]:
    with databases.copied(original_url) as url, serve(url) as client:
        yield Site(str(client.base_url), client, chromium, url)


@pytest.fixture(scope="module")
def site(chromium: Browser, databases: Databases, filled_url: str) -> Iterator[Site]:
    """Give a service to tests that only read."""
    with served_copy(chromium, databases, filled_url) as served:
        yield served


@pytest.fixture
def own_site(chromium: Browser, databases: Databases, filled_url: str) -> Iterator[Site]:
    """Give a service to a test that changes its data."""
    with served_copy(chromium, databases, filled_url) as served:
        yield served


@pytest.fixture(scope="module")
def odd_site(chromium: Browser, databases: Databases, odd_url: str) -> Iterator[Site]:
    """Give a service of stores with odd ids to tests that only read."""
    with served_copy(chromium, databases, odd_url) as served:
        yield served


@pytest.fixture
def own_odd_site(chromium: Browser, databases: Databases, odd_url: str) -> Iterator[Site]:
    """Give a service of stores with odd ids to a test that changes its data."""
    with served_copy(chromium, databases, odd_url) as served:
        yield served


def fill(url: str, stores: list[tuple[str, bool]]) -> None:
    """Load two days of hourly polls, all active but the last ones of stores that are down."""
    rows = [
        (store_id, at_us("00:00") + hour * HOUR, is_up or hour < 40)
        for store_id, is_up in stores
        for hour in range(48)
    ]
    with bulk_transaction(url, is_writing_polls=True) as bulk:
        load_rows(bulk, rows, file_path=None)
    refresh_uptime(url, refreshed_at=NOW)
    refresh_daily(url)


def names(page: Page) -> list[str]:
    return page.locator("#stores tbody td.id a").all_inner_texts()


def expect_names(page: Page, *wanted: str) -> None:
    expect(page.locator("#stores tbody td.id a")).to_have_text(list(wanted))


def pressed(page: Page) -> list[str]:
    return page.locator("button.standing[aria-pressed=true] .badge").all_inner_texts()


def test_a_search_finds_stores_of_every_status_and_its_end_shows_the_offline_ones(
    site: Site,
) -> None:
    with visit(site.browser, site.url) as page:
        expect_names(page, "Beta", "Gamma")
        assert pressed(page) == ["Offline now"]
        page.get_by_placeholder("Search name or ID").fill("alp")
        expect_names(page, "Alpha")
        expect(page.locator("#stores tbody td.state")).to_have_text("Online now")
        assert pressed(page) == []
        page.get_by_placeholder("Search name or ID").fill("")
        expect_names(page, "Beta", "Gamma")
        assert pressed(page) == ["Offline now"]


def test_a_search_within_a_tile_and_a_group_says_where_else_a_store_is(site: Site) -> None:
    with visit(site.browser, f"{site.url}/?standing=down&group=South&q=alpha") as page:
        cell = page.locator("#stores td.empty")
        expect(cell).to_contain_text("No match here, but 1 store elsewhere")
        expect(cell.locator("li")).to_have_text("Alpha Online now 1 · North · Chicago")
        cell.get_by_role("button", name="search all stores").click()
        expect_names(page, "Alpha")
        page.get_by_placeholder("Search name or ID").fill("omega")
        expect(page.locator("#stores td.empty")).to_have_text("No stores match – clear filters")  # noqa: RUF001 - as on the page


def test_back_undoes_tiles_searches_filters_and_tabs_of_now(site: Site) -> None:
    with visit(site.browser, site.url) as page:
        page.locator("button.standing.up").click()
        expect(page.locator("#pager")).to_have_text("4 stores")
        page.get_by_placeholder("Search name or ID").press_sequentially("albert", delay=250)
        expect_names(page, "Albert")
        page.locator("#splits").get_by_role("button", name="time zone").click()
        expect(page.locator("#groups")).to_contain_text("Chicago")
        page.get_by_label("Group").select_option("North")
        expect(page.locator("#stores td.empty")).to_contain_text("elsewhere")
        page.go_back()
        expect_names(page, "Albert")
        expect(page.locator("#groups")).to_contain_text("Chicago")
        page.go_back()
        expect(page.locator("#groups")).to_contain_text("North")
        page.go_back()
        # The whole word is one step.
        expect(page.locator("#pager")).to_have_text("4 stores")
        expect(page.get_by_placeholder("Search name or ID")).to_have_value("")
        page.go_back()
        expect_names(page, "Beta", "Gamma")
        page.go_forward()
        expect(page.locator("#pager")).to_have_text("4 stores")


def test_back_undoes_the_tabs_of_a_store_and_its_address_keeps_them(site: Site) -> None:
    with visit(site.browser, f"{site.url}/store/3") as page:
        page.locator("#spans").get_by_role("button", name="31 days").click()
        page.locator("#windows").get_by_role("button", name="Last 7 days").click()
        expect(page.locator("#ledger-note")).to_contain_text("the last 7 days")
        page.reload()
        chosen = page.locator("#spans, #windows").locator("[aria-pressed=true]")
        expect(chosen).to_have_text(["31 days", "Last 7 days"])
        expect(page.locator("#ledger-note")).to_contain_text("the last 7 days")
        page.go_back()
        expect(chosen).to_have_text(["31 days", "Last 24 hours"])
        expect(page.locator("#ledger-note")).to_contain_text("the last 24 hours")
        page.go_back()
        expect(chosen).to_have_text(["7 days", "Last 24 hours"])


def test_an_address_with_unknown_choices_shows_the_page_as_usual(site: Site) -> None:
    with visit(site.browser, f"{site.url}/store/3?days=many&window=year&outages=-1&x=y") as page:
        chosen = page.locator("#spans, #windows").locator("[aria-pressed=true]")
        expect(chosen).to_have_text(["7 days", "Last 24 hours"])


def test_back_undoes_the_tabs_of_alerts(site: Site) -> None:
    with visit(site.browser, f"{site.url}/pages/alerts") as page:
        chosen = page.locator("#states [aria-pressed=true]")
        page.locator("#states").get_by_role("button", name="Closed").click()
        expect(chosen).to_have_text("Closed")
        page.locator("#summary button").first.click()
        expect(page.locator("#alerts td.empty")).to_have_text("No alerts match")
        page.go_back()
        expect(page.locator("#alerts td.empty")).to_have_text("No closed alerts")
        page.go_back()
        expect(chosen).to_have_text("Open")


def test_a_late_answer_to_an_older_choice_is_not_shown(site: Site) -> None:
    with visit(site.browser, f"{site.url}/store/3") as page:
        windows = page.locator("#windows")
        total = page.locator("#ledger tfoot td").first
        with late_answers(page, "window=week"):
            windows.get_by_role("button", name="Last 7 days").click()
            windows.get_by_role("button", name="Last hour").click()
            expect(total).to_have_text("Total of 1 h open")
        assert total.inner_text() == "Total of 1 h open"


def test_back_closes_a_report_s_totals_and_undoes_its_group(own_site: Site) -> None:
    own_site.client.post("/trigger_report")
    make_waiting_reports(own_site.database_url, run_id="run", is_manual=False)
    with visit(own_site.browser, f"{own_site.url}/pages/reports") as page:
        page.locator("#reports").get_by_role("button", name="Totals of the report").click()
        rows = page.locator("#totals-table tbody td.id")
        expect(rows).to_have_text(["North", "South"])
        page.get_by_label("Show").select_option("South")
        expect(rows).to_have_text(["South"])
        page.reload()
        expect(rows).to_have_text(["South"])
        page.go_back()
        expect(rows).to_have_text(["North", "South"])
        expect(page.get_by_label("Show")).to_have_value("{}")
        page.go_back()
        expect(page.locator("#totals")).to_be_hidden()


@pytest.mark.parametrize("scope", [Scope.READ, Scope.TRIGGER])
def test_a_key_is_offered_only_what_it_may_do(own_site: Site, scope: Scope) -> None:
    token = new_key(own_site.database_url, "one scope", scope)
    headers = {"X-API-Key": token}
    eventually(lambda: own_site.client.get("/stores", headers=headers).status_code == 200)
    with visit(own_site.browser, f"{own_site.url}/pages/reports", key=token) as page:
        can_request = scope is Scope.TRIGGER
        button = page.get_by_role("button", name="Request report")
        expect(button).to_have_count(1 if can_request else 0)
        reason = page.get_by_text("Your key can read reports, but not request them")
        expect(reason).to_have_count(0 if can_request else 1)
    with visit(own_site.browser, f"{own_site.url}/pages/data", key=token) as page:
        expect(page.get_by_role("link", name="Dagster")).to_have_count(0)


@pytest.mark.parametrize(
    "store_id",
    [
        store_id if store_id in DIFFERENT_IDS else pytest.param(store_id, marks=pytest.mark.slow)
        for store_id in ODD_IDS
    ],
)
def test_a_store_of_any_id_is_reached_from_now_and_its_tabs_work(
    odd_site: Site, store_id: str
) -> None:
    shown = store_id.replace("\r", " ")
    with visit(odd_site.browser, odd_site.url) as page:
        page.locator("#stores").get_by_role("link", name=shown, exact=True).click()
        page.wait_for_selector("body[data-ready]")
        expect(page.locator("h1")).to_have_text(shown)
        expect(page.locator("#title")).to_contain_text("Offline now")
        page.locator("#windows").get_by_role("button", name="Last 7 days").click()
        expect(page.locator("#ledger-note")).to_contain_text("the last 7 days")
        page.locator("#spans").get_by_role("button", name="31 days").click()
        page.reload()
        expect(page.locator("#spans [aria-pressed=true]")).to_have_text("31 days")
        expect(page.locator("#incident-numbers")).to_contain_text("ongoing1")


def test_data_health_links_to_stores_of_any_id(odd_site: Site) -> None:
    with visit(odd_site.browser, f"{odd_site.url}/pages/data") as page:
        page.locator("#lacking summary").first.click()
        expect_dots_page(page, "#lacking details[open]")


def test_alerts_link_to_stores_of_any_id(own_odd_site: Site) -> None:
    evaluate_rules(
        own_odd_site.database_url,
        rules=Rules(),
        notification=Notification(),
        now=NOW,
        is_loading=False,
    )
    with visit(own_odd_site.browser, f"{own_odd_site.url}/pages/alerts?state=") as page:
        expect_dots_page(page, "#alerts")


def test_a_comparison_of_reports_links_to_stores_of_any_id(own_odd_site: Site) -> None:
    as_of = MIDNIGHT.replace(day=24, hour=23).isoformat()
    for run in ("first", "second"):
        own_odd_site.client.post("/trigger_report", json={"as_of": as_of})
        make_waiting_reports(own_odd_site.database_url, run_id=run, is_manual=False)
        with bulk_transaction(own_odd_site.database_url, is_writing_polls=True) as bulk:
            load_rows(bulk, [("..", at_us("46:30"), True)], file_path=None)
    with visit(own_odd_site.browser, f"{own_odd_site.url}/pages/reports") as page:
        page.get_by_text("Advanced").click()
        page.get_by_role("checkbox").nth(0).check()
        page.get_by_role("checkbox").nth(1).check()
        page.get_by_role("button", name="Compare", exact=True).click()
        expect_dots_page(page, "#difference-body")


def expect_dots_page(page: Page, place: str) -> None:
    """Follow the link to the store `..`."""
    page.locator(place).get_by_role("link", name="..", exact=True).click()
    page.wait_for_selector("body[data-ready]")
    expect(page.locator("h1")).to_have_text("..")


def test_characters_that_change_the_direction_of_text_are_shown_on_every_page(
    own_site: Site,
) -> None:
    """A name that turns round what follows it would look like another store's."""
    turned, shown = "Gamma \u202enwod", "Gamma [U+202E]nwod"
    execute(
        own_site.database_url,
        f"UPDATE store_details SET name = '{turned}', group_name = 'So\u2066uth'"
        " WHERE name = 'Gamma'",
    )
    # The service may have read the names before.
    refresh_figures(own_site.database_url)
    with visit(own_site.browser, own_site.url) as page:
        link = page.locator("#stores").get_by_role("link", name=shown, exact=True)
        expect(page.locator("#groups")).to_contain_text("So[U+2066]uth")
        link.click()
        expect(page.locator("h1")).to_have_text(shown)
        expect(page).to_have_title(f"{shown} · storemon")
    statement = own_site.client.get("/pages/statement?store_id=4&period=2023-01").text
    assert shown in statement
    assert turned not in statement
    whole = own_site.client.get("/pages/statement", params={"group": "So\u2066uth"}).text
    assert "Group So[U+2066]uth" in whole
    # What a form sends is the name itself.
    assert '<input type="hidden" name="group" value="So\u2066uth">' in whole
