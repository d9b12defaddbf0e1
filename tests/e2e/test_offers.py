"""No page offers what its visitor may not do.

Each visitor opens every page that the routes answer with. What a page offers are its links, its
forms, and whatever says in `data-deed` or `data-path` which request it makes. Each is requested as
this visitor, in a copy of the database that nobody else changes.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from html.parser import HTMLParser
from typing import Final
from urllib.parse import urljoin, urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, Page, Response
from pydantic import SecretStr
from starlette.routing import Route

from api_keys import new_key
from api_server import NO_DATABASE, complete_report, serve
from databases import Databases
from refreshed import refresh_figures
from signed_in import PASSWORD, new_account, sign_in
from stored import at, execute, load, load_hours, load_zones
from storemon_api.app import create_app
from storemon_api.security.access_rules import RULES
from storemon_api.security.header_checks import SESSION_COOKIE
from storemon_api.settings import ApiSettings
from storemon_pipeline.access.accounts import Role
from storemon_pipeline.access.keys import Scope
from storemon_pipeline.alerts.conditions import Rules
from storemon_pipeline.alerts.evaluate import Notification, evaluate_rules
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.database.connections import create_engine
from storemon_pipeline.schedules.weekly_intervals import refresh_intervals

# What stands for each parameter of a page's path. A new one has to be added here.
VALUES: Final = {
    "store_id": ("A", "B"),
    "report_id": ("x",),
    "extension": ("csv",),
    "statement_id": ("1", "2"),
    "page": ("access",),
}
# Deeds that no page offers on its own.
ELSEWHERE: Final = {
    # Of programs.
    *("POST /api/trigger_report", "POST /polls", "POST /events"),
    *("POST /webhooks/{source}", "PUT /webhooks/{source}"),
    *("PUT /stores/{store_id:text}/timezone", "DELETE /store-events/{event_id}"),
    # Of the dialogs of other deeds. They change nothing.
    *("POST /stores/{store_id:text}/preview", "POST /fleet/closures/preview"),
    *("POST /fleet/closures/{load_id}/preview", "POST /objectives/preview"),
    # Only where mails are sent, to whom has forgotten the password.
    *("POST /forgotten-password", "POST /password"),
}
# Bodies that are complete, where a handler looks at them before it looks at the store.
BODIES: Final[dict[str, dict[str, str]]] = {
    "POST /alerts/{alert_id}/actions": {"action": "acknowledge"},
}
BROWSER: Final = {"Accept": "text/html"}
SIGN_OUT: Final = "POST /sign-out"

# Presses what says of no request that it makes one. Whatever then asks the server to change
# something, or opens a dialog, is an offer that nobody can see here.
SILENT_OFFERS: Final = """async () => {
  let found = null;
  window.fetch = (address, { method = "GET" } = {}) => {
    if (method !== "GET") found = `${method} ${address}`;
    return new Promise(() => {});
  };
  const declared = "[data-deed], [data-path], [method=post], dialog";
  const silent = [];
  for (const one of document.querySelectorAll("button:not([type=submit]), form")) {
    if (one.closest(declared)) continue;
    if (one.matches("form")) one.dispatchEvent(new Event("submit", { cancelable: true }));
    else one.click();
    await new Promise((resolve) => setTimeout(resolve));
    const dialog = document.querySelector("dialog[open]");
    if (found || dialog) silent.push(`${one.outerHTML.slice(0, 120)}: ${found}`);
    dialog?.close();
    found = null;
  }
  return silent;
}"""


class Offers(HTMLParser):
    """The addresses of a page's links, and its deeds."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.deeds: set[str] = set()
        self.has_script = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what the element offers."""
        given = {name: value or "" for name, value in attrs}
        if "data-deed" in given:
            self.deeds.add(given["data-deed"])
        if "data-path" in given:
            self.deeds.add(f"{given.get('data-method', 'POST')} {given['data-path']}")
        if tag == "script":
            self.has_script = self.has_script or given.get("type") == "module"
        if tag == "a" and "href" in given:
            self.links.add(given["href"])
        if tag == "form" and "action" in given:
            if given.get("method", "get").lower() == "get":
                self.links.add(given["action"])
            else:
                self.deeds.add(f"{given['method'].upper()} {given['action']}")


@dataclass(slots=True)
class Walk:
    """What a visitor was offered, by page, and what was refused or missing."""

    links: set[str] = field(default_factory=set)
    by_page: dict[str, set[str]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def filled(module_database_url: str) -> str:
    """Give a database with one of everything for store A, store B and all stores.

    C and D, whose pages nobody opens, are closed in one step.
    """
    url = module_database_url
    for name in "ABCD":
        load(url, *(f"{name} {hour:02}:00 up" for hour in range(8, 13)))
    load_zones(url, "A,UTC,always", "B,UTC,always")
    load_hours(url, "A,0,09:00,18:00", "B,0,09:00,18:00")
    execute(
        url,
        "INSERT INTO store_details (store_key, name, group_name, region, load_id)"
        " SELECT store_key, 'Store ' || store_id, 'Bay Area', CASE WHEN store_id < 'C' THEN 'West'"
        " ELSE 'East' END, 1 FROM stores",
    )
    with bulk_transaction(url, is_writing_polls=True) as bulk:
        refresh_intervals(bulk)
    refresh_figures(url)
    evaluate(url, "12:00")
    with serve(url) as client:
        enter_everything(client)
    for name in "AB":
        load(url, *(f"{name} {hour:02}:00 down" for hour in range(13, 17)))
    refresh_figures(url)
    evaluate(url, "16:00")
    engine = create_engine(url, application_name="test", pool_size=1)
    complete_report(engine, b"store_id\n")
    for role in Role:
        new_account(engine, role, stores={"A"} if role is Role.OWNER else None)
    engine.dispose()
    return url


def enter_everything(client: httpx.Client) -> None:
    """Enter what pages can take back, before there is a key: then everybody here may do it."""
    hours = [{"day_of_week": 0, "start_time_local": "09:00", "end_time_local": "17:00"}]
    closed = {"start_local": "2023-02-03 00:00", "end_local": "2023-02-04 00:00"}
    for name in "AB":
        store = f"/stores/{name}"
        done(client.put(f"{store}/hours", json={"hours": hours, "valid_from": "2023-01-20T00:00Z"}))
        done(client.put(f"{store}/special-hours", json={"date": "2023-02-06", "hours": []}))
        done(client.post("/closures", json={"store_id": name, **closed}))
        times = {"from_utc": "2023-01-23T13:00Z", "to_utc": "2023-01-23T13:30Z"}
        correction = {"store_id": name, "kind": "up", "reason": "Test", **times}
        done(client.post("/corrections", json=correction))
    done(client.post("/closures", json={"store_id": "*", **closed}))
    done(client.post("/fleet/closures", json={"region": "East", **closed}))
    done(client.put("/objectives", json={"applies_to": "all", "objective": 98, "by": "month"}))
    for scope in ({"store_id": "A"}, {}):
        done(client.post("/statements", json={"period": "2023-W04", **scope}))
        plan = {"every": "monday", "to": ["a@example.com"], **scope}
        done(client.post("/statement-schedules", json=plan))


def evaluate(url: str, clock: str) -> None:
    now = at(clock) + timedelta(minutes=1)
    evaluate_rules(url, rules=Rules(), notification=Notification(()), now=now, is_loading=False)


def done(response: httpx.Response) -> None:
    assert response.is_success, response.text


@dataclass(frozen=True, slots=True)
class Visitor:
    """Whoever opens the pages; `enter` returns the headers of its requests."""

    enter: Callable[[str, httpx.Client], dict[str, str]]
    has_browser: bool = False
    """Whether scripts draw its pages. Without, it has what the server says of their offers."""


def as_account(role: Role, *, has_browser: bool = True) -> Visitor:
    def enter(_url: str, client: httpx.Client) -> dict[str, str]:
        assert sign_in(client, f"{role}@example.com", PASSWORD).status_code == 303
        token = client.cookies[SESSION_COOKIE]
        client.cookies.clear()
        return {"Cookie": f"{SESSION_COOKIE}={token}"}

    return Visitor(enter, has_browser)


def with_key(*scopes: Scope, stores: set[str] | None = None, has_browser: bool = False) -> Visitor:
    def enter(url: str, _client: httpx.Client) -> dict[str, str]:
        return {"X-API-Key": new_key(url, "Key", *scopes, stores=stores)}

    return Visitor(enter, has_browser)


VISITORS: Final[dict[str, Visitor]] = {
    "owner": as_account(Role.OWNER),
    "operator": as_account(Role.OPERATOR, has_browser=False),
    "admin": as_account(Role.ADMIN),
    "key to read": with_key(Scope.READ, has_browser=True),
    "key to read a store": with_key(Scope.READ, stores={"A"}),
    "key to request reports": with_key(Scope.TRIGGER),
    "key to edit": with_key(Scope.READ, Scope.EDIT),
    "key to push": with_key(Scope.READ, Scope.INGEST),
    "nobody": Visitor(lambda _url, _client: {}),
}


def page_paths() -> Iterator[str]:
    """Yield the paths that may be those of pages: all that can be read."""
    for method, template in RULES:
        paths = [template]
        for name in re.findall(r"{(\w+)(?::\w+)?}", template) if method == "GET" else ():
            paths = [
                re.sub(rf"{{{name}(:\w+)?}}", value, path)
                for path in paths
                for value in VALUES.get(name, ("1",))
            ]
        if method == "GET":
            yield from paths


@pytest.fixture(scope="module")
def pages(filled: str) -> list[str]:
    """Give the paths that answer with a page, to whom may see it."""
    with serve(filled) as client:
        admin = VISITORS["admin"].enter(filled, client)
        found = []
        for path in page_paths():
            # Only the head is read: the stream of events has no end.
            with client.stream("GET", path, headers={**admin, **BROWSER}) as response:
                kind = response.headers.get("Content-Type", "")
                if kind.startswith("text/html") and response.is_success:
                    found.append(path)
    return found


@contextmanager
def opened(chromium: Browser, root: str, headers: dict[str, str]) -> Iterator[Page]:
    """Yield a browser's tab that sends these headers."""
    own = {name: value for name, value in headers.items() if name != "Cookie"}
    with closing(chromium.new_context(base_url=root, extra_http_headers=own)) as context:
        _, is_account, token = headers.get("Cookie", "").partition("=")
        if is_account:
            context.add_cookies([{"name": SESSION_COOKIE, "value": token, "url": root}])
        yield context.new_page()


def draw(page: Page, path: str, wrong: list[str]) -> Offers:
    """Return what a page offers once its scripts have drawn it; note in `wrong` what they do."""
    refused: list[str] = []

    def note(response: Response) -> None:
        if response.status in {401, 403}:
            refused.append(f"{path} asks for {response.url}")

    page.on("response", note)
    page.goto(path)
    page.wait_for_selector("body[data-ready], #problem:not([hidden])")
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    page.wait_for_selector("details > [aria-live]:empty", state="detached")
    assert urlsplit(page.url).path == path, "sent to another page"
    offers = Offers(page.content())
    page.remove_listener("response", note)
    wrong += [f"{path} has {one}" for one in page.evaluate(SILENT_OFFERS)]
    # A page of another store says that it may not be seen.
    wrong += refused if path != "/store/B" else []
    return offers


def walk(client: httpx.Client, page: Page | None, paths: list[str], own: dict[str, str]) -> Walk:
    """Open all of these pages that the visitor may see."""
    found = Walk()
    for path in paths:
        response = client.get(path, headers={**own, **BROWSER})
        if response.is_success:
            offers = Offers(response.text)
            if page is not None and offers.has_script:
                offers = draw(page, path, found.wrong)
            found.by_page[path] = offers.deeds
            found.links |= {urljoin(path, one).partition("#")[0] for one in offers.links}
    return found


def refused(client: httpx.Client, found: Walk, own: dict[str, str]) -> Iterator[str]:
    """Request all that was offered, signing out last, and yield what is refused or missing."""
    for link in sorted(found.links):
        # Links within the manual are checked by tests of the manual.
        if not urlsplit(link).scheme and not link.startswith("/manual/"):
            status = client.head(link, headers={**own, **BROWSER}).status_code
            if status >= 400:
                yield f"{link} is {status}"
    for deed in sorted(
        set().union(*found.by_page.values()), key=lambda one: (one == SIGN_OUT, one)
    ):
        method, _, address = deed.partition(" ")
        body = None if method == "DELETE" else BODIES.get(template_of(deed), {})
        status = client.request(method, address, headers=own, json=body).status_code
        if status in {401, 403, 404, 405} or status >= 500:
            yield f"{deed} is {status}"


@cache
def routes() -> list[Route]:
    app = create_app(ApiSettings(database_url=SecretStr(NO_DATABASE)), known_keys=())
    return [one for one in app.state.routes if isinstance(one, Route)]


def template_of(deed: str) -> str:
    """Return the method and the path template that a deed is a request to."""
    method, _, address = deed.partition(" ")
    path = urlsplit(address).path
    fitting = [
        one for one in routes() if method in (one.methods or ()) and one.path_regex.match(path)
    ]
    return f"{method} {fitting[0].path}"


@pytest.fixture(scope="module")
def walks(
    filled: str, pages: list[str], databases: Databases, chromium: Browser
) -> Callable[[str], Walk]:
    """Give what a visitor is offered; each one's walk is made once."""

    @cache
    def walk_of(name: str) -> Walk:
        visitor = VISITORS[name]
        with databases.copied(filled) as url, serve(url) as client, ExitStack() as stack:
            own = visitor.enter(url, client)
            page = None
            if visitor.has_browser:
                page = stack.enter_context(opened(chromium, str(client.base_url), own))
            found = walk(client, page, pages, own)
            found.wrong += refused(client, found, own)
        return found

    return walk_of


@pytest.mark.parametrize("visitor", VISITORS)
def test_no_page_offers_what_its_visitor_may_not_do(
    walks: Callable[[str], Walk], visitor: str
) -> None:
    assert walks(visitor).wrong == []


def test_the_walk_of_an_admin_comes_to_every_page_and_every_deed(
    walks: Callable[[str], Walk], pages: list[str]
) -> None:
    found = walks("admin")
    assert sorted(found.by_page) == sorted(pages)
    deeds = {template_of(deed) for page in found.by_page.values() for deed in page}
    assert deeds == {f"{method} {path}" for method, path in RULES if method != "GET"} - ELSEWHERE


def test_a_page_of_another_store_offers_its_owner_no_deed(walks: Callable[[str], Walk]) -> None:
    found = walks("owner")
    assert "PUT /stores/A/hours" in found.by_page["/store/A"]
    assert found.by_page["/store/B"] == {SIGN_OUT}


def test_nobody_is_offered_more_than_to_sign_in_and_to_read_the_documentation(
    walks: Callable[[str], Walk],
) -> None:
    assert walks("nobody").by_page == {"/docs": set(), "/sign-in": {"POST /sign-in"}}
