"""The manual's renderer, its search and its addresses, without a server."""

import asyncio
import doctest
import re
from functools import cache

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from api_server import NO_DATABASE
from storemon_api.app import create_app
from storemon_api.settings import ApiSettings
from storemon_api.web import manual


@cache
def application() -> FastAPI:
    """Make the application once; it holds nothing of a request."""
    return create_app(ApiSettings(database_url=SecretStr(NO_DATABASE)), known_keys=())


def ask(path: str, *, method: str = "GET", root: str = "") -> httpx.Response:
    """Ask the application itself; `root` is the path that a proxy serves it below."""

    async def request() -> httpx.Response:
        transport = httpx.ASGITransport(application(), root_path=root, client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
            return await http.request(method, path)

    return asyncio.run(request())


def found(query: str) -> list[tuple[str, str]]:
    """The page and the anchor of each hit, in order."""
    return [(hit.page.name, hit.section.anchor) for hit in manual.search(query)]


@pytest.mark.parametrize("name", manual.NAMES)
def test_a_page_is_served_as_html_of_this_server_alone(name: str) -> None:
    page = ask(f"/manual/{name}")
    assert page.status_code == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert f"<title>{manual.page(name).title} - manual" in page.text
    # The policy forbids styles and scripts within a page.
    assert " style=" not in page.text
    assert "<script" not in page.text
    sources = re.findall(r'src="([^"]+)"|<link [^>]*href="([^"]+)"', page.text)
    assert all(address.startswith("/static/") for pair in sources for address in pair if address)


def test_the_index_has_the_address_of_the_manual_itself() -> None:
    assert ask("/manual").text == ask("/manual/index").text
    assert ask("/manual", method="HEAD").status_code == 200


def test_an_unknown_page_is_a_problem() -> None:
    response = ask("/manual/nothing")
    assert response.status_code == 404
    assert response.headers["Content-Type"] == "application/problem+json"


def test_links_and_pictures_work_below_another_path() -> None:
    text = ask("/manual/figures", root="/uptime").text
    assert '<img src="/uptime/static/bounds.svg"' in text
    assert 'href="/uptime/manual/glossary"' in text
    assert 'href="/uptime/static/manual.css"' in text


def test_every_page_has_the_manual_in_its_bar() -> None:
    assert '<a href="/manual">Manual</a>' in ask("/pages/reports").text
    assert '<a href="/manual" aria-current="page">Manual</a>' in ask("/manual/settings").text


def test_headings_can_be_linked_to_and_wide_tables_scroll_by_themselves() -> None:
    html = manual.render("alerts", "")
    assert '<h2 id="kinds">Kinds</h2>' in html
    assert (
        html.count('<table class="cards">') == html.count('<div class="scroll" tabindex="0"') == 1
    )
    assert '<pre tabindex="0"><code class="language-sh">' in html


def test_a_link_to_a_section_of_another_page_keeps_its_anchor() -> None:
    assert 'href="/manual/settings#alert-settings"' in manual.render("alerts", "")


def test_cells_of_a_table_have_the_title_of_their_column_and_numbers_a_class() -> None:
    html = manual.render("performance", "")
    assert '<td class="number" data-label="Figure">17.7 to 20.7 ms</td>' in html


def test_a_picture_leads_to_itself_in_full_size() -> None:
    html = manual.render("figures", "/uptime")
    assert '<a class="picture" href="/uptime/static/bounds.svg"><img src="/uptime/static' in html


def test_examples_of_the_renderer_hold() -> None:
    assert doctest.testmod(manual) == (0, 3)


def test_a_search_finds_a_heading_before_text() -> None:
    assert found("undo a load")[0] == ("corrections", "undo-a-load")
    assert found("Bounds")[0] == ("figures", "bounds")


def test_a_search_finds_settings_in_tables_and_commands_in_code() -> None:
    assert ("settings", "retention-settings") in found("STOREMON_KEEP_POLLS_DAYS")
    assert ("backup", "restore") in found("restore storemon.backup --home")


def test_a_search_asks_for_every_word_in_any_case() -> None:
    assert found("CITUS snapshot") == [("many-machines", "citus")]
    assert found("citus nosuchword") == []
    assert found("   ") == []


def test_an_excerpt_marks_each_match_and_keeps_the_text() -> None:
    hit = manual.search("CITUS snapshot")[0]
    text = "".join(piece.text for piece in hit.excerpt).strip("… ")
    assert text in hit.section.text
    assert {piece.text for piece in hit.excerpt if piece.is_match} == {"Citus", "snapshot"}


def test_the_page_of_a_search_shows_hits_and_no_markup_of_the_query() -> None:
    page = ask("/manual?q=kubernetes").text
    assert '<a href="/manual/many-machines#kubernetes">Kubernetes</a>' in page
    nothing = ask("/manual?q=%3Cscript%3Ealert(1)%3C/script%3E")
    assert nothing.status_code == 200
    assert "<script>alert" not in nothing.text
    assert "No section contains all of these words" in nothing.text


def test_a_search_that_is_too_long_is_refused() -> None:
    assert ask(f"/manual?q={'a' * 201}").status_code == 422
