"""README, manual and contributors' pages as data: commands, links, code. Asserts nothing."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.anchors import anchors_plugin

ROOT: Final = Path(__file__).parents[1]
MANUAL: Final = ROOT / "storemon_api" / "web" / "manual"
DOCUMENTS: Final = (
    ROOT / "README.md",
    *sorted((ROOT / ".github").glob("*.md")),
    *sorted(MANUAL.glob("*.md")),
)

PROGRAMS: Final = ("storemon", "curl", "pip", "pytest", "python", "hatch")
"""Programs whose command lines are checked, in fences and in running text."""

_SEPARATORS: Final = frozenset({"&&", "|", "&", ";", "||"})
_ASSIGNMENT: Final = re.compile(r"([A-Z_]+)=(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Command:
    """One command line: the variables set for it, the program and its arguments.

    `is_mention`: it stands in running text, where `storemon restore` may name the command only.
    """

    document: str
    is_mention: bool
    variables: tuple[tuple[str, str], ...]
    argv: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.document}: {shlex.join(self.argv)}"


@dataclass(frozen=True, slots=True)
class Link:
    """A link or a picture: where it stands, and its target as written."""

    document: Path
    target: str

    def __str__(self) -> str:
        return f"{self.document.name}: {self.target}"


def name_of(document: Path) -> str:
    """The document's path in the project."""
    return str(document.relative_to(ROOT))


def fences(document: Path, *languages: str) -> list[str]:
    """The code blocks in these languages."""
    return [
        token.content
        for token in _tokens(document)
        if token.type == "fence" and token.info.strip() in languages
    ]


def languages(document: Path) -> list[str]:
    """The languages of all code blocks, in order; empty where none is named."""
    return [token.info.strip() for token in _tokens(document) if token.type == "fence"]


def code_spans(document: Path) -> list[str]:
    """Every `code` in the running text and in tables."""
    return [
        child.content
        for token in _tokens(document)
        for child in token.children or ()
        if child.type == "code_inline"
    ]


def links(document: Path) -> list[Link]:
    """All links and pictures."""
    found = []
    for token in _tokens(document):
        for child in token.children or ():
            target = child.attrGet("href") or child.attrGet("src")
            if target is not None:
                found.append(Link(document, str(target)))
    return found


def anchors(document: Path) -> set[str]:
    """The anchors of the headings."""
    return {str(token.attrGet("id")) for token in _tokens(document) if token.type == "heading_open"}


def tables(document: Path) -> list[list[list[str]]]:
    """All tables; each is rows of cells as text without marks, the header first."""
    found: list[list[list[str]]] = []
    tokens = _tokens(document)
    for number, token in enumerate(tokens):
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            found[-1].append([])
        elif token.type in {"td_open", "th_open"}:
            found[-1][-1].append(tokens[number + 1].content)
    return found


def commands(document: Path) -> list[Command]:
    """Every command line in shell blocks, and those in running text that begin with PROGRAMS."""
    found = [
        command
        for block in fences(document, "sh")
        for command in _parse(name_of(document), block, is_mention=False)
    ]
    for span in code_spans(document):
        if _is_command(span):
            found += _parse(name_of(document), span, is_mention=True)
    return found


def _is_command(span: str) -> bool:
    words = [word for word in span.split() if not _ASSIGNMENT.fullmatch(word)]
    # A bare name of a program, such as `curl`, speaks of the program.
    return bool(words) and words[0] in PROGRAMS and (len(words) > 1 or words[0] == "pytest")


def _parse(document: str, block: str, *, is_mention: bool) -> Iterator[Command]:
    for line in _whole_lines(block):
        words: list[str] = []
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        for word in [*lexer, ";"]:
            if word not in _SEPARATORS:
                words.append(word)
            elif words:
                yield _command(document, words, is_mention=is_mention)
                words = []


def _command(document: str, words: list[str], *, is_mention: bool) -> Command:
    if ">" in words:
        words = words[: words.index(">")]
    if words[0] in {"export", "nohup"}:
        words = words[1:]
    variables = []
    while words and (assigned := _ASSIGNMENT.fullmatch(words[0])):
        variables.append((assigned[1], assigned[2]))
        words = words[1:]
    return Command(document, is_mention, tuple(variables), tuple(words))


def _whole_lines(block: str) -> Iterator[str]:
    """Lines with what continues them: after a backslash, or within quotes."""
    line = ""
    for part in block.splitlines():
        line += part
        if line.endswith("\\"):
            line = line[:-1]
            continue
        try:
            shlex.split(line, comments=True)
        except ValueError:
            line += "\n"
            continue
        if line.strip():
            yield line
        line = ""
    if line:
        raise ValueError(f"a command that does not end: {line!r}")


@cache
def _tokens(document: Path) -> list[Token]:
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.use(anchors_plugin, max_level=6)
    return parser.parse(document.read_text("utf-8"))
