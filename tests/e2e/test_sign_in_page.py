"""Signing in and out in a browser, on a phone and on a desk, and a forgotten password."""

import re
from collections.abc import Iterator

import httpx
import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Page

from api_server import serve
from browser import DESK, PHONE
from mail_server import mail_server, text_of
from signed_in import PASSWORD, new_account
from storemon_pipeline.access.accounts import Role
from storemon_pipeline.database.connections import create_engine
from waiting import eventually


@pytest.fixture(scope="module")
def engine_of_module(module_database_url: str) -> Iterator[sa.Engine]:
    engine = create_engine(module_database_url, application_name="test", pool_size=1)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def site(module_database_url: str, engine_of_module: sa.Engine) -> Iterator[httpx.Client]:
    new_account(engine_of_module)
    new_account(engine_of_module, Role.OPERATOR)
    new_account(engine_of_module, Role.OWNER, stores={"7"})
    with serve(module_database_url) as client:
        yield client


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_a_person_signs_in_and_out_in_a_browser(
    site: httpx.Client, chromium: Browser, size: tuple[int, int]
) -> None:
    context = chromium.new_context(viewport={"width": size[0], "height": size[1]})
    try:
        page = context.new_page()
        page.goto(f"{site.base_url}/pages/alerts?q=7")
        assert page.url.endswith("/sign-in?next=%2Fpages%2Falerts%3Fq%3D7")
        for field in page.locator(".sign-in input:visible, .sign-in button").all():
            box = field.bounding_box()
            assert box is not None
            assert box["height"] >= 44
        page.get_by_label("Email address").fill("owner@example.com")
        page.get_by_label("Password").fill("not the password")
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("alert").filter(has_text="is wrong").wait_for()
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/pages/alerts?q=7")
        page.get_by_text("The owner").wait_for()
        assert page.evaluate("document.cookie") == ""
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= size[0]
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url("**/sign-in")
        page.goto(f"{site.base_url}/")
        assert page.url.endswith("/sign-in?next=%2F")
    finally:
        context.close()


def sign_in(page: Page, address: str, role: Role, password: str = PASSWORD) -> None:
    page.goto(address)
    page.get_by_label("Email address").fill(f"{role}@example.com")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def test_an_open_page_goes_to_the_sign_in_page_when_its_session_ends(
    site: httpx.Client, chromium: Browser
) -> None:
    context = chromium.new_context()
    try:
        open_page, other = context.new_page(), context.new_page()
        sign_in(open_page, f"{site.base_url}/pages/alerts?q=7", Role.ADMIN)
        open_page.wait_for_selector("body[data-ready]")
        # The other tab does not follow the data: nothing but the stream tells the first one.
        other.goto(f"{site.base_url}/manual")
        other.get_by_role("button", name="Sign out").click()
        open_page.wait_for_url("**/sign-in?next=%2Fpages%2Falerts%3Fq%3D7")
    finally:
        context.close()


def test_a_forgotten_password_is_replaced_in_a_browser(
    module_database_url: str, chromium: Browser, site: httpx.Client
) -> None:
    assert site.get("/forgotten-password").status_code == 404
    public = "http://storemon.example"
    context = chromium.new_context(viewport={"width": PHONE[0], "height": PHONE[1]})
    try:
        with (
            mail_server() as mails,
            serve(module_database_url, mail_url=mails.url, public_url=public) as client,
        ):
            root = str(client.base_url).rstrip("/")
            page = context.new_page()
            page.goto(f"{root}/sign-in")
            page.get_by_role("link", name="Forgotten password").click()
            page.get_by_label("Email address").fill("operator@example.com")
            page.get_by_role("button", name="Send me a link").click()
            page.get_by_role("status").filter(has_text="a mail with a link").wait_for()
            eventually(lambda: len(mails.taken) == 1)
            found = re.search(rf"{public}(/password\?token=[\w-]{{43}})", text_of(mails.taken[0]))
            assert found is not None
            page.goto(root + found[1])
            new = PASSWORD[::-1]
            page.get_by_label("New password").fill(new)
            page.get_by_label("again").fill(new)
            page.get_by_role("button", name="Save and sign in").click()
            page.get_by_text("The operator").wait_for()
            page.get_by_role("button", name="Sign out").click()
            sign_in(page, f"{root}/pages/alerts", Role.OPERATOR, new)
            page.wait_for_url("**/pages/alerts")
            page.goto(root + found[1])
            page.get_by_text("This link does not work any more").wait_for()
    finally:
        context.close()
