"""The commands `storemon lake …`: copying the database into the lake, and what the lake holds."""

# ruff: noqa: PLC0415 - what a command needs is imported inside it

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from storemon_pipeline.commands.options import (
    DatabaseUrlOption,
    HomeOption,
    build_settings,
    one_line_errors,
    open_database,
)
from storemon_pipeline.domain.counts import counted
from storemon_pipeline.host.errors import ServiceError

if TYPE_CHECKING:
    from storemon_pipeline.lake.follow_database import Imported
    from storemon_pipeline.lake_files.lake_folder import LakeFolder
    from storemon_pipeline.lake_files.manifest import Manifest

lake_app = typer.Typer(
    help="The lake: files that reports of large chains are made from.", no_args_is_help=True
)

LakeOption = Annotated[
    str | None,
    typer.Option(
        "--lake",
        envvar="STOREMON_LAKE",
        help="Folder of the lake: a path, or a URL such as s3://bucket/lake.",
        show_default="none",
    ),
]


BucketOption = Annotated[
    int, typer.Option(min=1, help="Stores of a bucket, the smallest part of the work.")
]


@lake_app.command("import")
def import_command(
    lake: LakeOption = None,
    home: HomeOption = None,
    database_url: DatabaseUrlOption = None,
    stores_per_bucket: BucketOption = 50_000,
) -> None:
    """Copy all of the database into a new version of the lake, and compare both."""
    with one_line_errors():
        folder = _open_lake(lake)
        with open_database(home, database_url) as url, _copy_errors():
            from storemon_pipeline.lake.follow_database import import_database

            imported = import_database(url, folder, stores_per_bucket=stores_per_bucket)
        _tell_imported(imported)


@lake_app.command("move")
def move_command(
    lake: LakeOption = None,
    home: HomeOption = None,
    database_url: DatabaseUrlOption = None,
    stores_per_bucket: BucketOption = 50_000,
) -> None:
    """Move all polls into the lake, which has them in place of the database from then on."""
    with one_line_errors():
        folder = _open_lake(lake)
        with open_database(home, database_url) as url, _copy_errors():
            from storemon_pipeline.lake.move_polls import move_polls

            imported = move_polls(url, folder, stores_per_bucket=stores_per_bucket)
        _tell_imported(imported)
        typer.echo("The database has no polls and status runs any more.")


@contextmanager
def _copy_errors() -> Iterator[None]:
    """Say why the lake and the database stay as they were."""
    from storemon_pipeline.files.folders import UnreachableError
    from storemon_pipeline.lake.describe_stores import LakeDiffersError
    from storemon_pipeline.lake_files.manifest import LakeChangedError

    try:
        yield
    except LakeDiffersError as error:
        raise ServiceError(str(error)) from error
    except (LakeChangedError, UnreachableError) as error:
        raise ServiceError(f"The lake stays as it was: {error}") from error


def _tell_imported(imported: "Imported") -> None:
    typer.echo(f"database: {imported.database}")
    typer.echo(f"lake:     {_counts(imported.manifest)}")
    if imported.dropped_polls:
        dropped = counted(imported.dropped_polls, "poll")
        typer.echo(f"The database has dropped {dropped} of these.")
    typer.echo("Every file was read back: it has what the database has.")
    typer.echo(_description(imported.manifest))


@lake_app.command("show")
def show_command(lake: LakeOption = None) -> None:
    """Say what the newest version of the lake holds."""
    with one_line_errors():
        from storemon_pipeline.files.folders import UnreachableError
        from storemon_pipeline.lake_files.manifest import NoLakeError, read_manifest

        try:
            manifest = read_manifest(_open_lake(lake))
        except (NoLakeError, UnreachableError) as error:
            raise ServiceError(str(error)) from error
        typer.echo(_counts(manifest))
        typer.echo(_description(manifest))


@lake_app.command("export")
def export_command(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where the files go; it is made if needed.")
    ],
    lake: LakeOption = None,
) -> None:
    """Write all polls of the lake as files that any storemon loads, and count them."""
    with one_line_errors():
        from storemon_pipeline.files.folders import UnreachableError
        from storemon_pipeline.lake.export_polls import PollsDifferError, export_polls
        from storemon_pipeline.lake_files.manifest import NoLakeError, read_manifest

        opened = _open_lake(lake)
        try:
            manifest = read_manifest(opened)
            exported = export_polls(opened, manifest, folder)
        except (NoLakeError, OSError, PollsDifferError, UnreachableError) as error:
            raise ServiceError(str(error)) from error
        buckets = counted(len(manifest.buckets), "bucket")
        typer.echo(f"lake:  {counted(manifest.polls, 'poll')} in {buckets}")
        typer.echo(f"files: {counted(exported.polls, 'poll')} in {counted(exported.files, 'file')}")


@lake_app.command("restore")
def restore_command(home: HomeOption = None, database_url: DatabaseUrlOption = None) -> None:
    """Bring the polls that the lake alone has back into the database, and compare."""
    with one_line_errors(), open_database(home, database_url) as url:
        from storemon_pipeline.files.folders import UnreachableError
        from storemon_pipeline.lake_files.manifest import NoLakeError
        from storemon_pipeline.retention.restore_from_lake import (
            RestoredPollsDifferError,
            restore_polls,
        )

        try:
            restored = restore_polls(url)
        except (NoLakeError, RestoredPollsDifferError, UnreachableError) as error:
            raise ServiceError(str(error)) from error
        if restored.weeks + restored.status_runs == 0:
            typer.echo("No polls are in a lake alone.")
            return
        typer.echo(
            f"{counted(restored.polls, 'poll')} of {counted(restored.weeks, 'week')} are back."
        )
        runs = counted(restored.status_runs, "status run")
        typer.echo(f"{runs} were computed again from all polls: none differs.")


def _open_lake(place: str | None) -> "LakeFolder":
    from storemon_pipeline.files.folders import LocationError
    from storemon_pipeline.lake_files.lake_folder import LakeFolder

    chosen = build_settings(lake=place).lake
    if chosen is None:
        raise ServiceError("No lake is set: use --lake or STOREMON_LAKE.")
    try:
        return LakeFolder(chosen)
    except LocationError as error:
        raise ServiceError(str(error)) from error


def _counts(manifest: "Manifest") -> str:
    return (
        f"{counted(manifest.stores, 'store')}, {counted(manifest.polls, 'poll')}, "
        f"{counted(manifest.status_runs, 'status run')}"
    )


def _description(manifest: "Manifest") -> str:
    return (
        f"version {manifest.version}: {counted(len(manifest.buckets), 'bucket')}, "
        f"{counted(manifest.bytes, 'byte')}"
    )
