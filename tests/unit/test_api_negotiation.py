"""Which representation an `Accept` header asks for; which entity tags a client has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storemon_api.http.negotiation import has_entity_tag, prefers_json


@pytest.mark.parametrize(
    "accept",
    [
        pytest.param("application/json", id="JSON alone"),
        pytest.param("application/json, text/plain, */*", id="what axios sends"),
        pytest.param("APPLICATION/JSON", id="in capitals"),
        pytest.param("application/json; charset=utf-8", id="with a parameter"),
        pytest.param("application/*", id="a range that has JSON"),
        pytest.param("text/*, application/json", id="named against a range, at one weight"),
        pytest.param("text/csv;q=0.5, application/json", id="a higher weight"),
        pytest.param("text/csv;q=0.001 , application/json ;Q=0.002", id="small weights"),
        pytest.param("*/*, text/csv;q=0", id="anything but CSV"),
        pytest.param('application/json;a="x,y;q=0";q=0.3, text/csv;q=0.2', id="quoted marks"),
        pytest.param("text/csv;q=broken, application/json;q=0.1", id="beside a broken element"),
        pytest.param("*/*;q=0.1, application/json;q=0.1", id="more specific at one weight"),
    ],
)
def test_json_is_preferred(accept: str) -> None:
    assert prefers_json(accept)


@pytest.mark.parametrize(
    "accept",
    [
        pytest.param(None, id="no header"),
        pytest.param("", id="an empty header"),
        pytest.param("*/*", id="anything"),
        pytest.param("text/csv", id="CSV alone"),
        pytest.param("application/json, text/csv", id="both alike"),
        pytest.param("application/json;q=0.5, */*;q=0.9", id="a lower weight"),
        pytest.param("application/json;q=0", id="not JSON"),
        pytest.param("application/json;q=0, text/csv;q=0", id="neither"),
        pytest.param("text/html", id="something else"),
        pytest.param(
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", id="a browser"
        ),
        pytest.param("application/problem+json", id="another JSON"),
        pytest.param("*/json", id="no media range"),
        pytest.param("application/json;q=2", id="a weight above one"),
        pytest.param("application/json;q=-1", id="a weight below zero"),
        pytest.param("application/json;q=nan", id="a weight that is no number"),
        pytest.param(",,;;=,/", id="separators alone"),
        pytest.param('"application/json', id="an open quote"),
    ],
)
def test_csv_is_the_answer_otherwise(accept: str | None) -> None:
    assert not prefers_json(accept)


@given(st.text(st.sampled_from('*/,;="\\ q01.json\x00ÿ'), max_size=200))
def test_no_header_breaks_the_choice(accept: str) -> None:
    assert prefers_json(accept) in {True, False}


@pytest.mark.parametrize(
    ("if_none_match", "is_named"),
    [
        (None, False),
        ("", False),
        ('"abc"', True),
        ('W/"abc"', True),
        ('"x", "abc"', True),
        ("*", True),
        ('"ABC"', False),
        ("abc", False),
        ('"abcd"', False),
        ('"ab', False),
    ],
)
def test_an_entity_tag_is_found_among_those_a_client_has(
    if_none_match: str | None,
    is_named: bool,  # noqa: FBT001
) -> None:
    assert has_entity_tag(if_none_match, '"abc"') is is_named
