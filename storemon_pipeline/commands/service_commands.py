"""The commands that run the service or use the running one: `up`, `dev`, `report`, `refresh`."""

# ruff: noqa: PLC0415 - what a command needs is imported inside it

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from storemon_pipeline.commands.options import (
    DagsterPortOption,
    DatabaseUrlOption,
    DataOption,
    HomeOption,
    HostOption,
    PortOption,
    build_settings,
    one_line_errors,
    show_progress,
)
from storemon_pipeline.domain.counts import counted
from storemon_pipeline.host.errors import ServiceError

if TYPE_CHECKING:
    from storemon_pipeline.dagster_graphql import Materialization


def up(
    home: HomeOption = None,
    data: DataOption = None,
    host: HostOption = None,
    port: PortOption = None,
    dagster_port: DagsterPortOption = None,
    database_url: DatabaseUrlOption = None,
    log_json: Annotated[  # noqa: FBT002 - typer reads it
        bool,
        typer.Option(
            "--log-json",
            envvar="STOREMON_LOG_JSON",
            help="Log every event as one line of JSON, here and in the log files.",
        ),
    ] = False,
) -> None:
    """Start the whole service in the foreground: database, Dagster, API. Ctrl-C stops it."""
    with one_line_errors():
        from storemon_pipeline.host.signals import StopRequests
        from storemon_pipeline.service.status_display import JsonDisplay, StatusDisplay
        from storemon_pipeline.service.supervisor import Supervisor

        settings = build_settings(
            home=home,
            data=data,
            host=host,
            port=port,
            dagster_port=dagster_port,
            database_url=database_url,
            log_json=log_json,
        )
        stop = StopRequests()
        with stop.listening(), (JsonDisplay if log_json else StatusDisplay)() as display:
            Supervisor(settings, display, stop).run()


def dev(
    home: HomeOption = None,
    data: DataOption = None,
    dagster_port: DagsterPortOption = None,
    database_url: DatabaseUrlOption = None,
) -> None:
    """Start only the database, and print the commands that run `dagster dev` on it."""
    with one_line_errors():
        from storemon_pipeline.commands.development import run_database
        from storemon_pipeline.host.signals import StopRequests
        from storemon_pipeline.service.status_display import StatusDisplay

        settings = build_settings(
            home=home, data=data, dagster_port=dagster_port, database_url=database_url
        )
        stop = StopRequests()
        with stop.listening(), StatusDisplay() as display:
            run_database(settings, display, stop)


def report(
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of",
            help="Time of the report, such as 2023-01-25T18:13:22Z.",
            show_default="the newest poll",
        ),
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(
            "--policy",
            help="Status between two polls: that of the nearest or of the previous poll.",
            show_default="nearest",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File for the CSV.", show_default="standard output"),
    ] = None,
    host: HostOption = None,
    port: PortOption = None,
) -> None:
    """Request a report from the running service and write its CSV."""
    with one_line_errors():
        from storemon_pipeline.commands.report_request import ReportRequest

        settings = build_settings(host=host, port=port)
        if output is not None:
            _check_writable(output)
        with (
            ReportRequest(settings.api_url, key=settings.api_key) as request,
            show_progress("report") as show,
        ):
            report_id = request.trigger(as_of=as_of, policy=policy)
            show(f"{report_id}: requested")
            finished = request.wait(
                report_id, lambda seconds: show(f"{report_id}: running, {seconds:.0f} s")
            )
            _write_csv(request.download, report_id, output)
        silent = f", {finished.silent_stores} silent" if finished.silent_stores else ""
        stores = counted(finished.stores, "store")
        typer.echo(
            f"Report {report_id} as of {finished.as_of}: {stores}{silent}.",
            err=True,
        )


def refresh(home: HomeOption = None, dagster_port: DagsterPortOption = None) -> None:
    """Tell the running service to load new files now."""
    with one_line_errors():
        from storemon_pipeline.dagster_graphql import DagsterGraphQL
        from storemon_pipeline.host.home import Home
        from storemon_pipeline.service.dagster_home import read_dagster_token
        from storemon_pipeline.service.refresh_run import RefreshFollower

        settings = build_settings(home=home, dagster_port=dagster_port)
        token = read_dagster_token(Home(settings.home))
        with (
            DagsterGraphQL(settings.dagster_url, token=token) as client,
            show_progress("refresh") as show,
        ):
            run = RefreshFollower(client)
            run.check()
            if run.run_id is None and not run.is_ended:
                raise ServiceError(
                    f"{run.note} Start the service with `storemon up`, or name another port with "
                    "--dagster-port."
                )
            while not run.is_ended:
                time.sleep(0.5)
                run.check()
                show(run.note)
            if run.failure is not None:
                raise ServiceError(f"The refresh failed: {run.failure}")
            made = client.run_materializations(run.run_id or "")
        for line in _row_counts(made):
            typer.echo(line)
        refused = [each.texts["refused_files"] for each in made if "refused_files" in each.texts]
        if refused:
            raise ServiceError(f"All other files are up to date, but {'; '.join(refused)}.")


def _check_writable(output: Path) -> None:
    """Raise ServiceError when the file could not be written, before a report is requested."""
    if output.is_dir():
        raise ServiceError(f"The CSV cannot be written to {output}: it is a folder.")
    if not output.absolute().parent.is_dir():
        raise ServiceError(
            f"The CSV cannot be written to {output}: there is no folder {output.absolute().parent}."
        )
    if not os.access(output.absolute().parent, os.W_OK):
        raise ServiceError(f"The CSV cannot be written to {output}: its folder is read-only.")


def _write_csv(download: Any, report_id: str, output: Path | None) -> None:  # noqa: ANN401 - a method
    """Write the CSV to standard output, or replace the file in one step."""
    if output is None:
        download(report_id, sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    unfinished = output.with_name(f".{output.name}.{report_id}")
    try:
        with unfinished.open("wb") as file:
            download(report_id, file)
        unfinished.replace(output)
    except OSError as error:
        raise ServiceError(f"The CSV cannot be written to {output}: {error.strerror}.") from error
    finally:
        unfinished.unlink(missing_ok=True)


_COUNTS = ("loaded", "replaced", "unchanged", "rejected")


def _row_counts(made: "list[Materialization]") -> list[str]:
    """Return a line for each source: rows read = loaded + replaced + unchanged + rejected."""
    lines = []
    for asset in made:
        if "rows_read" not in asset.numbers:
            continue
        if asset.numbers["rows_read"] == 0:
            lines.append(f"{asset.asset}: nothing new")
            continue
        parts = " + ".join(f"{asset.numbers.get(f'rows_{name}', 0):,} {name}" for name in _COUNTS)
        file = asset.texts.get("file", "")
        lines.append(f"{asset.asset}: {asset.numbers['rows_read']:,} rows read = {parts}  {file}")
    # A refresh without new data materializes nothing.
    return lines or ["Nothing new: all figures are up to date."]
