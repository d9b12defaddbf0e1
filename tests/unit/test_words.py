"""The agreed words: one meaning for each, and no phrases that read as if translated.

The glossary of the manual says what each word means.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("storemon_pipeline", "storemon_api")

TEXTS = [
    path
    for folder in (*PACKAGES, ".github", "data")
    for path in sorted((ROOT / folder).rglob("*"))
    # Migrations that were released stay as they are.
    if path.suffix in {".py", ".md", ".js", ".html", ".yaml"} and path.parent.name != "versions"
] + [ROOT / "README.md", ROOT / "dagster.yaml", ROOT / "pyproject.toml"]

PHRASES = {
    r"\bthe (matter|business) of\b": "say what a thing is or does",
    r"\bknows? no\b": "say what it does not contain or use",
    r"\basks? nobody\b": "say that it reads nothing",
    r"\b(for|of|at most|but) so many\b|\bso many (times|at a time)\b": "name it, or say `chunk`",
    r"\bfor ever\b": "write `forever`, or how long",
    r"\bis (to be )?said (of|by|in)\b": "say who says it",
    r"\b(sort|kind) of matter\b": "name it",
    r"\btold apart\b": "write `distinguish`",
    r"\bleft-overs?\b": "write `orphaned process` or what is left",
    # The reason of rejected rows is stored, and named in the manual.
    r"(?<!there )\b(is|are) no (?!longer\b|more\b|faster\b|whole number\b)": "write `is not a`",
}
"""Patterns that no text of the product contains, and what to do instead."""

DATA_ROOMS = (
    "business_time",
    "uptime",
    "polls",
    "schedules",
    "stores",
    "files",
    "figures",
    "views",
    "checks",
)
"""Rooms in which a run can only be a status run: they know nothing of Dagster."""


def test_the_texts_are_found() -> None:
    assert len([path for path in TEXTS if path.suffix == ".py"]) > 150
    assert len([path for path in TEXTS if path.suffix == ".md"]) > 15


@pytest.mark.parametrize(("pattern", "advice"), PHRASES.items(), ids=PHRASES.keys())
def test_no_text_has_this_phrase(pattern: str, advice: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in TEXTS
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if re.search(pattern, line, re.IGNORECASE)
    ]
    assert found == [], advice


def names_in(path: Path) -> Iterator[str]:
    """The names that a module defines or uses, in lower case with underscores."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.arg(arg=name) | ast.Name(id=name) | ast.Attribute(attr=name):
                yield name


def test_a_run_of_polls_is_called_a_status_run() -> None:
    found = {
        f"{path.relative_to(ROOT)}: {name}"
        for room in DATA_ROOMS
        for path in (ROOT / "storemon_pipeline" / room).rglob("*.py")
        for name in names_in(path)
        if re.search(r"(?<!status)(^|_)runs?(_|$)", snake(name))
        and not re.search(r"status_runs?", snake(name))
        # The Dagster run that wrote a row.
        and name != "run_id"
    }
    assert found == set()


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def test_the_glossary_explains_the_agreed_words() -> None:
    glossary = (ROOT / "storemon_api/web/manual/glossary.md").read_text("utf-8")
    terms = {
        term.lower() for term in re.findall(r"^\| \**`?([^|`*]+?)`?\** \|", glossary, re.MULTILINE)
    }
    assert len(terms) >= 25
    assert {
        *("run", "status run", "interval", "window", "period", "chunk", "shard", "business time"),
        *("firing", "resolved", "inhibited", "cooldown", "silent", "closure"),
    } - terms == set()
