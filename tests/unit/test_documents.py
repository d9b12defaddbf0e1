"""What README and manual name exists: commands, settings, addresses, files, links."""

import ast
import json
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import pytest
import typer
from fastapi import FastAPI
from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from api_server import NO_DATABASE
from documents import (
    DOCUMENTS,
    MANUAL,
    ROOT,
    Command,
    Link,
    anchors,
    code_spans,
    commands,
    fences,
    languages,
    links,
    name_of,
    tables,
)
from storemon_api.app import create_app
from storemon_api.http import problems
from storemon_api.settings import ApiSettings
from storemon_api.web import manual
from storemon_pipeline.commands.cli import app as command_line
from storemon_pipeline.domain.sources import SETTINGS_FILE
from storemon_pipeline.settings import Settings
from storemon_pipeline.sources.source_settings import parse_source_settings
from storemon_pipeline.webhooks.webhook_settings import WEBHOOKS_FILE, parse_webhook_sources

COMMANDS: Final = [command for document in DOCUMENTS for command in commands(document)]
LINKS: Final = [link for document in DOCUMENTS for link in links(document)]
TEXTS: Final = {name_of(document): document.read_text("utf-8") for document in DOCUMENTS}
MANUAL_TEXT: Final = "\n".join(path.read_text("utf-8") for path in MANUAL.glob("*.md"))
PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text())
FIELDS: Final = {**Settings.model_fields, **ApiSettings.model_fields}
SETTING: Final = re.compile(r"STOREMON_[A-Z_]*[A-Z]")
# Programs of others, in examples of shell blocks.
OTHER_PROGRAMS: Final = {
    *(
        "dagster-celery",
        "git",
        "grep",
        "gzip",
        "mkdir",
        "printf",
        "ray",
        "pre-commit",
        "ruff",
        "mypy",
        "uvicorn",
    ),
}
METHODS: Final = {"get", "post", "put", "patch", "delete"}
# Of curl's options those with a value, as far as the examples use them.
CURL_VALUES: Final = {"-X", "-H", "-d", "--data-binary"}
CURL_FLAGS: Final = {"-s", "-O", "-J"}


def of_program(name: str) -> list[Command]:
    return [command for command in COMMANDS if command.argv and command.argv[0] == name]


@cache
def api() -> FastAPI:
    return create_app(ApiSettings(database_url=SecretStr(NO_DATABASE)), known_keys=())


@cache
def operations() -> dict[tuple[str, str], dict[str, Any]]:
    """What `/openapi.json` describes, by method and path."""
    return {
        (method.upper(), path): operation
        for path, item in api().openapi()["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    }


def matching(method: str, path: str) -> list[tuple[str, str]]:
    """The operations that answer this path, written with or without its parameters' names."""
    return [
        (known, template)
        for known, template in operations()
        if known == method and (template == path or pattern(template).fullmatch(path))
    ]


def pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\{[a-z_]+\\}", "[^/.]+", re.escape(template)))


def leaves(command: Any, names: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:  # noqa: ANN401 - Typer's own type
    """The names of all commands that do something, such as `("keys", "list")`."""
    below = getattr(command, "commands", None)
    if below is None:
        yield names
        return
    for name, child in below.items():
        yield from leaves(child, (*names, name))


def run_through(argv: tuple[str, ...], *, is_mention: bool = False) -> tuple[str, ...]:
    """Parse a command line of storemon without executing it; return the command's names.

    Raises an error where the command or one of its options does not exist, or an argument is
    missing that a mention of the command may leave out.
    """
    command: Any = typer.main.get_command(command_line)
    names: list[str] = []
    words = list(argv)
    while words and words[0] in getattr(command, "commands", {}):
        names.append(words[0])
        command = command.commands[words.pop(0)]
    if words == ["--help"] or (words == ["--version"] and not names):
        return tuple(names)
    if hasattr(command, "commands"):
        raise LookupError(f"No such command: {argv}")
    if words or not is_mention:
        command.make_context(" ".join(names), words)
    return tuple(names)


# Commands


@pytest.mark.parametrize("command", of_program("storemon"), ids=str)
def test_a_line_of_storemon_is_understood_by_the_command_line(command: Command) -> None:
    names = run_through(command.argv[1:], is_mention=command.is_mention)
    assert names or command.argv[1:] in {("--help",), ("--version",)}


def test_a_wrong_line_of_storemon_would_be_noticed() -> None:
    with pytest.raises(Exception, match="No such option"):
        run_through(("up", "--prot", "8000"))
    with pytest.raises(Exception, match="No such command"):
        run_through(("keys", "make"))


def test_the_manual_has_an_example_of_every_command() -> None:
    shown = {
        run_through(command.argv[1:], is_mention=command.is_mention)
        for command in of_program("storemon")
        if command.document.startswith("storemon_api/")
    }
    assert set(leaves(typer.main.get_command(command_line))) - shown == set()


@pytest.mark.parametrize("command", of_program("pip"), ids=str)
def test_an_installation_names_extras_and_files_that_exist(command: Command) -> None:
    assert command.argv[1] == "install"
    for word in command.argv[2:]:
        if extras := re.fullmatch(r"(?:\.|storemon)\[([a-z0-9,]+)\]", word):
            assert set(extras[1].split(",")) <= set(PROJECT["project"]["optional-dependencies"])
        elif word not in {"-c", "-e", "--upgrade", "pre-commit", "tzdata"}:
            assert (ROOT / word).exists()


@pytest.mark.parametrize("command", of_program("pytest"), ids=str)
def test_a_line_of_pytest_names_markers_and_files_that_exist(command: Command) -> None:
    markers = {line.split(":")[0] for line in PROJECT["tool"]["pytest"]["ini_options"]["markers"]}
    words = list(command.argv[1:])
    while words:
        word = words.pop(0)
        if word == "-m":
            assert words.pop(0) in markers
        elif word == "-n":
            assert words.pop(0).isdecimal()
        elif word != "-s":
            assert (ROOT / word).exists()


@pytest.mark.parametrize("command", of_program("python"), ids=str)
def test_a_line_of_benchmarks_names_measurements_and_options_that_exist(command: Command) -> None:
    assert command.variables == (("PYTHONPATH", "tests"),)
    assert command.argv[1:3] == ("-m", "benchmarks")
    source = (ROOT / "tests/benchmarks/__main__.py").read_text()
    lists = re.findall(r"^_(?:\w+_)?KINDS = (\(.*\))$", source, re.MULTILINE)
    kinds = {kind for names in lists for kind in ast.literal_eval(names)}
    words = list(command.argv[3:])
    while words:
        word = words.pop(0)
        if word.startswith("--"):
            assert f'"{word}"' in source
            value = words.pop(0)
            assert value.isdecimal() or (ROOT / value).exists()
        else:
            assert word in kinds


@pytest.mark.parametrize("command", of_program("hatch"), ids=str)
def test_a_line_of_hatch_runs_a_task_that_exists(command: Command) -> None:
    assert command.argv[1] == "run"
    assert command.argv[2] in PROJECT["tool"]["hatch"]["envs"]["default"]["scripts"]


def test_every_other_line_is_of_a_program_that_is_known_here() -> None:
    checked = {"storemon", "curl", "pip", "pytest", "python", "hatch", "dg"}
    unknown = [
        str(command)
        for command in COMMANDS
        if command.argv and command.argv[0] not in checked | OTHER_PROGRAMS
    ]
    assert unknown == []


# Requests


@pytest.mark.parametrize("command", of_program("curl"), ids=str)
def test_a_request_is_one_that_the_api_describes(command: Command) -> None:
    method, address, body = request_of(command)
    assert address.hostname == "localhost"
    found = matching(method, address.path)
    assert found
    operation = operations()[found[0]]
    names = {parameter["name"] for parameter in operation.get("parameters", ())}
    assert set(parse_qs(address.query, strict_parsing=bool(address.query))) <= names
    if body is not None and "json" in str(command):
        assert isinstance(json.loads(body), dict)


def request_of(command: Command) -> tuple[str, Any, str | None]:
    """The method, the address and the body of a line of curl."""
    method, addresses, body = "", [], None
    words = list(command.argv[1:])
    while words:
        word = words.pop(0)
        value = words.pop(0) if word in CURL_VALUES else None
        if word == "-X":
            method = str(value)
        elif word in {"-d", "--data-binary"}:
            body = value
        elif word not in CURL_VALUES | CURL_FLAGS:
            addresses.append(word)
    (address,) = addresses
    return method or ("GET" if body is None else "POST"), urlsplit(f"//{address}"), body


def test_the_manual_mentions_everything_that_the_api_describes() -> None:
    mentioned = {
        operation
        for method, path in re.findall(r"`(GET|POST|PUT|PATCH|DELETE) (/[^`?\s]*)`", MANUAL_TEXT)
        for operation in matching(method, path)
    }
    assert set(operations()) - mentioned == set()


@pytest.mark.parametrize(
    ("method", "path"),
    sorted(set(re.findall(r"`(GET|POST|PUT|PATCH|DELETE) (/[^`?\s]*)", MANUAL_TEXT))),
    ids=" ".join,
)
def test_a_request_in_the_text_is_one_that_the_api_describes(method: str, path: str) -> None:
    assert matching(method, path)


def test_every_kind_of_problem_is_in_the_table_of_errors() -> None:
    kinds = {
        (str(kind.status.value), kind.type.rpartition(":")[2])
        for kind in vars(problems).values()
        if isinstance(kind, problems.ProblemKind)
    }
    (table,) = tables(MANUAL / "api-errors.md")
    assert {(row[0], row[1].strip("`")) for row in table[1:]} == kinds


# Settings


def setting_rows() -> dict[str, list[str]]:
    """The rows of the tables of settings, by variable: its option, default and meaning."""
    rows = {}
    for header, *body in tables(MANUAL / "settings.md"):
        has_option = "Option" in header
        for name, *cells in body:
            rows[name.strip("`")] = cells if has_option else ["", *cells]
    return rows


def test_every_setting_is_in_the_tables_of_settings_and_no_other() -> None:
    assert sorted(setting_rows()) == sorted(f"STOREMON_{name.upper()}" for name in FIELDS)


@pytest.mark.parametrize("document", TEXTS)
def test_a_document_names_only_settings_that_exist(document: str) -> None:
    named = set(SETTING.findall(TEXTS[document]))
    assert named <= {f"STOREMON_{name.upper()}" for name in FIELDS}


@pytest.mark.parametrize("field", FIELDS)
def test_the_default_of_a_setting_is_in_the_table(field: str) -> None:
    written = setting_rows()[f"STOREMON_{field.upper()}"][1]
    default = FIELDS[field].get_default(call_default_factory=True, validated_data={})
    if default is None or default is PydanticUndefined:
        # The table says in words what counts then.
        assert "`" not in written
    elif default is False:
        assert written == "off"
    else:
        value = f"{default:g}" if isinstance(default, float) else str(default)
        assert written == f"`{value}`"


def test_every_option_of_the_service_is_in_the_table_of_settings() -> None:
    up: Any = typer.main.get_command(command_line)
    options = {option for parameter in up.commands["up"].params for option in parameter.opts}
    assert {row[0].strip("`") for row in setting_rows().values()} - {""} == options


# Links, paths and code


@pytest.mark.parametrize("link", LINKS, ids=str)
def test_a_link_leads_somewhere(link: Link) -> None:
    target = urlsplit(link.target)
    if target.scheme:
        assert target.scheme == "https"
    elif target.path.startswith("/"):
        # An address of the running service.
        assert link.document.parent == MANUAL
        assert is_served(target.path)
    else:
        path = (link.document.parent / target.path).resolve() if target.path else link.document
        assert path.is_file()
        assert not target.fragment or target.fragment in anchors(path)
        if link.document.parent == MANUAL:
            # The service shows nothing else.
            assert path.parent in {MANUAL, MANUAL.parent / "static"}


def is_served(path: str) -> bool:
    return any(getattr(route, "path", None) == path for route in api().state.routes)


def test_an_address_of_the_running_service_exists() -> None:
    addresses = re.findall(r"http://localhost:8000(/[^\s`)]*)", "\n".join(TEXTS.values()))
    assert {path for path in addresses if not is_served(path)} == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_a_file_of_the_project_that_is_named_exists(document: Path) -> None:
    named = [
        span
        for span in code_spans(document)
        if re.fullmatch(r"[\w./-]+\.(py|toml|yaml|md|txt)|(storemon_|tests/)[\w/]+", span)
    ]
    places = (ROOT, ROOT / "storemon_pipeline")
    missing = [
        span
        for span in named
        if "schedules_running" not in span
        and span not in {SETTINGS_FILE, WEBHOOKS_FILE}
        and not any((at / span).exists() for at in places)
    ]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_blocks_of_code_can_be_read(document: Path) -> None:
    assert set(languages(document)) <= {"sh", "json", "yaml", "toml", "python", "sql", "text"}
    for block in fences(document, "json"):
        json.loads(block)
    for block in fences(document, "python"):
        ast.parse(block)
    parse = parse_webhook_sources if document.stem == "webhooks" else parse_source_settings
    for block in fences(document, "toml"):
        assert parse(block)


# The manual as a whole


def test_every_page_of_the_manual_is_in_its_list_of_pages() -> None:
    assert sorted(manual.NAMES) == sorted(path.stem for path in MANUAL.glob("*.md"))


def test_every_page_of_the_manual_begins_with_its_only_title() -> None:
    titles = {name: [s.level for s in manual.page(name).sections] for name in manual.NAMES}
    assert {name for name, levels in titles.items() if levels[0] != 1 or 1 in levels[1:]} == set()


def test_the_rooms_of_the_developers_page_are_those_of_the_code() -> None:
    rooms = {
        str(file.parent.relative_to(ROOT)): (
            ast.get_docstring(ast.parse(file.read_text())) or ""
        ).splitlines()[0]
        for package in ("storemon_pipeline", "storemon_api")
        for file in (ROOT / package).glob("*/__init__.py")
    }
    described = {
        row[0].strip("`"): row[1]
        for table in tables(MANUAL / "developing.md")
        for row in table[1:]
        if table[0][0] == "Folder" and row[0].startswith("`storemon_")
    }
    assert described == rooms


def test_the_index_of_the_manual_leads_to_every_page() -> None:
    named = {link.target.partition("#")[0] for link in links(MANUAL / "index.md")}
    pages = {f"{name}.md" for name in manual.NAMES if name != manual.INDEX}
    assert pages - named == set()
