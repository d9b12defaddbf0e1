"""The commands for operators: `doctor`, `backup`, `restore`, `sample-data`."""

# ruff: noqa: PLC0415 - what a command needs is imported inside it

from pathlib import Path
from typing import Annotated

import typer

from storemon_pipeline.commands.options import (
    EXIT_FAILED,
    DagsterPortOption,
    DatabaseUrlOption,
    DataOption,
    HomeOption,
    HostOption,
    build_settings,
    one_line_errors,
    open_database,
)
from storemon_pipeline.domain.counts import counted
from storemon_pipeline.host.errors import ServiceError, StartError


def doctor(
    home: HomeOption = None,
    data: DataOption = None,
    host: HostOption = None,
    dagster_port: DagsterPortOption = None,
    database_url: DatabaseUrlOption = None,
) -> None:
    """Check everything that the service needs, and say what to do; exit status 1 on a failure."""
    with one_line_errors():
        from storemon_pipeline.commands.database_access import database_as_it_is
        from storemon_pipeline.commands.doctor import (
            Finding,
            Verdict,
            check_has_database,
            collect,
            examine_database,
            examine_machine,
            examine_schedules,
            worst,
        )

        settings = build_settings(
            home=home,
            data=data,
            host=host,
            dagster_port=dagster_port,
            database_url=database_url,
        )
        findings = list(examine_machine(settings))
        try:
            check_has_database(settings)
            with database_as_it_is(settings) as url:
                findings += collect(lambda: examine_database(settings, url))
        except ServiceError as error:
            findings.append(Finding("database", Verdict.BAD, str(error)))
        findings.append(examine_schedules(settings))
        for finding in findings:
            remedy = f"  -> {finding.remedy}" if finding.remedy else ""
            typer.echo(f"{finding.verdict:<8} {finding.name}: {finding.what}{remedy}")
        if worst(findings) is Verdict.BAD:
            raise typer.Exit(EXIT_FAILED)


def backup(
    file: Annotated[Path, typer.Argument(help="File to write.")],
    home: HomeOption = None,
    database_url: DatabaseUrlOption = None,
) -> None:
    """Write the whole database to a file. The service may keep running."""
    with one_line_errors(), open_database(home, database_url) as url:
        from storemon_pipeline.commands.backups import back_up

        size = back_up(url, file)
        typer.echo(f"{file}: {size / 1024**2:.1f} MiB.")


def restore(
    file: Annotated[Path, typer.Argument(help="File written by `storemon backup`.")],
    home: HomeOption = None,
    database_url: DatabaseUrlOption = None,
) -> None:
    """Restore a backup into a new home or an empty database."""
    with one_line_errors():
        from storemon_pipeline.commands.backups import restore as restore_backup
        from storemon_pipeline.commands.database_access import database_as_it_is

        settings = build_settings(home=home, database_url=database_url)
        with database_as_it_is(settings) as url:
            restore_backup(url, file)
        typer.echo(f"{file} is restored. Start the service with `storemon up`.")


def sample_data(
    out: Annotated[Path, typer.Argument(help="Folder for the CSV files.")],
    stores: Annotated[int, typer.Option(min=1, help="Number of stores.")] = 60,
    days: Annotated[float, typer.Option(help="Days of polls, up to the newest.")] = 9,
    seed: Annotated[int, typer.Option(help="The same seed writes the same files.")] = 1,
) -> None:
    """Write realistic sample files, a few bad rows included."""
    with one_line_errors():
        from storemon_pipeline.sample_data import write_sample_data

        try:
            written = write_sample_data(out, stores=stores, days=days, seed=seed)
        except ValueError as error:
            raise StartError(f"The sample data cannot be made: {error}") from error
        except OSError as error:
            raise StartError(
                f"The sample data cannot be written to {out} ({error.strerror})."
            ) from error
        typer.echo(
            f"{out}: {counted(written.stores, 'store')}, {counted(written.polls, 'poll')} (and "
            f"{written.bad_polls} bad rows), {written.hours:,} hours ({written.bad_hours} bad), "
            f"{written.zones:,} zones ({written.bad_zones} bad), "
            f"{written.names:,} names ({written.bad_names} bad), "
            f"{written.closures:,} closures ({written.bad_closures} bad)."
        )
