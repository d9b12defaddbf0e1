"""Notification addresses from the settings, and labels that contain no secrets.

An address contains tokens and passwords. Only its label is stored, shown and logged.
"""

import re
from collections import Counter
from typing import Final
from urllib.parse import SplitResult, urlsplit

_SEPARATOR: Final = re.compile(r"[\s,]+(?=[A-Za-z][A-Za-z0-9+.-]*://)|\s+")

_HAS_OPEN_HOST: Final = frozenset(
    {
        *("http", "https", "json", "jsons", "xml", "xmls", "form", "forms"),
        *("mailto", "mailtos", "gotify", "gotifys", "apprise", "apprises"),
    }
)
"""Schemes after which a host's name follows; elsewhere a token may stand there."""

_SHORTEST_SECRET: Final = 3


def split_urls(text: str) -> list[str]:
    """The addresses in a setting, separated by white space or commas.

    >>> split_urls("json://host/a, mailto://u:p@example.com?to=a@b.c,d@e.f")
    ['json://host/a', 'mailto://u:p@example.com?to=a@b.c,d@e.f']
    """
    return [url for url in (part.strip(",") for part in _SEPARATOR.split(text.strip())) if url]


def labelled(urls: list[str]) -> dict[str, str]:
    """The addresses by their labels: the service, and its host where that is not secret.

    >>> list(labelled(["json://me:pw@host:81/key", "slack://A/B/C", "slack://D/E/F"]))
    ['json://host:81', 'slack', 'slack (2)']
    """
    seen: Counter[str] = Counter()
    found = {}
    for url in urls:
        label = _label(url)
        seen[label] += 1
        found[label if seen[label] == 1 else f"{label} ({seen[label]})"] = url
    return found


def without_secrets(text: str, url: str) -> str:
    """Replace everything of the address in a text, except what its label shows.

    >>> without_secrets("404 for host/key?token=abc", "json://me@host/key?token=abc")
    '404 for host/…?token=…'
    """
    split = _split(url)
    shown = {_label(url), split.scheme, (split.hostname or "") if _is_open(split) else ""}
    words = {
        word
        for word in re.split(r"[/:@?&=#,\s]+", url)
        if len(word) >= _SHORTEST_SECRET and word.lower() not in shown
    }
    names = set(re.findall(r"[?&]([^=&]+)=", url))
    for word in sorted(words - names, key=len, reverse=True):
        text = text.replace(word, "…")
    return text


def _label(url: str) -> str:
    split = _split(url)
    scheme = split.scheme or "unknown"
    if not _is_open(split):
        return scheme
    port = f":{split.port}" if _has_port(split) else ""
    return f"{scheme}://{split.hostname}{port}"


def _is_open(split: SplitResult) -> bool:
    return split.scheme in _HAS_OPEN_HOST and bool(split.hostname)


def _has_port(split: SplitResult) -> bool:
    try:
        return split.port is not None
    except ValueError:
        return False


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        return SplitResult("", "", "", "", "")
