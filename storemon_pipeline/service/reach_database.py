"""Reaching the database of a home from a command, whether the service runs on it or not."""

from collections.abc import Iterator
from contextlib import contextmanager

from storemon_pipeline.service.databases import (
    bring_to_newest_schema,
    check_database_url,
    make_databases,
)
from storemon_pipeline.service.errors import HomeLockedError, StartError
from storemon_pipeline.service.home import Home, locked
from storemon_pipeline.service.postgres import EmbeddedPostgres
from storemon_pipeline.settings import Settings


@contextmanager
def reachable_database(settings: Settings) -> Iterator[str]:
    """Yield the URL of the database, with the newest schema.

    Without a service that runs on the home, its embedded database is started for the time of the
    block. Raises ServiceError when there is no way to the database.
    """
    if settings.database_url is not None:
        check_database_url(settings.database_url)
        make_databases(settings.database_url)
        bring_to_newest_schema(settings.database_url)
        yield settings.database_url
        return
    server = EmbeddedPostgres(settings.home)
    try:
        with locked(Home(settings.home.resolve())):
            server.start()
            try:
                make_databases(server.url)
                bring_to_newest_schema(server.url)
                yield server.url
            finally:
                server.stop()
    except HomeLockedError as held:
        # The service has migrated it, or does so now.
        if not server.accepts_connections():
            raise StartError(
                "The service that holds this home has no database to talk to at the moment: "
                "try again when it is ready."
            ) from held
        yield server.url
