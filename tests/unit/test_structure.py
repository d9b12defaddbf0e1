"""Who may import whom, and what a module must have, read from the source of every module."""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("storemon_pipeline", "storemon_api")

MAY_IMPORT = {
    "storemon_pipeline.contract": set(),
    "storemon_pipeline.access": set(),
    "storemon_pipeline.settings": set(),
    "storemon_pipeline.sample_data": set(),
    "storemon_pipeline.dagster_graphql": {"contract"},
    "storemon_pipeline.uptime": {"uptime"},
    "storemon_pipeline.alerts": {"alerts", "uptime"},
    "storemon_pipeline.ingest": {"ingest", "uptime"},
    "storemon_pipeline.exports": {"exports", "uptime"},
    "storemon_pipeline.storage": {"storage", "ingest", "alerts", "uptime", "access"},
    "storemon_pipeline.operations": {
        "operations",
        "alerts",
        "exports",
        "storage",
        "ingest",
        "uptime",
        "access",
    },
    "storemon_pipeline.defs": {
        "defs",
        "alerts",
        "operations",
        "exports",
        "storage",
        "ingest",
        "uptime",
        "contract",
        "settings",
    },
    "storemon_pipeline.definitions": {"defs", "settings"},
    "storemon_pipeline.service": {
        "service",
        "alerts",
        "operations",
        "storage",
        "ingest",
        "access",
        "contract",
        "settings",
        "dagster_graphql",
    },
    "storemon_pipeline.cli": {
        "service",
        "alerts",
        "operations",
        "storage",
        "access",
        "settings",
        "sample_data",
        "dagster_graphql",
    },
    # Never `defs`: the API is not to load Dagster.
    "storemon_api": {
        "operations",
        "alerts",
        "exports",
        "storage",
        "ingest",
        "uptime",
        "access",
        "contract",
        "dagster_graphql",
    },
}
"""The parts of `storemon_pipeline` that each part may import."""

EXCEPTIONS = {
    # The process that is forked for each run loads what the run will need.
    ("storemon_pipeline.defs.run_starter", "storemon_pipeline.definitions"),
}

ONLY_IN = {
    "apprise": ("storemon_pipeline.operations.deliver_alerts",),
    "dagster": ("storemon_pipeline.definitions", "storemon_pipeline.defs"),
    "dagster_graphql": (),
    "dagster_postgres": (),
    "dagster_webserver": (),
    "fastapi": ("storemon_api",),
    "starlette": ("storemon_api",),
    "adbc_driver_postgresql": ("storemon_pipeline.storage",),
    "alembic": ("storemon_pipeline.storage", "storemon_pipeline.service.databases"),
    # The supervisor asks its own server whether it answers.
    "psycopg": ("storemon_pipeline.storage", "storemon_pipeline.service.postgres"),
    "psycopg2": (),
    "typer": ("storemon_pipeline.cli", "storemon_pipeline.service"),
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
"""What may be used of a database package outside `storage`: nothing that makes a statement."""

PURE = {
    "bisect",
    "collections",
    "dataclasses",
    "datetime",
    "decimal",
    "enum",
    "fractions",
    "functools",
    "itertools",
    "math",
    "numpy",
    "re",
    "typing",
    "urllib",
    "zoneinfo",
}
"""What the engine may import beside itself: nothing that knows a clock, an environment or files."""

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


MODULES = [module for package in PACKAGES for module in modules_below(package)]
TESTS = modules_below("tests")


def part_of(name: str) -> str:
    """The part of the project that a module belongs to."""
    first, *rest = name.split(".")
    return first if first == "storemon_api" or not rest else f"{first}.{rest[0]}"


def test_there_are_modules_of_every_part() -> None:
    assert {part_of(module.name) for module in MODULES} - {"storemon_pipeline"} == set(MAY_IMPORT)
    assert len(TESTS) > 20


def test_imports_are_absolute() -> None:
    relative = [
        f"{module.name} imports {imported}"
        for module in (*MODULES, *TESTS)
        for imported in module.imports
        if imported.startswith(".")
    ]
    assert relative == []


def test_imports_of_our_own_run_one_way() -> None:
    violations = [
        f"{module.name} imports {imported}"
        for module in MODULES
        for imported in module.imports
        if imported.split(".")[0] in PACKAGES
        and (module.name, imported) not in EXCEPTIONS
        and not (module.is_in("storemon_api") and part_of(imported) == "storemon_api")
        and part_of(imported).removeprefix("storemon_pipeline.")
        not in MAY_IMPORT[part_of(module.name)]
    ]
    assert violations == []


@pytest.mark.parametrize(("package", "parts"), ONLY_IN.items(), ids=ONLY_IN.keys())
def test_packages_are_imported_in_their_part_alone(package: str, parts: tuple[str, ...]) -> None:
    violations = [
        f"{module.name} imports {imported}"
        for module in MODULES
        for imported in module.imports
        if imported.split(".")[0] == package and not module.is_in(*parts)
    ]
    assert violations == []


@pytest.mark.parametrize("package", TYPES_AND_ERRORS)
def test_outside_storage_only_types_and_errors_of_a_database_package_are_used(
    package: str,
) -> None:
    allowed = TYPES_AND_ERRORS[package]
    violations = [
        f"{module.name} uses {package}.{used}"
        for module in MODULES
        if not module.is_in("storemon_pipeline.storage")
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


def test_the_engine_knows_no_clock_environment_or_file() -> None:
    violations = []
    for module in MODULES:
        if not module.is_in("storemon_pipeline.uptime", "storemon_pipeline.alerts"):
            continue
        violations += [
            f"{module.name} imports {imported}"
            for imported in module.imports
            if not imported.startswith(("storemon_pipeline.uptime.", "storemon_pipeline.alerts."))
            and imported.split(".")[0] not in PURE
        ]
        violations += [
            f"{module.name} calls {ast.unparse(node.func)}"
            for node in ast.walk(module.tree)
            if isinstance(node, ast.Call)
            and ast.unparse(node.func).split(".")[-1] in {"now", "utcnow", "today", "open", "print"}
        ]
    assert violations == []


def test_dagsters_inner_modules_are_used_by_the_run_launcher_alone() -> None:
    users = {
        module.name
        for module in MODULES
        for imported in module.imports
        if imported.startswith("dagster._")
    }
    assert users <= {"storemon_pipeline.defs.run_launcher"}


def test_assets_keep_annotations_that_dagster_can_read() -> None:
    users = [
        module.name
        for module in MODULES
        if module.is_in("storemon_pipeline.definitions", "storemon_pipeline.defs")
        and "__future__" in module.imports
    ]
    assert users == []


def test_the_references_share_no_code_with_the_product() -> None:
    references = [module for module in TESTS if module.path.stem.startswith("oracle")]
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
    names = {module.path.stem for module in TESTS} | {"tests", "pytest", "hypothesis"}
    violations = [
        f"{module.name} imports {imported}"
        for module in MODULES
        for imported in module.imports
        if imported.split(".")[0] in names
    ]
    assert violations == []


def test_every_module_says_what_belongs_in_it() -> None:
    silent = [
        module.name
        for module in (*MODULES, *TESTS)
        if not ast.get_docstring(module.tree) and module.tree.body
    ]
    assert silent == []


def test_packages_hold_nothing_but_a_docstring() -> None:
    full = [
        module.name
        for module in (*MODULES, *TESTS)
        if module.path.name == "__init__.py"
        and module.tree.body[bool(ast.get_docstring(module.tree)) :]
    ]
    assert full == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    vague = [
        module.name
        for module in (*MODULES, *TESTS)
        if VAGUE & {word for part in module.name.split(".") for word in (part, *part.split("_"))}
    ]
    assert vague == []
