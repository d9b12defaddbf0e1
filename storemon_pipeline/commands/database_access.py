"""Access to the database of a home from a command, whether the service runs or not."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from storemon_pipeline.host.embedded_postgres import EmbeddedPostgres
from storemon_pipeline.host.errors import HomeLockedError, StartError
from storemon_pipeline.host.home import Home, locked
from storemon_pipeline.service.databases import (
    bring_to_newest_schema,
    check_database_url,
    make_databases,
)
from storemon_pipeline.settings import Settings


@contextmanager
def reachable_database(settings: Settings) -> Iterator[str]:
    """Yield the URL of the database, which exists and has the newest schema.

    Raises ServiceError when the database cannot be reached.
    """
    with database_as_it_is(settings) as url:
        make_databases(url)
        bring_to_newest_schema(url)
        yield url


@contextmanager
def database_as_it_is(settings: Settings) -> Iterator[str]:
    """Yield the URL of the database, whatever is in it.

    When no service runs on the home, its embedded database is started for the time of the block.
    Raises ServiceError when the database cannot be reached.
    """
    if settings.database_url is not None:
        check_database_url(settings.database_url)
        yield settings.database_url
        return
    server = EmbeddedPostgres(settings.home)
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(Home(settings.home.resolve())))
        except HomeLockedError as held:
            if not server.accepts_connections():
                raise StartError(
                    "The service that uses this home has no database connection at the moment: "
                    "try again when it is ready."
                ) from held
        else:
            stack.callback(server.stop)
            server.start()
        yield server.url
