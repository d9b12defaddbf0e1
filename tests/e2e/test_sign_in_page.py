"""Signing in and out in a browser, on a phone and on a desk."""

from collections.abc import Iterator

import httpx
import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser

from api_server import serve
from browser import DESK, PHONE
from signed_in import PASSWORD, new_account
from storemon_pipeline.access.accounts import Role
from storemon_pipeline.database.connections import create_engine


@pytest.fixture(scope="module")
def engine_of_module(module_database_url: str) -> Iterator[sa.Engine]:
    engine = create_engine(module_database_url, application_name="test", pool_size=1)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def site(module_database_url: str, engine_of_module: sa.Engine) -> Iterator[httpx.Client]:
    new_account(engine_of_module)
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
