"""The rules of zones: those of the package alone, and when they count as out of date."""

import subprocess
import sys
from datetime import date
from importlib import resources
from pathlib import Path

import pytest

from storemon_pipeline.business_time.zones import RULES_RELEASE
from storemon_pipeline.checks.zone_rules import (
    TESTED_RELEASE,
    find_zone_rules_warning,
    read_machine_release,
)

ROOT = Path(__file__).parents[2]
OFFSETS = """
from datetime import UTC, datetime
from zoneinfo import ZoneInfo
from storemon_pipeline.business_time.zones import zone_of
at = datetime(2026, 11, 27, 20, tzinfo=UTC)
for zone in (ZoneInfo("America/Vancouver"), zone_of("America/Vancouver")):
    print(at.astimezone(zone).hour)
"""


def test_the_rules_of_the_machine_do_not_count(tmp_path: Path) -> None:
    # On this machine Vancouver has the clock of Tokyo.
    (tmp_path / "America").mkdir()
    tokyo = resources.files("tzdata").joinpath("zoneinfo", "Asia", "Tokyo").read_bytes()
    (tmp_path / "America" / "Vancouver").write_bytes(tokyo)
    found = subprocess.run(
        [sys.executable, "-c", OFFSETS],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PYTHONTZPATH": str(tmp_path)},
    )
    # In 2026 British Columbia keeps UTC-7 in winter.
    assert found.stdout.split() == ["5", "13"]


def test_no_statement_lets_the_database_convert_to_local_time() -> None:
    statements = [
        path.name
        for package in ("storemon_pipeline", "storemon_api")
        for path in (ROOT / package).rglob("*.py")
        if "at time zone" in path.read_text("utf-8").lower()
    ]
    assert statements == []


def test_the_tested_release_is_the_pinned_one() -> None:
    (pinned,) = (
        line.removeprefix("tzdata==")
        for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines()
        if line.startswith("tzdata==")
    )
    # The package 2026.6 is the sixth release of 2026.
    year, number = pinned.split(".")
    assert f"{year}{'abcdefghijklmnopqrstuvwxyz'[int(number) - 1]}" == TESTED_RELEASE
    assert RULES_RELEASE >= TESTED_RELEASE


@pytest.mark.parametrize(
    ("files", "release"),
    [
        pytest.param({}, None, id="no-zones"),
        pytest.param({"tzdata.zi": "# version 2025b\n# redo posix_only\n"}, "2025b", id="linux"),
        pytest.param({"+VERSION": "2027a\n"}, "2027a", id="macos"),
        pytest.param({"tzdata.zi": "# version 2024b-0-dirty\n"}, "2024b", id="own-build"),
        pytest.param({"tzdata.zi": "# version unknown\n"}, None, id="unknown"),
        pytest.param({"tzdata.zi": "R A 2020 o - Mar 8 2 1 D\n"}, None, id="no-version"),
        pytest.param({"tzdata.zi": ""}, None, id="empty"),
        pytest.param({"+VERSION": "2025a", "tzdata.zi": "# version 2025c\n"}, "2025c", id="both"),
    ],
)
def test_the_machine_names_its_release(
    tmp_path: Path, files: dict[str, str], release: str | None
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert read_machine_release((str(tmp_path / "missing"), str(tmp_path))) == release


@pytest.mark.parametrize(
    ("used", "machine", "today", "warning"),
    [
        pytest.param("2026f", "2025b", date(2026, 11, 28), None, id="older-machine"),
        pytest.param("2026f", "2026f", date(2026, 11, 28), None, id="same"),
        pytest.param(
            "2026f",
            "2026g",
            date(2026, 11, 28),
            "2026f; this machine has the newer 2026g",
            id="newer-machine",
        ),
        pytest.param("2026f", "2025b", date(2027, 4, 28), None, id="six-months"),
        pytest.param(
            "2026f",
            "2025b",
            date(2027, 5, 1),
            "2026f, which is more than six months old",
            id="over-six-months",
        ),
        pytest.param("2027b", "2025b", date(2027, 9, 1), None, id="newer-than-tested"),
    ],
)
def test_rules_that_may_be_out_of_date_are_a_warning(
    tmp_path: Path, used: str, machine: str, today: date, warning: str | None
) -> None:
    (tmp_path / "tzdata.zi").write_text(f"# version {machine}\n")
    found = find_zone_rules_warning(today, release=used, folders=(str(tmp_path),))
    assert found == warning
