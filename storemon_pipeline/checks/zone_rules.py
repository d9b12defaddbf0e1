"""Whether the rules of time zones that storemon uses are out of date."""

import re
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from storemon_pipeline.business_time.zones import RULES_RELEASE

TESTED_RELEASE: Final = "2026f"
TESTED_RELEASED_ON: Final = date(2026, 10, 28)
"""The release that storemon is tested with; the package does not say when it came out."""

_OLD: Final = timedelta(days=183)

_FOLDERS: Final = ("/usr/share/zoneinfo", "/usr/lib/zoneinfo", "/usr/share/lib/zoneinfo")
_FILES: Final = ("+VERSION", "tzdata.zi")
"""The files that name the machine's release: on macOS and BSD, and on Linux."""

_RELEASE: Final = re.compile(r"\b(\d{4})([a-z]{1,2})\b")


def find_zone_rules_warning(
    today: date, *, release: str = RULES_RELEASE, folders: tuple[str, ...] = _FOLDERS
) -> str | None:
    """Why these rules may be out of date; None when nothing says so.

    The machine's own rules are not used. They only show that a newer release exists.
    """
    machine = read_machine_release(folders)
    if machine is not None and machine > release:
        return f"{release}; this machine has the newer {machine}"
    # The date of a release that came after the tested one is unknown.
    if release <= TESTED_RELEASE and today - TESTED_RELEASED_ON > _OLD:
        return f"{release}, which is more than six months old"
    return None


def read_machine_release(folders: tuple[str, ...] = _FOLDERS) -> str | None:
    """The newest release that the machine's files name, such as `2025b`; None without any."""
    found = []
    for folder in folders:
        for name in _FILES:
            try:
                with Path(folder, name).open(encoding="utf-8", errors="replace") as file:
                    first_line = file.readline(100)
            except OSError:
                continue
            found += [match.group() for match in _RELEASE.finditer(first_line)]
    return max(found, default=None)
