"""What all commands share: options, settings, the database, errors as one line, progress.

What a command needs is imported inside it, so that `storemon --help` answers at once.
"""

# ruff: noqa: PLC0415 - see above

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from storemon_pipeline.host.errors import (
    HomeError,
    PostgresError,
    ServiceError,
    StartError,
)

if TYPE_CHECKING:
    from storemon_pipeline.settings import Settings

EXIT_FAILED = 1
EXIT_NOT_STARTED = 2

HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home",
        envvar="STOREMON_HOME",
        help="Folder of the embedded database, logs and Dagster's files.",
        show_default=".storemon",
    ),
]
DataOption = Annotated[
    str | None,
    typer.Option(
        "--data",
        envvar="STOREMON_DATA",
        help="Folder with the sources' files: a path, or a URL such as s3://bucket/folder.",
        show_default="data",
    ),
]
HostOption = Annotated[
    str | None,
    typer.Option(
        "--host",
        envvar="STOREMON_HOST",
        help="Address of the API.",
        show_default="127.0.0.1",
    ),
]
PortOption = Annotated[
    int | None,
    typer.Option(
        "--port",
        envvar="STOREMON_PORT",
        min=1,
        max=65_535,
        help="Port of the API.",
        show_default="8000",
    ),
]
DagsterPortOption = Annotated[
    int | None,
    typer.Option(
        "--dagster-port",
        envvar="STOREMON_DAGSTER_PORT",
        min=1,
        max=65_535,
        help="Port of Dagster's webserver, which listens on 127.0.0.1 alone.",
        show_default="3000",
    ),
]
DatabaseUrlOption = Annotated[
    str | None,
    typer.Option(
        "--database-url",
        envvar="STOREMON_DATABASE_URL",
        show_envvar=True,
        help="PostgreSQL server to use, postgresql://user:password@host/name.",
        show_default="an embedded one in the home",
    ),
]


def build_settings(**given: Any) -> "Settings":  # noqa: ANN401 - one type per option
    """Return the settings: options first, then the environment, then the defaults."""
    from pydantic import ValidationError

    from storemon_pipeline.settings import Settings

    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        why = first["msg"].removeprefix("Value error, ")
        if not first["loc"]:
            # It is about several settings.
            raise StartError(f"{why}.") from error
        name = str(first["loc"][0])
        raise StartError(f"The setting STOREMON_{name.upper()} is not valid: {why}.") from error


@contextmanager
def open_database(home: Path | None, database_url: str | None) -> Iterator[str]:
    """Yield the URL of the service's database, whether the service runs or not."""
    import adbc_driver_manager

    from storemon_pipeline.commands.database_access import reachable_database

    try:
        with reachable_database(build_settings(home=home, database_url=database_url)) as url:
            yield url
    except adbc_driver_manager.OperationalError as error:
        raise ServiceError(f"The database cannot be used: {error}") from error


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Print an expected error as one line and exit; on Ctrl-C exit quietly."""
    try:
        yield
    except ServiceError as error:
        is_start = isinstance(error, StartError | HomeError | PostgresError)
        _fail(str(error), EXIT_NOT_STARTED if is_start else EXIT_FAILED)
    except KeyboardInterrupt:
        _fail("Interrupted.", 130)


def _fail(message: str, status: int) -> NoReturn:
    typer.echo(f"storemon: {message}", err=True)
    raise typer.Exit(status)


@contextmanager
def show_progress(name: str) -> Iterator[Callable[[str], None]]:
    """Show progress on standard error: in place on a terminal, elsewhere as a few lines."""
    from rich.console import Console

    from storemon_pipeline.service.status_display import ComponentState, StatusDisplay

    with StatusDisplay(Console(stderr=True, highlight=False, soft_wrap=True)) as display:
        yield lambda note: display.component(name, ComponentState.WORKING, note)
