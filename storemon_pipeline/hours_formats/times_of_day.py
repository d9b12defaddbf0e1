"""Parsing times of day."""

import re
from typing import Final

UNREADABLE: Final = -1
_TIME: Final = re.compile(
    r"(?P<hour>\d{1,2}):(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d)(?:\.(?P<fraction>\d+))?)?",
    re.ASCII,
)


def read_time(text: str) -> int:
    """Parse `H:MM[:SS[.f]]` into microseconds since midnight; -1 if that fails.

    Digits below the microsecond are cut off. The hour has up to two digits and no upper bound.
    """
    found = _TIME.fullmatch(text)
    if found is None:
        return UNREADABLE
    minutes = int(found["hour"]) * 60 + int(found["minute"])
    seconds = minutes * 60 + int(found["second"] or 0)
    return seconds * 1_000_000 + int((found["fraction"] or "0")[:6].ljust(6, "0"))
