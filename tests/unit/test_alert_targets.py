"""Addresses have labels that reveal no secrets."""

import pytest

from storemon_pipeline.alerts.targets import labelled, split_urls, without_secrets


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("", []),
        ("  ", []),
        ("json://a", ["json://a"]),
        ("json://a slack://b\n\tmsteams://c", ["json://a", "slack://b", "msteams://c"]),
        ("json://a,slack://b, xml://c", ["json://a", "slack://b", "xml://c"]),
        ("mailto://u:p@h?to=a@b,c@d", ["mailto://u:p@h?to=a@b,c@d"]),
    ],
)
def test_addresses_are_separated_by_white_space_or_commas(text: str, urls: list[str]) -> None:
    assert split_urls(text) == urls


@pytest.mark.parametrize(
    ("url", "label"),
    [
        ("json://user:pass@hooks.example.com:8443/key", "json://hooks.example.com:8443"),
        ("https://hooks.slack.com/services/T0/B0/xyz", "https://hooks.slack.com"),
        ("mailtos://me:secret@example.com?to=you@example.com", "mailtos://example.com"),
        ("slack://TokenA/TokenB/TokenC/#channel", "slack"),
        ("discord://webhook-id/token", "discord"),
        ("msteams://TokenA/TokenB/TokenC", "msteams"),
        ("json://host:port/x", "json://host"),
        ("json://[broken/x", "unknown"),
        ("no url at all", "unknown"),
    ],
)
def test_a_label_names_the_service_and_no_secret(url: str, label: str) -> None:
    assert list(labelled([url])) == [label]


def test_two_addresses_of_one_service_have_two_labels() -> None:
    assert labelled(["slack://a/b", "slack://c/d", "json://h"]) == {
        "slack": "slack://a/b",
        "slack (2)": "slack://c/d",
        "json://h": "json://h",
    }


def test_an_error_is_logged_without_the_parts_of_the_address() -> None:
    url = "json://me:pass-word@hooks.example.com/5ecret-key?token=abcdef"
    text = "hooks.example.com said 404 for me pass-word /5ecret-key?token=abcdef"
    assert without_secrets(text, url) == "hooks.example.com said 404 for me … /…?token=…"
