"""What tests share: one PostgreSQL server, and an empty migrated database for each test."""

import importlib
import os
import signal
import sys
import uuid
import zoneinfo
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher
from upath import UPath

from databases import Databases
from storemon_pipeline.access import passwords
from storemon_pipeline.database.connections import create_engine
from storemon_pipeline.host.embedded_postgres import embedded_postgres

# The server's data need not outlive a power cut. No test lasts until a vacuum is due.
SERVER_SETTINGS: Final = {
    "autovacuum": "off",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "64MB",
}

LONGEST_FILES: Final = ("test_pages.py", "test_service.py", "test_page_addresses.py")
NEXT_FILES: Final = ("test_service_supervisor.py",)

# The tests' own zones follow the same rules as the product's, not those of the machine.
zoneinfo.reset_tzpath(())

# Compiled files are kept, also where the environment says not to: a run starts a hundred processes.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_configure() -> None:
    """Let the processes that tests start be ended, also when the tests run in the background.

    There a shell has SIGINT ignored; Dagster does with SIGTERM what is done with SIGINT, and
    children inherit what is ignored.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Import a share of the test files before the others, so that each is compiled only once.

    The processes that the files are shared out to collect all of them, in the same order. With
    its assertions rewritten, compiling a file takes longer than importing it.
    """
    worker = getattr(session.config, "workerinput", None)
    if worker is None:
        return
    paths = [Path(argument.partition("::")[0]) for argument in session.config.args]
    files = sorted(file for path in paths for file in path.rglob("test_*.py"))
    number = int(worker["workerid"].removeprefix("gw"))
    for file in files[number :: worker["workercount"]]:
        sys.path.insert(0, str(file.parent))
        # Collecting it reports what keeps it from being imported.
        with suppress(Exception, pytest.skip.Exception):
            importlib.import_module(file.stem)
        sys.path.pop(0)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that no process is left alone with one of them.

    The tests of pages follow each other, so that they can share a browser.

    Let a test of services, their processes and browsers run a second time when it fails. The
    summary names it as rerun. It fails when it fails twice; what fails once is a race to find.
    """
    services = Path(__file__).parent / "e2e"

    def place(item: pytest.Item) -> int:
        if item.path.name in LONGEST_FILES:
            return LONGEST_FILES.index(item.path.name)
        if item.path.is_relative_to(services):
            return len(LONGEST_FILES)
        return len(LONGEST_FILES) + (1 if item.path.name in NEXT_FILES else 2)

    items.sort(key=place)
    for item in items:
        is_of_service = item.path.is_relative_to(services) or item.path.name.startswith(
            "test_service_"
        )
        if is_of_service and not item.get_closest_marker("fault"):
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture
def memory() -> Iterator[UPath]:
    """An empty folder that is no local one."""
    root = UPath(f"memory://{uuid.uuid4().hex}")
    root.mkdir(parents=True)
    yield root
    root.fs.rm(root.path, recursive=True)


@pytest.fixture(scope="module", autouse=True)
def quick_password_hashes() -> Iterator[None]:
    """Hash passwords with the least work; their own tests are about the real hashes."""
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_hasher", lambda: hasher)
        passwords._hash_of_nobody.cache_clear()
        yield
    passwords._hash_of_nobody.cache_clear()


@pytest.fixture(scope="session")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a PostgreSQL server for this test session."""
    home: Path = tmp_path_factory.mktemp("server")
    with embedded_postgres(home, settings=SERVER_SETTINGS) as server:
        yield server.url


@pytest.fixture(scope="session")
def databases(server_url: str) -> Databases:
    """Give the databases of the session's server."""
    return Databases(server_url)


@pytest.fixture
def database_url(databases: Databases) -> Iterator[str]:
    """The URL of a database with all tables and no rows."""
    with databases.taken() as url:
        yield url


@pytest.fixture
def other_database_url(databases: Databases) -> Iterator[str]:
    """As `database_url`, for a test that compares two."""
    with databases.taken() as url:
        yield url


@pytest.fixture(scope="module")
def module_database_url(databases: Databases) -> Iterator[str]:
    """The URL of a database that all tests of a module share."""
    with databases.taken() as url:
        yield url


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    """An engine on the test's database."""
    engine = create_engine(database_url, application_name="test", pool_size=2)
    yield engine
    engine.dispose()
