"""The commands about loads: of files, of rejected rows, of archived polls; and their undo."""

# ruff: noqa: PLC0415 - what a command needs is imported inside it

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from storemon_pipeline.commands.options import (
    EXIT_FAILED,
    DatabaseUrlOption,
    DataOption,
    HomeOption,
    build_settings,
    one_line_errors,
    open_database,
)
from storemon_pipeline.domain.counts import counted
from storemon_pipeline.host.errors import ServiceError

if TYPE_CHECKING:
    from storemon_pipeline.retention.poll_archive import PollArchive
    from storemon_pipeline.sources.check_file import Outcome
    from storemon_pipeline.webhooks.webhook_settings import WebhookSource

ArchiveOption = Annotated[
    str | None,
    typer.Option(
        "--archive",
        envvar="STOREMON_POLL_ARCHIVE",
        help="Folder of the archive: a path, or a URL such as s3://bucket/folder.",
        show_default="none",
    ),
]

_EXAMPLES = 5


def check_file_command(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A path or URL.")],
    data: DataOption = None,
) -> None:
    """Say what would be loaded of a file, and propose settings for it. Nothing is loaded."""
    with one_line_errors():
        from storemon_pipeline.files.folders import LocationError, UnreachableError
        from storemon_pipeline.sources.check_file import check_file
        from storemon_pipeline.sources.source_settings import SettingsError

        try:
            checked = check_file(
                build_settings(data=data).data,
                file,
                now_us=int(datetime.now(UTC).timestamp() * 1_000_000),
            )
        except FileNotFoundError as error:
            raise ServiceError(f"There is no file {file}.") from error
        except (LocationError, SettingsError, UnreachableError) as error:
            raise ServiceError(str(error)) from error
        if checked.source is not None:
            typer.echo(f"{file}: {checked.source.label} ({checked.source})")
        if isinstance(checked.now, str):
            typer.echo(f"It would not be read: {checked.now}")
        else:
            _print_outcome("As it is", checked.now)
        if checked.lines:
            typer.echo("\nProposed lines for sources.toml:\n")
            for line in checked.lines:
                typer.echo(line)
            for remark in checked.remarks:
                typer.echo(f"# {remark}")
            typer.echo("")
        if checked.then is not None:
            how = "With these lines" if checked.lines else "With such a name"
            _print_outcome(how, checked.then)
        typer.echo("Nothing was loaded.")
        if isinstance(checked.now, str):
            raise typer.Exit(EXIT_FAILED)


def check_webhook_command(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="The table in webhooks.toml.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A recorded message.")],
    data: DataOption = None,
) -> None:
    """Say which events a recorded message of a platform would become. Nothing is loaded."""
    with one_line_errors():
        from storemon_pipeline.webhooks.message_events import (
            UnmappedMessageError,
            describe_events,
            read_message_events,
        )
        from storemon_pipeline.webhooks.webhook_settings import WEBHOOKS_FILE

        folder = build_settings(data=data).data
        sources = _read_webhook_sources(folder)
        if source not in sources:
            known = ", ".join(sorted(sources)) or "nothing"
            raise ServiceError(f"{WEBHOOKS_FILE} in {folder} has {known}, and no [{source}].")
        try:
            body = file.read_bytes()
        except OSError as error:
            raise ServiceError(f"{file} cannot be read: {error.strerror}.") from error
        try:
            events = read_message_events(source, sources[source], body, at=datetime.now(UTC))
        except UnmappedMessageError as error:
            raise ServiceError(f"The message would be rejected: {error}") from error
        if events is None:
            typer.echo("It says nothing of the status of a store, and would be ignored.")
        else:
            for line in describe_events(events):
                typer.echo(line)
        typer.echo("Nothing was loaded.")


def _read_webhook_sources(folder: str) -> "dict[str, WebhookSource]":
    from storemon_pipeline.files.folders import LocationError, UnreachableError, data_folder
    from storemon_pipeline.webhooks.webhook_settings import (
        WebhookSettingsError,
        read_webhook_sources,
    )

    try:
        return read_webhook_sources(data_folder(folder))
    except (LocationError, UnreachableError, WebhookSettingsError) as error:
        raise ServiceError(str(error)) from error


def _print_outcome(how: str, outcome: "Outcome") -> None:
    rows = counted(outcome.rows_read, "row")
    rejected = f"{len(outcome.rejected):,} would be rejected"
    typer.echo(f"{how}: {rows}, {outcome.loaded:,} would be loaded, {rejected}")
    for reason, count in outcome.by_reason:
        typer.echo(f"  {count:,} x {reason}")
    for row in outcome.rejected[:_EXAMPLES]:
        typer.echo(f"  line {row.line}: {row.text}")


rejected_app = typer.Typer(help="Rows that could not be read.", no_args_is_help=True)


def loads(
    limit: Annotated[int, typer.Option(min=1, help="Number of loads, newest first.")] = 20,
    home: HomeOption = None,
    database_url: DatabaseUrlOption = None,
) -> None:
    """List loads: files read, rows pushed, loads undone; and the files that are not read."""
    with one_line_errors(), open_database(home, database_url) as url:
        from storemon_pipeline.ingestion.undo_load import list_loads, list_unread_files

        found = list_loads(url, limit=limit)
        if not found:
            typer.echo("Nothing was loaded yet.")
        for load in found:
            what = load.file_path or "pushed"
            if load.undoes_load_id is not None:
                removed = counted(load.rows_removed, "poll")
                what = f"undoes load {load.undoes_load_id}, {removed} removed"
            undone = f", undone {load.undone_at:%Y-%m-%d %H:%M}Z" if load.undone_at else ""
            typer.echo(
                f"{load.load_id:>6}  {load.loaded_at:%Y-%m-%d %H:%M:%S}Z  {load.source.value:<15}  "
                f"{load.rows_loaded:,} loaded, {load.rows_replaced:,} replaced, "
                f"{load.rows_unchanged:,} unchanged, {load.rows_rejected:,} rejected  "
                f"{what}{undone}"
            )
        for file in list_unread_files(url):
            state = "refused" if file.is_refused else "ignored"
            typer.echo(f"{state} since {file.found_at:%Y-%m-%d %H:%M:%S}Z  {file}")


def undo_load_command(
    load_id: Annotated[
        int, typer.Argument(metavar="ID", help="Number of the load, see `storemon loads`.")
    ],
    reload: Annotated[  # noqa: FBT002 - typer reads it
        bool, typer.Option("--reload", help="Read the load's file again at the next refresh.")
    ] = False,
    home: HomeOption = None,
    database_url: DatabaseUrlOption = None,
) -> None:
    """Undo a load: remove the rows that it added, restore those that it replaced."""
    with one_line_errors(), open_database(home, database_url) as url:
        from storemon_pipeline.ingestion.undo_load import UndoError, undo_load

        try:
            undone = undo_load(url, load_id, now=datetime.now(UTC), is_reloading=reload)
        except UndoError as error:
            raise ServiceError(str(error)) from error
        again = " The next refresh reads its file again." if undone.is_file_forgotten else ""
        removed = counted(undone.polls_removed, "poll")
        typer.echo(
            f"Load {load_id} ({undone.load.source.value}, {undone.load.file_path or 'pushed'}) is "
            f"undone by load {undone.undo_load_id}: {removed} removed, "
            f"replaced rows restored.{again}"
        )


@rejected_app.command("list")
def list_rejected_rows(
    limit: Annotated[int, typer.Option(min=1, help="Number of rows, oldest first.")] = 100,
    load: Annotated[
        int | None, typer.Option(help="Only rows of this load.", show_default="all")
    ] = None,
    home: HomeOption = None,
    database_url: DatabaseUrlOption = None,
) -> None:
    """List rejected rows that were not loaded since."""
    with one_line_errors(), open_database(home, database_url) as url:
        from storemon_pipeline.ingestion.replay_rejected import list_rejected

        rows = list_rejected(url, load_id=load, limit=limit)
        if not rows:
            typer.echo("There are no rejected rows.")
        for row in rows:
            place = f"{row.file_path}:{row.line}" if row.file_path else f"pushed row {row.line}"
            typer.echo(f"load {row.load_id}  {place}  {row.reason}: {row.text}")


@rejected_app.command("replay")
def replay_rejected_rows(
    load: Annotated[
        int | None, typer.Option(help="Only rows of this load.", show_default="all")
    ] = None,
    home: HomeOption = None,
    database_url: DatabaseUrlOption = None,
    data: DataOption = None,
) -> None:
    """Try to load rejected rows and messages of webhooks again."""
    with one_line_errors(), open_database(home, database_url) as url:
        from storemon_pipeline.ingestion.replay_rejected import replay_rejected
        from storemon_pipeline.webhooks.replay_messages import (
            has_rejected_messages,
            replay_messages,
        )

        now = datetime.now(UTC)
        tried = replay_rejected(url, load_id=load, now=now)
        messages = []
        if has_rejected_messages(url, load_id=load):
            sources = _read_webhook_sources(build_settings(data=data).data)
            messages = replay_messages(url, sources, load_id=load, now=now)
        if not tried and not messages:
            typer.echo("There are no rejected rows.")
        for replayed in tried:
            result = f"{replayed.taken:,} loaded"
            if replayed.load_id is not None:
                result += f" by load {replayed.load_id}"
            if replayed.is_file_forgotten:
                result = "the next refresh reads the whole file again"
            typer.echo(
                f"load {replayed.of_load_id} ({replayed.source.value}, "
                f"{replayed.file_path or 'pushed'}): {replayed.rows:,} rejected, {result}"
            )
        for message in messages:
            if message.row_counts is None:
                result = f"still rejected: {message.error}"
            elif message.row_counts.read == 0:
                result = "says nothing of the status of a store, and is ignored"
            else:
                result = f"{counted(message.row_counts.read, 'event')}, by load {message.load_id}"
            typer.echo(f"load {message.of_load_id} (webhook {message.name}): {result}")


def archives(archive: ArchiveOption = None) -> None:
    """List the archived weeks of polls."""
    with one_line_errors():
        from storemon_pipeline.files.folders import UnreachableError

        try:
            weeks = _open_archive(archive).list_weeks()
        except UnreachableError as error:
            raise ServiceError(str(error)) from error
        if not weeks:
            typer.echo("Nothing was archived yet.")
        for week in weeks:
            typer.echo(
                f"{week.name}  {week.week.start:%Y-%m-%d} to {week.week.end:%Y-%m-%d}  "
                f"{counted(week.polls, 'poll')}  {week.size_bytes:,} bytes"
            )


def load_archive_command(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="File of a week, see `storemon archives`.")
    ],
    archive: ArchiveOption = None,
    home: HomeOption = None,
    database_url: DatabaseUrlOption = None,
) -> None:
    """Load an archived week of polls back."""
    with one_line_errors():
        folder = _open_archive(archive)
        with open_database(home, database_url) as url:
            from storemon_pipeline.domain.rejections import UnusableFileError
            from storemon_pipeline.files.folders import UnreachableError
            from storemon_pipeline.retention.load_archive import ArchiveLoadError, load_archive

            try:
                loaded = load_archive(url, folder, name, now=datetime.now(UTC))
            except FileNotFoundError as error:
                raise ServiceError(f"There is no {name} in {folder}.") from error
            except (ArchiveLoadError, UnreachableError, UnusableFileError) as error:
                raise ServiceError(str(error)) from error
            counts = loaded.row_counts
            what = (
                f"{counts.unchanged:,} polls are back as they were"
                if loaded.is_restored
                else f"{counts.loaded:,} loaded, {counts.replaced:,} replaced, "
                f"{counts.unchanged:,} unchanged, {counts.rejected:,} rejected. "
                "The next refresh computes the figures"
            )
            typer.echo(f"Load {loaded.load_id} ({name}): {what}.")


def _open_archive(place: str | None) -> "PollArchive":
    from storemon_pipeline.files.folders import LocationError
    from storemon_pipeline.retention.poll_archive import PollArchive

    chosen = build_settings(poll_archive=place).poll_archive
    if chosen is None:
        raise ServiceError("No archive is set: use --archive or STOREMON_POLL_ARCHIVE.")
    try:
        return PollArchive(chosen)
    except LocationError as error:
        raise ServiceError(str(error)) from error
