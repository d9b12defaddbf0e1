"""Content negotiation: `Accept` and `If-None-Match` headers."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

JSON: Final = "application/json"
CSV: Final = "text/csv"
HTML: Final = "text/html"

# RFC 9110: list elements are separated by commas, parameters by semicolons; a quoted string may
# hold both. Every alternative begins with another character, so matching is linear.
_ELEMENT: Final = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*"?)+', re.DOTALL)
_PARAMETER: Final = re.compile(r'(?:[^;"]|"(?:[^"\\]|\\.)*"?)+', re.DOTALL)
_NAME: Final = r"[!#$%&'+.^_`|~\w-]+"
_MEDIA_RANGE: Final = re.compile(rf"(\*(?=/\*)|{_NAME})/(\*|{_NAME})", re.ASCII)
_WEIGHT: Final = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")
_ENTITY_TAG: Final = re.compile(r'(?:W/)?("[^"]*")')


def prefers_json(accept: str | None) -> bool:
    """Return whether an `Accept` header ranks JSON above CSV.

    The higher weight wins. At equal weights the more specific range wins, so that
    `application/json, */*` means JSON and `*/*` means CSV. A missing header, a malformed element,
    or a header that accepts neither means CSV.
    """
    ranges = list(_media_ranges(accept or ""))
    return _rank(ranges, JSON) > _rank(ranges, CSV)


def preferred(accept: str | None, media_types: Sequence[str]) -> str:
    """Return the media type that an `Accept` header ranks highest, the first one of equals.

    The first one too when the header is missing or accepts none of them.
    """
    ranges = list(_media_ranges(accept or ""))
    return max(media_types, key=lambda media_type: _rank(ranges, media_type))


def has_entity_tag(if_none_match: str | None, entity_tag: str) -> bool:
    """Return whether `If-None-Match` contains `entity_tag`, by weak comparison."""
    if if_none_match is None:
        return False
    if if_none_match.strip() == "*":
        return True
    return entity_tag in _ENTITY_TAG.findall(if_none_match)


def _media_ranges(accept: str) -> Iterator[tuple[str, str, float]]:
    """Yield type, subtype and weight of every well-formed element."""
    for element in _ELEMENT.findall(accept):
        media_range, *parameters = _PARAMETER.findall(element) or [""]
        names = _MEDIA_RANGE.fullmatch(media_range.strip().lower())
        weight = _weight(parameters)
        if names is not None and weight is not None:
            yield names[1], names[2], weight


def _weight(parameters: list[str]) -> float | None:
    """Return the `q` parameter: 1 without one, None for a malformed one."""
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            value = value.strip()
            return float(value) if _WEIGHT.fullmatch(value) else None
    return 1.0


def _rank(ranges: list[tuple[str, str, float]], media_type: str) -> tuple[float, int]:
    """Return the weight of the most specific matching range, then its specificity.

    A weight of 0 ranks like no match: the client accepts neither.
    """
    type_, _, subtype = media_type.partition("/")
    matching = [
        ((range_type != "*") + (range_subtype != "*"), weight)
        for range_type, range_subtype, weight in ranges
        if range_type in {"*", type_} and range_subtype in {"*", subtype}
    ]
    specificity, weight = max(matching, default=(0, 0.0))
    return (weight, specificity) if weight > 0 else (0.0, 0)
