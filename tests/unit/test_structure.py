"""Which module may import which, and what each module must have, read from their source."""

import ast
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("storemon_pipeline", "storemon_api")

PIPELINE_ROOMS = (
    # Types and pure computation.
    "domain",
    "business_time",
    "uptime",
    "likelihood",
    # Data: each room owns its tables, and the statements over them.
    "database",
    "access",
    "files",
    "loads",
    "stores",
    "lake_files",
    "polls",
    "channels",
    "corrections",
    "events",
    "hours_formats",
    "schedules",
    "objectives",
    "demand",
    # What is made of the data.
    "figures",
    "fleet_days",
    "poll_plan",
    "views",
    "checks",
    "reports",
    "sources",
    "statements",
    "ingestion",
    "webhooks",
    "alerts",
    "sent_statements",
    "invitations",
    "dispute_packs",
    "lake",
    "retention",
    # Processes: the command line, the service, Dagster.
    "contract",
    "dagster_graphql",
    "settings",
    "sample_data",
    "host",
    "service",
    "commands",
    "defs",
    "definitions",
    "launching",
)
"""The rooms of the pipeline. A room imports only rooms that stand before it."""

API_ROOMS = (
    "settings",
    "http",
    "downloads",
    "security",
    "live",
    "sales",
    "stores",
    "fleet",
    "polls",
    "alerts",
    "loads",
    "events",
    "corrections",
    "reports",
    "statements",
    "operations",
    "web",
    "sign_in",
    "openapi_document",
    "app",
    "dagster_ui",
)
"""The rooms of the API. A room imports only rooms that stand before it, and the pipeline's."""

API_MAY_NOT_IMPORT = {
    "settings",
    "sample_data",
    "host",
    "service",
    "commands",
    "defs",
    "definitions",
    "launching",
}
"""Rooms of the pipeline that the API never loads: Dagster, the supervisor, the command line."""

NOT_FOR_ASSETS = {"host", "service", "commands", "dagster_graphql", "sample_data"}
"""Rooms that no Dagster asset loads."""

MOST_MODULES = 13
"""A folder with more modules is two rooms."""

ONLY_IN = {
    "apprise": ("storemon_pipeline.alerts.deliver",),
    "authlib": ("storemon_api.sign_in.provider",),
    "joserfc": ("storemon_api.sign_in.provider",),
    "argon2": ("storemon_pipeline.access.passwords",),
    "dagster": (
        "storemon_pipeline.definitions",
        "storemon_pipeline.defs",
        "storemon_pipeline.launching",
    ),
    "dagster_graphql": (),
    "dagster_postgres": ("storemon_pipeline.launching",),
    "dagster_webserver": ("storemon_api.dagster_ui",),
    "fastapi": ("storemon_api",),
    "starlette": ("storemon_api",),
    "adbc_driver_postgresql": ("storemon_pipeline.database",),
    "alembic": ("storemon_pipeline.database", "storemon_pipeline.service.databases"),
    # The supervisor asks its own server whether it answers.
    "psycopg": ("storemon_pipeline.database", "storemon_pipeline.host.embedded_postgres"),
    "psycopg2": (),
    "typer": ("storemon_pipeline.commands",),
    "tzdata": ("storemon_pipeline.business_time.zones",),
    # Elsewhere it would read the rules of the machine.
    "zoneinfo": ("storemon_pipeline.business_time.zones",),
}
"""Where each package may be imported."""

TYPES_AND_ERRORS = {
    "sqlalchemy": {"Engine", "Connection", "exc", "make_url", "engine"},
    "adbc_driver_manager": {
        "Error",
        "OperationalError",
        "InterfaceError",
        "InternalError",
        "IntegrityError",
        "DataError",
        "ProgrammingError",
    },
}
"""What other rooms may use of a database package: nothing that makes a statement."""

DATA_ROOMS = PIPELINE_ROOMS[PIPELINE_ROOMS.index("database") : PIPELINE_ROOMS.index("contract")]
"""The rooms that talk to the database."""

PURE = {
    "bisect",
    "collections",
    "dataclasses",
    "datetime",
    "decimal",
    "enum",
    "fractions",
    "functools",
    "importlib",
    "io",
    "itertools",
    "math",
    "numpy",
    "re",
    "typing",
    "tzdata",
    "urllib",
    "zoneinfo",
}
"""What the engine may import beside itself: nothing that knows a clock, an environment or files.

The rules of zones come from a package, read as its resources.
"""

PURE_MODULES = (
    "storemon_pipeline.domain.amounts",
    "storemon_pipeline.domain.counts",
    "storemon_pipeline.domain.shares",
    "storemon_pipeline.domain.text_directions",
    "storemon_pipeline.domain.windows",
    "storemon_pipeline.domain.sources",
    "storemon_pipeline.business_time",
    "storemon_pipeline.uptime",
    "storemon_pipeline.likelihood",
    "storemon_pipeline.demand.expected_sales",
    "storemon_pipeline.demand.learned_rates",
    "storemon_pipeline.demand.money",
    "storemon_pipeline.objectives.budgets",
    "storemon_pipeline.objectives.precedence",
    "storemon_pipeline.alerts.budget_conditions",
    "storemon_pipeline.alerts.conditions",
    "storemon_pipeline.alerts.messages",
    "storemon_pipeline.alerts.targets",
    "storemon_pipeline.alerts.transitions",
)
"""Rooms and modules without clock, environment, files and database."""

VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "shared", "tools", "core", "base"}


@dataclass(frozen=True, slots=True)
class Module:
    """A module's source, parsed; `imports` are all, wherever they stand in its code."""

    name: str
    path: Path
    tree: ast.Module
    imports: frozenset[str]

    def is_in(self, *parts: str) -> bool:
        return any(self.name == part or self.name.startswith(f"{part}.") for part in parts)


def imports_of(tree: ast.Module) -> Iterator[str]:
    """Every module that is imported; what is imported from a package counts as a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            if module in PACKAGES:
                yield from (f"{module}.{alias.name}" for alias in node.names)
            else:
                yield module


def modules_below(folder: str) -> list[Module]:
    modules = []
    for path in sorted((ROOT / folder).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        tree = ast.parse(path.read_text("utf-8"))
        modules.append(Module(name, path, tree, frozenset(imports_of(tree))))
    return modules


@cache
def all_modules() -> list[Module]:
    return [module for package in PACKAGES for module in modules_below(package)]


@cache
def modules_of_tests() -> list[Module]:
    return modules_below("tests")


def room_of(name: str) -> tuple[str, str]:
    """The package and the room that a module belongs to; a module beside the rooms is one."""
    package, *rest = name.split(".")
    return package, rest[0] if rest else ""


def test_every_room_is_listed() -> None:
    rooms = {
        room_of(module.name) for module in all_modules() if module.path.parent != ROOT / module.name
    }
    listed = {("storemon_pipeline", room) for room in PIPELINE_ROOMS}
    listed |= {("storemon_api", room) for room in API_ROOMS}
    assert rooms - {(package, "") for package in PACKAGES} == listed
    assert len(modules_of_tests()) > 20


def test_imports_are_absolute() -> None:
    relative = [
        f"{module.name} imports {imported}"
        for module in (*all_modules(), *modules_of_tests())
        for imported in module.imports
        if imported.startswith(".")
    ]
    assert relative == []


@pytest.mark.parametrize(
    ("package", "rooms"),
    [("storemon_pipeline", PIPELINE_ROOMS), ("storemon_api", API_ROOMS)],
    ids=PACKAGES,
)
def test_a_room_imports_only_rooms_that_stand_before_it(
    package: str, rooms: tuple[str, ...]
) -> None:
    place = {room: number for number, room in enumerate(rooms)}
    violations = [
        f"{module.name} imports {imported}"
        for module in all_modules()
        for imported in module.imports
        if room_of(module.name)[0] == room_of(imported)[0] == package
        and room_of(module.name)[1]
        and place[room_of(imported)[1]] > place[room_of(module.name)[1]]
    ]
    assert violations == []


def test_the_pipeline_imports_nothing_of_the_api() -> None:
    violations = [
        f"{module.name} imports {imported}"
        for module in all_modules()
        for imported in module.imports
        if module.is_in("storemon_pipeline") and room_of(imported)[0] == "storemon_api"
    ]
    assert violations == []


@pytest.mark.parametrize(
    ("parts", "unwanted"),
    [
        (("storemon_api",), API_MAY_NOT_IMPORT),
        (("storemon_pipeline.defs", "storemon_pipeline.definitions"), NOT_FOR_ASSETS),
    ],
    ids=["api", "assets"],
)
def test_the_api_and_the_assets_load_no_other_process(
    parts: tuple[str, ...], unwanted: set[str]
) -> None:
    violations = [
        f"{module.name} imports {imported}"
        for module in all_modules()
        if module.is_in(*parts)
        for imported in module.imports
        if room_of(imported)[0] == "storemon_pipeline" and room_of(imported)[1] in unwanted
    ]
    assert violations == []


def test_no_folder_has_more_modules_than_one_can_keep_in_mind() -> None:
    modules = Counter(
        module.path.parent
        for module in all_modules()
        if module.path.name != "__init__.py" and module.path.parent.name != "versions"
    )
    assert {str(folder): count for folder, count in modules.items() if count > MOST_MODULES} == {}


@pytest.mark.parametrize(("package", "parts"), ONLY_IN.items(), ids=ONLY_IN.keys())
def test_packages_are_imported_in_their_part_alone(package: str, parts: tuple[str, ...]) -> None:
    violations = [
        f"{module.name} imports {imported}"
        for module in all_modules()
        for imported in module.imports
        if imported.split(".")[0] == package and not module.is_in(*parts)
    ]
    assert violations == []


@pytest.mark.parametrize("package", TYPES_AND_ERRORS)
def test_outside_the_data_rooms_only_types_and_errors_of_a_database_package_are_used(
    package: str,
) -> None:
    allowed = TYPES_AND_ERRORS[package]
    violations = [
        f"{module.name} uses {package}.{used}"
        for module in all_modules()
        if not module.is_in(*(f"storemon_pipeline.{room}" for room in DATA_ROOMS))
        for used in used_of(module, package)
        if used not in allowed
    ]
    assert violations == []


def used_of(module: Module, package: str) -> set[str]:
    """The names of a package that a module uses, however it imports the package."""
    aliases = set()
    used = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name == package:
                    aliases.add(alias.asname or alias.name)
                elif alias.name.startswith(f"{package}."):
                    used.add(alias.name.split(".")[1])
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            if node.module == package:
                used |= {alias.name for alias in node.names}
            elif node.module.startswith(f"{package}."):
                used.add(node.module.split(".")[1])
    return used | {
        node.attr
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in aliases
    }


def parameters(function: ast.FunctionDef) -> set[str]:
    return {argument.arg for argument in (*function.args.args, *function.args.kwonlyargs)}


def functions_of(module: Module) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(module.tree) if isinstance(node, ast.FunctionDef)]


OPENS_TRANSACTIONS = {"url", "engine"}
IN_A_TRANSACTION = {"bulk", "connection"}
STATES_SQL = {"execute", "fetch", "scalar", "scalars", "stage", "append"}
STATEMENTS_AND_CONNECTIONS = (
    "storemon_pipeline.database",
    # Its lock lives on a connection of its own.
    "storemon_pipeline.loads.refresh_lock",
)


def test_a_function_opens_a_transaction_or_works_in_its_callers() -> None:
    violations = [
        f"{module.name}.{function.name}"
        for module in all_modules()
        for function in functions_of(module)
        if parameters(function) & OPENS_TRANSACTIONS and parameters(function) & IN_A_TRANSACTION
    ]
    assert violations == []


def test_an_operation_leaves_its_sql_to_modules_of_statements() -> None:
    operations = [
        module
        for module in all_modules()
        if module.is_in(*(f"storemon_pipeline.{room}" for room in DATA_ROOMS))
        and not module.is_in(*STATEMENTS_AND_CONNECTIONS)
        and any(parameters(function) & OPENS_TRANSACTIONS for function in functions_of(module))
    ]
    assert len(operations) > 10
    violations = [
        f"{module.name}:{node.lineno}"
        for module in operations
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in STATES_SQL
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in IN_A_TRANSACTION
    ]
    assert violations == []


def test_the_api_the_assets_and_the_commands_write_through_operations_alone() -> None:
    violations = [
        f"{module.name}:{node.lineno}"
        for module in all_modules()
        if not module.is_in(*(f"storemon_pipeline.{room}" for room in DATA_ROOMS))
        # Everything that it writes must go with the lock of its session.
        and module.name != "storemon_api.reports.report_dispatcher"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and (
            (isinstance(node.func, ast.Attribute) and node.func.attr == "begin")
            or any(keyword.arg == "is_writing_polls" for keyword in node.keywords)
        )
    ]
    assert violations == []


def test_the_engine_uses_no_clock_environment_or_file() -> None:
    violations = []
    for module in all_modules():
        if not module.is_in(*PURE_MODULES):
            continue
        violations += [
            f"{module.name} imports {imported}"
            for imported in module.imports
            if not imported.startswith(PURE_MODULES) and imported.split(".")[0] not in PURE
        ]
        violations += [
            f"{module.name} calls {ast.unparse(node.func)}"
            for node in ast.walk(module.tree)
            if isinstance(node, ast.Call)
            and ast.unparse(node.func).split(".")[-1] in {"now", "utcnow", "today", "open", "print"}
        ]
    assert violations == []


def test_private_modules_of_dagster_are_used_in_one_file() -> None:
    users = {
        module.name
        for module in all_modules()
        for imported in module.imports
        if imported.startswith("dagster._")
    }
    assert users == {"storemon_pipeline.launching.dagster_internals"}


def test_assets_keep_annotations_that_dagster_can_read() -> None:
    users = [
        module.name
        for module in all_modules()
        if module.is_in("storemon_pipeline.definitions", "storemon_pipeline.defs")
        and "__future__" in module.imports
    ]
    assert users == []


def test_the_references_share_no_code_with_the_product() -> None:
    references = [module for module in modules_of_tests() if module.path.stem.startswith("oracle")]
    assert references
    violations = [
        f"{module.name} imports {imported}"
        for module in references
        for imported in module.imports
        if imported.split(".")[0] not in sys.stdlib_module_names
        and not imported.startswith("oracle")
    ]
    assert violations == []


def test_the_product_imports_no_tests() -> None:
    names = {module.path.stem for module in modules_of_tests()} | {"tests", "pytest", "hypothesis"}
    violations = [
        f"{module.name} imports {imported}"
        for module in all_modules()
        for imported in module.imports
        if imported.split(".")[0] in names
    ]
    assert violations == []


def test_every_module_says_what_belongs_in_it() -> None:
    silent = [
        module.name
        for module in (*all_modules(), *modules_of_tests())
        if not ast.get_docstring(module.tree) and module.tree.body
    ]
    assert silent == []


def test_packages_hold_nothing_but_a_docstring() -> None:
    full = [
        module.name
        for module in (*all_modules(), *modules_of_tests())
        if module.path.name == "__init__.py"
        and module.tree.body[bool(ast.get_docstring(module.tree)) :]
    ]
    assert full == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    vague = [
        module.name
        for module in (*all_modules(), *modules_of_tests())
        if VAGUE & {word for part in module.name.split(".") for word in (part, *part.split("_"))}
    ]
    assert vague == []
