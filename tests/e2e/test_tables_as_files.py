"""Every table of every page has links to itself as files, and these have the rows of the page."""

import csv
import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import sqlalchemy as sa
from openpyxl import load_workbook
from playwright.sync_api import Browser, Page, expect

from api_keys import new_key
from api_server import serve
from browser import visit
from refreshed import refresh_figures
from signed_in import PASSWORD, new_account
from stored import at, load
from storemon_pipeline.access.keys import Scope
from storemon_pipeline.alerts.conditions import Rules
from storemon_pipeline.alerts.evaluate import Notification, evaluate_rules
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.ingestion.ingest_files import ingest_source
from storemon_pipeline.reports.make_reports import make_waiting_reports

NOW: Final = datetime(2023, 2, 1, tzinfo=UTC)
EMAIL: Final = "ada@example.com"
WEEK: Final = "2023-W04"

PAGES: Final = {
    "now.html": "/?standing=",
    "store.html": "/store/A",
    "alerts.html": "/pages/alerts",
    "objectives.html": "/pages/objectives",
    "compare.html": (
        "/pages/compare?period=custom&from=2023-01-23&to=2023-01-23&before=2023-01-22&until=2023-01-22"
    ),
    "statement.html": f"/pages/statement?period={WEEK}",
    "sent-statement.html": "/pages/statements/1",
    "sent-statements.html": "/pages/statements",
    "reports.html": "/pages/reports?totals={report}",
    "data.html": "/pages/data",
    "accounts.html": "/pages/accounts",
}
"""A page of each template. A template that is missing here fails the test of templates."""

WITHOUT_TABLES: Final = {
    "base.html": "the frame of all pages",
    "change-dialog.html": "included in pages; its previews are tables of a form",
    "files.html": "the links to files themselves",
    "forgotten-password.html": "a form",
    "manual.html": "tables of the manual are text",
    "password.html": "a form",
    "problem.html": "a message",
    "sign-in.html": "a form",
    "statement-tables.html": "included in pages",
}

MADE_BY_SCRIPTS: Final = {
    "now/close-stores.js": "the preview of a form",
    "objectives/versions.js": "the preview of a form",
    "store/preview.js": "the preview of a form",
    "reports/difference.js": "",
}
"""Scripts that make a table, and why it has no files; without a reason it is checked below."""

OTHER_ROWS: Final = {
    "comparison": "a line for each figure, where the file has a column",
    "reasons-compared": "both periods in one table, of which each has a file",
}

TABLES: Final = """() => [...document.querySelectorAll("table:not(.preview)")].map((table) => {
  const box = table.closest(".scroll") ?? table;
  const links = [...box.parentElement.querySelectorAll(":scope > .files a[download]")];
  const rows = [...table.tBodies[0].rows].filter((row) => !row.querySelector("td.empty"));
  return [
    table.id || table.closest("section").querySelector("h2").textContent,
    rows.length,
    links.map((link) => [link.textContent, link.href]),
  ];
})"""


TO_PRESS: Final = """() => [...document.querySelectorAll(
    "input, select, textarea, form, dialog, nav, a[download], summary, button"
  )].filter((one) => one.checkVisibility() && !one.matches(
    ".standing, [aria-pressed=true], th button, td.id button, .reason > summary"
  )).map((one) => one.outerHTML.slice(0, 90))"""
"""What can be pressed or filled in, except for what also tells something."""


@pytest.fixture
def client(database_url: str, engine: sa.Engine, tmp_path: Path) -> Iterator[httpx.Client]:
    """Give an administrator's client of a service with rows for each table."""
    load(database_url, "U 08:00 up", "U 09:00 up", "U 10:00 down", "U 12:00 up", "U 14:00 down")
    load(database_url, "D 08:00 up", "D 10:00 down", "D 14:00 down", "B 08:00 up", "B 14:00 up")

    def ingest(source: Source, *lines: str) -> None:
        (tmp_path / f"{source}.csv").write_text("".join(f"{line}\n" for line in lines))
        ingest_source(database_url, tmp_path, source, now=NOW, run_id=None)

    ingest(Source.STORE_TIMEZONES, "store_id,timezone_str", *(f"{one},UTC" for one in "ABUD"))
    ingest(Source.CHANNELS, "store_id,channel,channel_store_id", "A,uber,U", "A,doordash,D")
    ingest(Source.STORE_DETAILS, "store_id,name,group,region", "A,First,Old Town,West")
    ingest(
        Source.STORE_EVENTS,
        "store_id,from_utc,to_utc,state,reason,source",
        "A,2023-01-23 10:00:00,2023-01-23 11:00:00,down,power cut,platform",
        "B,2023-01-23 13:00:00,2023-01-23 14:30:00,down,late,till",
    )
    ingest(Source.CLOSURES, "store_id,reason", "*,no column of a start")
    ingest(Source.BUSINESS_HOURS, "store_id,day,start_time_local,end_time_local", "B,8,09:00,17:00")
    refresh_figures(database_url)
    evaluate_rules(
        database_url,
        rules=Rules(),
        notification=Notification(()),
        now=at("14:01"),
        is_loading=False,
    )
    new_account(engine, email=EMAIL)
    admin = new_key(database_url, "admin", Scope.ADMIN)
    with serve(database_url) as client:
        client.headers["X-API-Key"] = admin
        fill_by_requests(client, database_url)
        yield client


def fill_by_requests(client: httpx.Client, url: str) -> None:
    def send(method: str, path: str, **body: object) -> None:
        client.request(method, path, json=body).raise_for_status()

    send("PUT", "/objectives", applies_to="all", objective=99.5, valid_from="always")
    send("PUT", "/objectives", applies_to="group", name="Old Town", objective=98, by="week")
    closure = {"start_local": "2023-01-24 09:00:00", "end_local": "2023-01-24 10:00:00"}
    send("POST", "/closures", store_id="B", reason="painting", **closure)
    times = {"from_utc": "2023-01-23T12:00:00Z", "to_utc": "2023-01-23T12:30:00Z"}
    send("POST", "/corrections", store_id="B", kind="down", reason="no power", **times)
    send("PUT", "/stores/B/special-hours", date="2023-01-25", hours=[])
    send("POST", "/statement-schedules", every="monday", to="owner@example.com")
    send("POST", "/statements", period=WEEK, to="owner@example.com")
    for run in ("first", "second"):
        send("POST", "/trigger_report", as_of="2023-01-23T13:00:00Z")
        make_waiting_reports(url, run_id=run, is_manual=False)
        # Late polls change the second report, and the figures of the statement.
        load(url, "B 11:00 down")
    refresh_figures(url)


def test_each_table_of_each_page_has_its_rows_as_files(
    client: httpx.Client, chromium: Browser
) -> None:
    seen = set()
    for path, page in pages(client, chromium):
        for name, rows, links in page.evaluate(TABLES):
            where = f"{name} of {path}"
            if rows:
                seen.add(name)
            check_files(client, where, links, None if name in OTHER_ROWS else rows)
    # Those of which the test has rows: all but opening hours that four weeks of checks contradict.
    assert seen >= {
        *("stores", "groups", "storefronts", "segments", "incidents", "ledger", "alerts"),
        *("budgets", "versions", "comparison", "groups-compared", "reasons-compared"),
        *("Outages", "Closures", "Corrections", "The figures have changed since"),
        *("By mail, every week or month", "Mails", "Statements", "reports", "totals-table"),
        *("Comparison", "sources", "unread", "contradicting-polls", "accounts"),
    }


def check_files(
    client: httpx.Client, where: str, links: list[tuple[str, str]], rows: int | None
) -> None:
    """Check that there is a CSV and an XLSX file, and how many rows each has."""
    assert {kind for kind, _ in links} == {"CSV", "XLSX"}, f"no files: {where}"
    (table,) = parse_qs(urlsplit(links[0][1]).query).get("table", [""])
    for kind, address in links:
        answer = client.get(address)
        assert answer.status_code == 200, (address, answer.text)
        assert "attachment" in answer.headers["Content-Disposition"], address
        found = rows_of_csv(answer) if kind == "CSV" else rows_of_xlsx(answer, table)
        assert found == rows or rows is None, (where, address)


def test_nothing_on_paper_is_there_to_be_pressed(client: httpx.Client, chromium: Browser) -> None:
    for path, page in pages(client, chromium):
        assert page.evaluate(TO_PRESS), path
        tables = page.locator("table:visible").count()
        page.emulate_media(media="print")
        pressed, printed = page.evaluate(TO_PRESS), page.locator("table:visible").count()
        # Other visits go on in this tab.
        page.emulate_media(media="null")
        assert pressed == [], path
        assert printed == tables > 0, path


def pages(client: httpx.Client, chromium: Browser) -> Iterator[tuple[str, Page]]:
    """Yield each page as an administrator sees it."""
    report = client.get("/reports").json()["reports"][0]["report_id"]
    with visit(chromium, f"{client.base_url}/sign-in") as page:
        page.get_by_label("Email address").fill(EMAIL)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    for path in PAGES.values():
        with visit(chromium, f"{client.base_url}{path.format(report=report)}") as page:
            if path.startswith("/pages/reports"):
                show_difference(page)
            if path.startswith("/pages/compare"):
                # They follow the figures.
                expect(page.locator("#reasons-earlier-files a")).to_have_count(2)
            yield path, page


def show_difference(page: Page) -> None:
    page.get_by_text("Advanced").click()
    for number in range(2):
        page.get_by_role("checkbox").nth(number).check()
    page.get_by_role("button", name="Compare", exact=True).click()
    expect(page.locator("#difference-body table")).to_be_visible()


def rows_of_csv(answer: httpx.Response) -> int:
    assert answer.headers["Content-Type"].startswith("text/csv")
    return len(list(csv.DictReader(io.StringIO(answer.text, newline=""))))


def rows_of_xlsx(answer: httpx.Response, table: str) -> int:
    """Count the rows of the only sheet, or of a statement's sheet of this table."""
    book = load_workbook(io.BytesIO(answer.content))
    sheet = book.active if len(book.worksheets) == 1 else book[table]
    _, *rows = sheet.iter_rows(values_only=True)
    return sum("Total" not in row for row in rows)


def test_each_template_and_each_script_with_a_table_is_known() -> None:
    web = files("storemon_api.web")
    templates = {one.name for one in (web / "templates").iterdir()}
    assert templates == PAGES.keys() | WITHOUT_TABLES.keys()
    static = Path(str(web / "static"))
    made = {
        str(path.relative_to(static))
        for path in static.rglob("*.js")
        if re.search(r"""h\(\s*["']table["']""", path.read_text())
    }
    assert made == MADE_BY_SCRIPTS.keys()
