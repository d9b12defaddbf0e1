"""Runs only the database, for a `dagster dev` started by hand."""

import shlex
import time
from contextlib import ExitStack
from pathlib import Path

from storemon_pipeline.host.embedded_postgres import EmbeddedPostgres
from storemon_pipeline.host.errors import GaveUpError
from storemon_pipeline.host.home import Home, locked
from storemon_pipeline.host.orphans import end_orphans
from storemon_pipeline.host.signals import StopRequests
from storemon_pipeline.service.dagster_home import (
    INSTANCE_FILE,
    WORKSPACE_FILE,
    packaged_file,
    prepare_dagster_home,
)
from storemon_pipeline.service.databases import (
    bring_to_newest_schema,
    check_database_url,
    make_databases,
)
from storemon_pipeline.service.processes import shared_environment
from storemon_pipeline.service.status_display import ComponentState, StatusDisplay
from storemon_pipeline.settings import Settings

_POLL_SECONDS = 0.2
_PART = "database"


def run_database(settings: Settings, display: StatusDisplay, stop: StopRequests) -> None:
    """Run the embedded database until a signal comes, having printed how to use it.

    With a database of one's own there is nothing to run: the lines are printed and that is all.
    """
    home = Home(settings.home)
    with locked(home), ExitStack() as at_end:
        end_orphans(home.path)
        url = settings.database_url
        server: EmbeddedPostgres | None = None
        if url is None:
            display.component(_PART, ComponentState.STARTING)
            server = EmbeddedPostgres(home.path)
            at_end.callback(server.stop)
            server.start()
            url = server.url
        check_database_url(url)
        dagster_database_url = make_databases(url)
        bring_to_newest_schema(url)
        prepare_dagster_home(home)
        display.component(
            _PART, ComponentState.READY, f"in {home.postgres}" if server else "as given"
        )
        display.text(_instructions(settings, url, dagster_database_url))
        if server is None:
            return
        display.text(["", "Press Ctrl-C to stop the database."])
        while not stop.count:
            if server.process.poll() is not None:
                raise GaveUpError(f"The database has ended; see {home.logs / 'postgres.log'}.")
            time.sleep(_POLL_SECONDS)
        display.component(_PART, ComponentState.STOPPING)
        server.stop()
        display.component(_PART, ComponentState.STOPPED)


def _instructions(settings: Settings, url: str, dagster_database_url: str) -> list[str]:
    workspace = packaged_file(WORKSPACE_FILE)
    if workspace == Path.cwd() / WORKSPACE_FILE:
        workspace = Path(WORKSPACE_FILE)
    variables = shared_environment(settings, url, dagster_database_url)
    exports = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    return [
        "",
        f"In another terminal ({INSTANCE_FILE} is read from DAGSTER_HOME):",
        "",
        *exports,
        f"dagster dev -w {shlex.quote(str(workspace))} -p {settings.dagster_port}",
    ]
