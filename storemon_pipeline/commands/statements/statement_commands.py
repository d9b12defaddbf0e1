"""The commands `statements schedule`, `schedules`, `cancel` and `deliveries`."""

# ruff: noqa: PLC0415 - what a command needs is imported inside it

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Annotated

import typer

from storemon_pipeline.commands.options import (
    DatabaseUrlOption,
    HomeOption,
    one_line_errors,
    open_database,
)
from storemon_pipeline.domain.text_directions import with_visible_directions
from storemon_pipeline.domain.windows import DEFAULT_ZONE
from storemon_pipeline.host.errors import ServiceError

if TYPE_CHECKING:
    import sqlalchemy as sa

    from storemon_pipeline.statements.statement import Scope

statements_app = typer.Typer(
    help="Statements by mail: schedule them, and list schedules and deliveries.",
    no_args_is_help=True,
)


@statements_app.command("schedule")
def schedule_command(  # noqa: PLR0913 - one argument per option
    *,
    every: Annotated[
        str,
        typer.Option(
            "--every",
            help="A weekday such as monday: the last whole week. month: on the first, the last "
            "month.",
        ),
    ],
    to: Annotated[
        list[str],
        typer.Option("--to", metavar="ADDRESS", help="An email address; may be repeated."),
    ],
    store: Annotated[str | None, typer.Option("--store", help="Only this store.")] = None,
    group: Annotated[str | None, typer.Option("--group", help="Only this group.")] = None,
    region: Annotated[str | None, typer.Option("--region", help="Only this region.")] = None,
    at: Annotated[str, typer.Option("--at", help="Local time.")] = "08:00",
    timezone: Annotated[
        str, typer.Option("--timezone", help="The zone of that time.")
    ] = DEFAULT_ZONE,
    file_format: Annotated[str, typer.Option("--format", help="pdf, xlsx or csv.")] = "pdf",
    home: HomeOption = None,
    database_url: DatabaseUrlOption = None,
) -> None:
    """Send a statement by mail every week or month. STOREMON_MAIL_URL sets the mail server."""
    with one_line_errors():
        from storemon_pipeline.business_time.zones import zone_keys
        from storemon_pipeline.commands.key_options import system_user
        from storemon_pipeline.sent_statements.delivery_table import (
            MOST_ADDRESSES,
            FileFormat,
            NewSchedule,
            is_address,
        )
        from storemon_pipeline.sent_statements.manage_schedules import (
            SameScheduleError,
            add_schedule,
        )
        from storemon_pipeline.sent_statements.request import StatementRequest
        from storemon_pipeline.sent_statements.schedule import Every, Timetable
        from storemon_pipeline.statements.statement import Scope

        try:
            timetable = Timetable(Every(every.lower()), time.fromisoformat(at), timezone)
            attached = FileFormat(file_format)
        except ValueError as error:
            raise ServiceError(f"{error}.") from error
        if timezone not in zone_keys():
            raise ServiceError(f"{timezone} is not a time zone. Give one such as {DEFAULT_ZONE}.")
        addresses = tuple(dict.fromkeys(to))
        for address in addresses:
            if not is_address(address):
                raise ServiceError(f"{address} is not an email address.")
        if len(addresses) > MOST_ADDRESSES:
            raise ServiceError(f"A schedule has at most {MOST_ADDRESSES} addresses.")
        request = StatementRequest(Scope(store, group, region), "")
        new = NewSchedule(request, timetable, addresses, attached, system_user())
        with open_database(home, database_url) as url, _engine(url) as engine:
            try:
                schedule_id = add_schedule(engine, new, now=datetime.now(UTC))
            except SameScheduleError as error:
                raise ServiceError(str(error)) from error
        typer.echo(
            f"Schedule {schedule_id} sends {_words(request.scope)} to {', '.join(addresses)}."
        )


@statements_app.command("schedules")
def list_schedules_command(home: HomeOption = None, database_url: DatabaseUrlOption = None) -> None:
    """List the schedules of statements."""
    with (
        one_line_errors(),
        open_database(home, database_url) as url,
        _engine(url) as engine,
    ):
        from storemon_pipeline.sent_statements.manage_schedules import list_schedules
        from storemon_pipeline.sent_statements.schedule import next_due

        found = list_schedules(engine, only_stores=None)
        if not found:
            typer.echo("There are no schedules.")
        for one in found:
            timetable = one.new.timetable
            coming = next_due(timetable, datetime.now(UTC))
            typer.echo(
                f"{one.schedule_id}  {_words(one.new.request.scope)}  {timetable.every} "
                f"{timetable.at:%H:%M} {timetable.timezone}  {one.new.file_format} to "
                f"{', '.join(one.new.addresses)}  next {coming:%Y-%m-%d %H:%M} UTC"
            )


@statements_app.command("cancel")
def cancel_schedule_command(
    schedule_id: Annotated[int, typer.Argument(metavar="ID", help="The id as listed.")],
    home: HomeOption = None,
    database_url: DatabaseUrlOption = None,
) -> None:
    """End a schedule. What it has queued before is still sent."""
    with (
        one_line_errors(),
        open_database(home, database_url) as url,
        _engine(url) as engine,
    ):
        from storemon_pipeline.sent_statements.manage_schedules import (
            NoScheduleError,
            end_schedule,
        )

        try:
            end_schedule(engine, schedule_id, now=datetime.now(UTC))
        except NoScheduleError as error:
            raise ServiceError(f"There is no active schedule {schedule_id}.") from error
        typer.echo(f"Schedule {schedule_id} is ended.")


@statements_app.command("deliveries")
def list_deliveries_command(
    limit: Annotated[int, typer.Option(min=1, help="Number of mails.")] = 20,
    home: HomeOption = None,
    database_url: DatabaseUrlOption = None,
) -> None:
    """List the statements that were sent by mail or wait, the newest first."""
    with (
        one_line_errors(),
        open_database(home, database_url) as url,
        _engine(url) as engine,
    ):
        from storemon_pipeline.sent_statements.manage_schedules import list_deliveries

        found = list_deliveries(engine, only_stores=None, offset=0, limit=limit)
        if not found:
            typer.echo("There are no mails.")
        for one in found:
            repeated = ", may have arrived twice" if one.is_repeated else ""
            error = f": {one.error}" if one.error else ""
            typer.echo(
                f"{one.delivery_id}  {_words(one.request.scope)}  {one.request.period}  "
                f"{one.target.address}  {one.state}{repeated}, {one.tries} tries{error}"
            )


@contextmanager
def _engine(url: str) -> "Iterator[sa.Engine]":
    from storemon_pipeline.database.connections import create_engine

    engine = create_engine(url, application_name="storemon statements", pool_size=1)
    try:
        yield engine
    finally:
        engine.dispose()


def _words(scope: "Scope") -> str:
    parts = {"store": scope.store_id, "group": scope.group, "region": scope.region}
    words = ", ".join(f"{kind} {name}" for kind, name in parts.items() if name)
    return with_visible_directions(words) or "all stores"
