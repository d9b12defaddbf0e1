"""The command `storemon`: its options, and what is printed. The work is done elsewhere.

What a command needs is imported inside it: `storemon --help` answers at once.
"""

# ruff: noqa: PLC0415 - see above

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
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
    from storemon_pipeline.dagster_graphql import DagsterGraphQL
    from storemon_pipeline.settings import Settings

EXIT_FAILED = 1
EXIT_NOT_STARTED = 2

app = typer.Typer(
    name="storemon",
    help="How long each store was up and down while it should have been open.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

rejected_app = typer.Typer(help="Rows that could not be read.", no_args_is_help=True)
app.add_typer(rejected_app, name="rejected")

alerts_app = typer.Typer(help="Alerts: what is wrong, and who is told.", no_args_is_help=True)
app.add_typer(alerts_app, name="alerts")

keys_app = typer.Typer(help="Keys of the API: who may use it, and for what.", no_args_is_help=True)
app.add_typer(keys_app, name="keys")

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


@app.command()
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
            help="Say each event as one line of JSON, here and in the log files.",
        ),
    ] = False,
) -> None:
    """Start the whole service in the foreground: database, Dagster, API. Ctrl-C stops it."""
    with _one_line_errors():
        from storemon_pipeline.host.signals import StopRequests
        from storemon_pipeline.service.status_display import JsonDisplay, StatusDisplay
        from storemon_pipeline.service.supervisor import Supervisor

        settings = _settings(
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


@app.command()
def dev(
    home: HomeOption = None,
    data: DataOption = None,
    dagster_port: DagsterPortOption = None,
    database_url: DatabaseUrlOption = None,
) -> None:
    """Start the database alone, and print the lines that run `dagster dev` on it."""
    with _one_line_errors():
        from storemon_pipeline.commands.development import run_database
        from storemon_pipeline.host.signals import StopRequests
        from storemon_pipeline.service.status_display import StatusDisplay

        settings = _settings(
            home=home, data=data, dagster_port=dagster_port, database_url=database_url
        )
        stop = StopRequests()
        with stop.listening(), StatusDisplay() as display:
            run_database(settings, display, stop)


@app.command()
def report(
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of",
            help="Instant that the report speaks of, such as 2023-01-25T18:13:22Z.",
            show_default="the newest poll",
        ),
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(
            "--policy",
            help="How the time between two polls is read: nearest or previous.",
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
    """Ask the running service for a report, and write its CSV."""
    with _one_line_errors():
        from storemon_pipeline.commands.report_request import ReportRequest

        settings = _settings(host=host, port=port)
        with (
            ReportRequest(settings.api_url, key=settings.api_key) as request,
            _progress("report") as show,
        ):
            report_id = request.trigger(as_of=as_of, policy=policy)
            show(f"{report_id}: requested")
            finished = request.wait(
                report_id, lambda seconds: show(f"{report_id}: running, {seconds:.0f} s")
            )
            _write_csv(request.download, report_id, output)
        silent = f", {finished.silent_stores} silent" if finished.silent_stores else ""
        typer.echo(
            f"Report {report_id} as of {finished.as_of}: {finished.stores} stores{silent}.",
            err=True,
        )


@app.command()
def refresh(dagster_port: DagsterPortOption = None) -> None:
    """Load what is new in the data folder now, on the running service."""
    with _one_line_errors():
        from storemon_pipeline.dagster_graphql import DagsterGraphQL
        from storemon_pipeline.service.refresh_run import RefreshRun

        settings = _settings(dagster_port=dagster_port)
        with DagsterGraphQL(settings.dagster_url) as client, _progress("refresh") as show:
            run = RefreshRun(client)
            run.look()
            if run.run_id is None and not run.is_ended:
                raise ServiceError(
                    f"{run.note} Start the service with `storemon up`, or name another port with "
                    "--dagster-port."
                )
            while not run.is_ended:
                time.sleep(0.5)
                run.look()
                show(run.note)
            if run.failure is not None:
                raise ServiceError(f"The refresh failed: {run.failure}")
            accounts = _accounts(client, run.run_id or "")
        for line in accounts:
            typer.echo(line)


@app.command()
def loads(
    limit: Annotated[int, typer.Option(min=1, help="So many, the newest first.")] = 20,
    home: HomeOption = None,
    database_url: DatabaseUrlOption = None,
) -> None:
    """List what was loaded: files read, rows pushed, loads undone."""
    with _one_line_errors(), _database(home, database_url) as url:
        from storemon_pipeline.ingestion.undo_load import list_loads

        for load in list_loads(url, limit=limit):
            what = load.file_path or "pushed"
            if load.undoes_load_id is not None:
                what = f"undoes load {load.undoes_load_id}, {load.rows_removed:,} polls gone"
            undone = f", undone {load.undone_at:%Y-%m-%d %H:%M}Z" if load.undone_at else ""
            typer.echo(
                f"{load.load_id:>6}  {load.loaded_at:%Y-%m-%d %H:%M:%S}Z  {load.source.value:<15}  "
                f"{load.rows_loaded:,} loaded, {load.rows_replaced:,} replaced, "
                f"{load.rows_unchanged:,} unchanged, {load.rows_rejected:,} rejected  "
                f"{what}{undone}"
            )


@app.command("undo-load")
def undo_load_command(
    load_id: Annotated[
        int, typer.Argument(metavar="ID", help="The load, as `storemon loads` lists it.")
    ],
    reload: Annotated[  # noqa: FBT002 - typer reads it
        bool, typer.Option("--reload", help="Let the next refresh read the load's file again.")
    ] = False,
    home: HomeOption = None,
    database_url: DatabaseUrlOption = None,
) -> None:
    """Take a wrong load back: what it brought goes, what it replaced returns."""
    with _one_line_errors(), _database(home, database_url) as url:
        from storemon_pipeline.ingestion.undo_load import UndoError, undo_load

        try:
            undone = undo_load(url, load_id, now=datetime.now(UTC), is_reloading=reload)
        except UndoError as error:
            raise ServiceError(str(error)) from error
        again = " The next refresh reads its file again." if undone.is_file_forgotten else ""
        typer.echo(
            f"Load {load_id} ({undone.load.source.value}, {undone.load.file_path or 'pushed'}) is "
            f"undone by load {undone.undo_load_id}: {undone.polls_removed:,} polls gone, and what "
            f"it replaced is back.{again}"
        )


@rejected_app.command("list")
def list_rejected_rows(
    limit: Annotated[int, typer.Option(min=1, help="So many, the oldest first.")] = 100,
    load: Annotated[int | None, typer.Option(help="Of this load.", show_default="all")] = None,
    home: HomeOption = None,
    database_url: DatabaseUrlOption = None,
) -> None:
    """List the rejected rows that wait to be replayed."""
    with _one_line_errors(), _database(home, database_url) as url:
        from storemon_pipeline.ingestion.replay_rejected import list_rejected

        for row in list_rejected(url, load_id=load, limit=limit):
            place = f"{row.file_path}:{row.line}" if row.file_path else f"pushed row {row.line}"
            typer.echo(f"load {row.load_id}  {place}  {row.reason}: {row.text}")


@rejected_app.command("replay")
def replay_rejected_rows(
    load: Annotated[int | None, typer.Option(help="Of this load.", show_default="all")] = None,
    home: HomeOption = None,
    database_url: DatabaseUrlOption = None,
) -> None:
    """Try rejected rows again; what can be read now is loaded."""
    with _one_line_errors(), _database(home, database_url) as url:
        from storemon_pipeline.ingestion.replay_rejected import replay_rejected

        for replayed in replay_rejected(url, load_id=load, now=datetime.now(UTC)):
            result = f"{replayed.taken:,} taken"
            if replayed.load_id is not None:
                result += f" by load {replayed.load_id}"
            if replayed.is_file_forgotten:
                result = "the next refresh reads the file again, whole"
            typer.echo(
                f"load {replayed.of_load_id} ({replayed.source.value}, "
                f"{replayed.file_path or 'pushed'}): {replayed.rows:,} rejected rows, {result}"
            )


@alerts_app.command("test")
def test_alerts_command() -> None:
    """Send a message to every address of STOREMON_ALERT_URLS; exit status 1 when one fails."""
    with _one_line_errors():
        from storemon_pipeline.alerts.deliver import NotSentError, send
        from storemon_pipeline.alerts.messages import trial
        from storemon_pipeline.alerts.targets import labelled, split_urls

        settings = _settings()
        urls = settings.alert_urls
        targets = {} if urls is None else labelled(split_urls(urls.get_secret_value()))
        if not targets:
            raise ServiceError(
                "No address is set: put Apprise URLs into STOREMON_ALERT_URLS, such as "
                "json://localhost:9000 or mailto://user:password@example.com."
            )
        message = trial(datetime.now(UTC), settings.public_url)
        failed = 0
        for label, url in targets.items():
            try:
                send(url, message)
            except NotSentError as error:
                failed += 1
                typer.echo(f"{label}: not sent: {error}")
            else:
                typer.echo(f"{label}: sent")
        if failed:
            raise ServiceError(f"{failed} of {len(targets)} addresses did not take the message.")


@alerts_app.command("list")
def list_alerts_command(
    limit: Annotated[int, typer.Option(min=1, help="So many.")] = 20,
    open_only: Annotated[  # noqa: FBT002 - typer reads it
        bool, typer.Option("--open", help="Only those that are open.")
    ] = False,
    home: HomeOption = None,
    database_url: DatabaseUrlOption = None,
) -> None:
    """List alerts and the messages about them: open ones first, then the newest."""
    with _one_line_errors(), _database(home, database_url) as url:
        from storemon_pipeline.alerts.alert_lines import alert_lines

        for line in alert_lines(url, is_open=True if open_only else None, limit=limit):
            typer.echo(line)


@keys_app.command("create")
def create_key_command(
    name: Annotated[str, typer.Option("--name", help="What the key is called in lists.")],
    store: Annotated[
        list[str] | None,
        typer.Option("--store", metavar="ID", help="A store that it may see; may be repeated."),
    ] = None,
    all_stores: Annotated[  # noqa: FBT002 - typer reads it
        bool, typer.Option("--all-stores", help="It may see every store.")
    ] = False,
    scope: Annotated[
        list[str] | None,
        typer.Option(
            "--scope",
            help="read, trigger (and read), ingest or admin (everything); may be repeated.",
            show_default="read",
        ),
    ] = None,
    expires: Annotated[
        str | None,
        typer.Option(
            "--expires",
            metavar="T",
            help="An instant such as 2027-01-01T00:00Z, or days from now such as 30d.",
            show_default="never",
        ),
    ] = None,
    home: HomeOption = None,
    database_url: DatabaseUrlOption = None,
) -> None:
    """Make a key and print its token, which is shown this once and stored nowhere."""
    with _one_line_errors():
        from storemon_pipeline.commands.key_options import KeyOptions

        options = KeyOptions.parse(
            name=name, stores=store or [], is_all=all_stores, scopes=scope or [], expires=expires
        )
        with _database(home, database_url) as url:
            token = options.create(url)
        typer.echo(token)
        typer.echo(
            "Keep it: it cannot be shown again. Send it as `Authorization: Bearer TOKEN`. "
            "From now on every request needs a key.",
            err=True,
        )


@keys_app.command("list")
def list_keys_command(home: HomeOption = None, database_url: DatabaseUrlOption = None) -> None:
    """List the keys, without their tokens."""
    with _one_line_errors(), _database(home, database_url) as url:
        from storemon_pipeline.access.key_management import list_keys
        from storemon_pipeline.commands.key_options import describe_key

        for key in list_keys(url):
            typer.echo(describe_key(key, datetime.now(UTC)))


@keys_app.command("revoke")
def revoke_key_command(
    key: Annotated[str, typer.Argument(metavar="NAME", help="Its name, or its id.")],
    home: HomeOption = None,
    database_url: DatabaseUrlOption = None,
) -> None:
    """Refuse a key from now on; a running service knows within a second."""
    with _one_line_errors(), _database(home, database_url) as url:
        from storemon_pipeline.access.key_management import NoKeyError, revoke_key
        from storemon_pipeline.commands.key_options import system_user

        try:
            revoked = revoke_key(url, key, by=system_user())
        except NoKeyError as error:
            raise ServiceError(
                f"No key {key} is there to be revoked; `storemon keys list` shows them."
            ) from error
        typer.echo(f"Key {revoked.name} ({revoked.key_id}) is revoked.")


@app.command()
def doctor(
    home: HomeOption = None,
    data: DataOption = None,
    host: HostOption = None,
    dagster_port: DagsterPortOption = None,
    database_url: DatabaseUrlOption = None,
) -> None:
    """Look at all that the service needs, and say what to do; exit status 1 when one is bad."""
    with _one_line_errors():
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

        settings = _settings(
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


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="File to write.")],
    home: HomeOption = None,
    database_url: DatabaseUrlOption = None,
) -> None:
    """Write the whole database to a file; the service may run meanwhile."""
    with _one_line_errors(), _database(home, database_url) as url:
        from storemon_pipeline.commands.backups import back_up

        size = back_up(url, file)
        typer.echo(f"{file}: {size / 1024**2:.1f} MiB.")


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="File that `storemon backup` has written.")],
    home: HomeOption = None,
    database_url: DatabaseUrlOption = None,
) -> None:
    """Fill a new home, or an empty database, from a backup."""
    with _one_line_errors():
        from storemon_pipeline.commands.backups import restore as restore_backup
        from storemon_pipeline.commands.database_access import database_as_it_is

        settings = _settings(home=home, database_url=database_url)
        with database_as_it_is(settings) as url:
            restore_backup(url, file)
        typer.echo(f"{file} is restored; `storemon up` serves it.")


@app.command("sample-data")
def sample_data(
    out: Annotated[Path, typer.Argument(help="Folder for the CSV files.")],
    stores: Annotated[int, typer.Option(min=1, help="Number of stores.")] = 60,
    days: Annotated[float, typer.Option(help="Days of polls, up to the newest.")] = 9,
    seed: Annotated[int, typer.Option(help="The same seed writes the same files.")] = 1,
) -> None:
    """Write sample files of realistic shape, with a few bad rows among them."""
    with _one_line_errors():
        from storemon_pipeline.sample_data import write_sample_data

        try:
            written = write_sample_data(out, stores=stores, days=days, seed=seed)
        except ValueError as error:
            raise StartError(f"Such sample data cannot be made: {error}") from error
        except OSError as error:
            raise StartError(
                f"The sample data cannot be written to {out} ({error.strerror})."
            ) from error
        typer.echo(
            f"{out}: {written.stores} stores, {written.polls:,} polls (and {written.bad_polls} bad "
            f"rows), {written.hours:,} hours ({written.bad_hours} bad), {written.zones:,} zones "
            f"({written.bad_zones} bad), {written.names:,} names ({written.bad_names} bad), "
            f"{written.closures:,} closures ({written.bad_closures} bad)."
        )


def main() -> None:
    """Run the command line."""
    app()


def _settings(**given: Any) -> "Settings":  # noqa: ANN401 - one type per option
    """Build the settings from the options that were given, else from environment and defaults."""
    from pydantic import ValidationError

    from storemon_pipeline.settings import Settings

    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise StartError(
            f"The setting STOREMON_{name.upper()} cannot be used: {first['msg']}."
        ) from error


@contextmanager
def _database(home: Path | None, database_url: str | None) -> Iterator[str]:
    """Give the URL of the service's database, whether the service runs or not."""
    import adbc_driver_manager

    from storemon_pipeline.commands.database_access import reachable_database

    try:
        with reachable_database(_settings(home=home, database_url=database_url)) as url:
            yield url
    except adbc_driver_manager.OperationalError as error:
        raise ServiceError(f"The database cannot be used: {error}") from error


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """Turn an expected error into one line and an exit status; Ctrl-C into a quiet end."""
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
def _progress(name: str) -> Iterator[Any]:
    """Show what is happening on standard error: in place on a terminal, else as few lines."""
    from rich.console import Console

    from storemon_pipeline.service.status_display import PartState, StatusDisplay

    with StatusDisplay(Console(stderr=True, highlight=False, soft_wrap=True)) as display:
        yield lambda note: display.part(name, PartState.WORKING, note)


def _write_csv(download: Any, report_id: str, output: Path | None) -> None:  # noqa: ANN401 - a method
    """Write the CSV to standard output, or to the file, which is replaced whole or not at all."""
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


_ACCOUNTS = ("loaded", "replaced", "unchanged", "rejected")


def _accounts(client: "DagsterGraphQL", run_id: str) -> list[str]:
    """Return a line for each source: rows read = loaded + replaced + unchanged + rejected."""
    lines = []
    for made in client.run_materializations(run_id):
        if "rows_read" not in made.numbers:
            continue
        if made.numbers["rows_read"] == 0:
            lines.append(f"{made.asset}: nothing new")
            continue
        parts = " + ".join(f"{made.numbers.get(f'rows_{name}', 0):,} {name}" for name in _ACCOUNTS)
        file = made.words.get("file", "")
        lines.append(f"{made.asset}: {made.numbers['rows_read']:,} rows read = {parts}  {file}")
    return lines
