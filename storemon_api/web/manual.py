"""The manual: Markdown files of this package as HTML, and a search over their sections. No HTTP.

Links between pages are written as paths of files (`alerts.md#kinds`, `../static/store-day.svg`), so
that they work in a checkout as well; `render` turns them into addresses of the service.
"""

from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import OptionsDict
from mdit_py_plugins.anchors import anchors_plugin

INDEX: Final = "index"

CHAPTERS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("Start", (INDEX, "pages")),
    (
        "For operators",
        (
            "running",
            "settings",
            "backup",
            "access",
            "alerts",
            "many-machines",
            "troubleshooting",
        ),
    ),
    (
        "For those who bring data",
        ("sources", "push", "webhooks", "corrections", "polling", "retention"),
    ),
    ("For API clients", ("api-reports", "api-figures", "statements", "api-errors")),
    ("For readers of numbers", ("figures", "accuracy", "glossary")),
    ("For developers", ("developing", "recipes", "performance")),
)
"""The pages by reader, in reading order."""

NAMES: Final = tuple(name for _, names in CHAPTERS for name in names)

_EXCERPT_CHARACTERS: Final = 220
_LEAD_CHARACTERS: Final = 60


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and the text below it, up to the next heading."""

    level: int
    anchor: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class ManualPage:
    """One page: its name in the address, its title, and its sections."""

    name: str
    title: str
    sections: tuple[Section, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of an excerpt; `is_match` marks a word that was searched for."""

    text: str
    is_match: bool


@dataclass(frozen=True, slots=True)
class Hit:
    """A section that contains every word of a search."""

    page: ManualPage
    section: Section
    excerpt: tuple[Piece, ...]


@cache
def source(name: str) -> str:
    """Return the Markdown of a page; `name` is one of NAMES."""
    return (files("storemon_api.web") / "manual" / f"{name}.md").read_text("utf-8")


@cache
def page(name: str) -> ManualPage:
    """Return a page's title and sections; `name` is one of NAMES."""
    sections = tuple(_sections(_parser().parse(source(name))))
    return ManualPage(name, sections[0].title, sections)


@cache
def render(name: str, root: str) -> str:
    """Return a page as HTML, with links for a service that answers below the path `root`."""
    html: str = _parser().render(source(name), {"root": root})
    return html


def search(query: str, *, limit: int = 40) -> list[Hit]:
    """Return the sections that contain every word of the query, the best match first.

    Words in a heading count more than words in the text below it. Case is ignored.
    """
    words = query.casefold().split()
    if not words:
        return []
    ranked: list[tuple[int, int, int, str, Section]] = []
    for name in NAMES:
        for section in page(name).sections:
            title, text = section.title.casefold(), section.text.casefold()
            if all(word in title or word in text for word in words):
                in_title = sum(word in title for word in words)
                in_text = sum(text.count(word) for word in words)
                ranked.append((-in_title, -in_text, len(ranked), name, section))
    ranked.sort(key=lambda entry: entry[:3])
    return [
        Hit(page(name), section, _excerpt(section.text, words))
        for *_, name, section in ranked[:limit]
    ]


def _excerpt(text: str, words: Sequence[str]) -> tuple[Piece, ...]:
    """Return the part of the text around the first word found, cut into matches and the rest."""
    folded = text.casefold()
    if len(folded) != len(text):
        # Positions would differ (a few letters fold to two); no match is marked then.
        return (Piece(text[:_EXCERPT_CHARACTERS], is_match=False),)
    first = min((at for word in words if (at := folded.find(word)) >= 0), default=0)
    # Begin with a whole word.
    begin = text.find(" ", first - _LEAD_CHARACTERS) + 1 if first > _LEAD_CHARACTERS else 0
    begin = min(begin, first)
    end = min(len(text), begin + _EXCERPT_CHARACTERS)
    pieces = [Piece("… ", is_match=False)] if begin else []
    at = begin
    while at < end:
        found = [
            (start, -len(word)) for word in words if 0 <= (start := folded.find(word, at)) < end
        ]
        if not found:
            break
        start, negative_length = min(found)
        if start > at:
            pieces.append(Piece(text[at:start], is_match=False))
        at = start - negative_length
        pieces.append(Piece(text[start:at], is_match=True))
    if at < end:
        pieces.append(Piece(text[at:end], is_match=False))
    if end < len(text):
        pieces.append(Piece(" …", is_match=False))
    return tuple(pieces)


def _sections(tokens: Sequence[Token]) -> list[Section]:
    sections: list[Section] = []
    level, anchor, title = 0, "", ""
    texts: list[str] = []
    for number, token in enumerate(tokens):
        if token.type == "heading_open":
            if title:
                sections.append(Section(level, anchor, title, " ".join(texts)))
            level, anchor = int(token.tag[1]), str(token.attrGet("id"))
            title, texts = _plain(tokens[number + 1]), []
        elif token.type == "inline" and tokens[number - 1].type != "heading_open":
            texts.append(_plain(token))
        elif token.type == "fence":
            texts.append(" ".join(token.content.split()))
    sections.append(Section(level, anchor, title, " ".join(texts)))
    return sections


def _plain(token: Token) -> str:
    """Return the words of an inline token, without its marks."""
    return " ".join(
        "".join(
            " " if child.type in {"softbreak", "hardbreak"} else child.content
            for child in token.children or ()
        ).split()
    )


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.use(anchors_plugin, min_level=1, max_level=3)
    parser.core.ruler.push("addresses", _set_addresses)
    parser.core.ruler.push("tables", _label_cells)
    # Wide tables, code and pictures scroll by themselves, by keyboard as well.
    parser.add_render_rule("table_open", _table_open)
    parser.add_render_rule("table_close", _table_close)
    parser.add_render_rule("fence", _fence)
    parser.add_render_rule("image", _image)
    return parser


def _set_addresses(state: StateCore) -> None:
    """Turn paths of files into addresses of the service."""
    root = state.env.get("root", "")
    for token in state.tokens:
        for child in token.children or ():
            for attribute in ("href", "src"):
                target = child.attrGet(attribute)
                if target is not None:
                    child.attrSet(attribute, address_of(str(target), root))


def _label_cells(state: StateCore) -> None:
    """Give cells the title of their column, for narrow screens, and numbers a class.

    The pages allow no styles within them, so the parser's own alignment is taken away.
    """
    titles: list[str] = []
    column = 0
    for number, token in enumerate(state.tokens):
        if token.type == "table_open":
            titles = []
        elif token.type == "tr_open":
            column = 0
        elif token.type in {"th_open", "td_open"}:
            if "text-align:right" in str(token.attrs.pop("style", "")):
                token.attrSet("class", "number")
            if token.type == "th_open":
                titles.append(_plain(state.tokens[number + 1]))
            elif column:
                token.attrSet("data-label", titles[column])
            column += 1


def address_of(target: str, root: str) -> str:
    """Return the address of a link as it stands in a Markdown file of the manual.

    >>> address_of("alerts.md#kinds", "/uptime")
    '/uptime/manual/alerts#kinds'
    >>> address_of("../static/store-day.svg", "")
    '/static/store-day.svg'
    >>> address_of("/docs", "/uptime")
    '/uptime/docs'
    """
    if target.startswith("../static/"):
        return f"{root}{target.removeprefix('..')}"
    if target.startswith("/"):
        return f"{root}{target}"
    path, mark, anchor = target.partition("#")
    if not path.endswith(".md"):
        return target
    name = path.removesuffix(".md")
    return f"{root}/manual{'' if name == INDEX else f'/{name}'}{mark}{anchor}"


def _table_open(*_: object) -> str:
    return (
        '<div class="scroll" tabindex="0" role="group" aria-label="Table">\n<table class="cards">\n'
    )


def _table_close(*_: object) -> str:
    return "</table>\n</div>\n"


def _fence(
    renderer: RendererHTML,
    tokens: Sequence[Token],
    number: int,
    options: OptionsDict,
    env: MutableMapping[str, Any],
) -> str:
    html: str = renderer.fence(tokens, number, options, env)
    return html.replace("<pre>", '<pre tabindex="0">', 1)


def _image(
    renderer: RendererHTML,
    tokens: Sequence[Token],
    number: int,
    options: OptionsDict,
    env: MutableMapping[str, Any],
) -> str:
    html: str = renderer.image(tokens, number, options, env)
    address = escapeHtml(str(tokens[number].attrGet("src")))
    return f'<a class="picture" href="{address}">{html}</a>'
