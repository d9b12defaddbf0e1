"""The command `storemon`: puts its commands together. Each group is a module of its own."""

from importlib.metadata import version
from typing import Annotated

import typer

from storemon_pipeline.commands.accounts.account_commands import accounts_app
from storemon_pipeline.commands.alert_commands import alerts_app
from storemon_pipeline.commands.key_commands import keys_app
from storemon_pipeline.commands.kubernetes.manifest_command import k8s_manifests
from storemon_pipeline.commands.lake.lake_commands import lake_app
from storemon_pipeline.commands.load_commands import (
    archives,
    check_file_command,
    check_webhook_command,
    load_archive_command,
    loads,
    rejected_app,
    undo_load_command,
)
from storemon_pipeline.commands.operator_commands import backup, doctor, restore, sample_data
from storemon_pipeline.commands.service_commands import dev, refresh, report, up
from storemon_pipeline.commands.statements.statement_commands import statements_app
from storemon_pipeline.commands.statements.verify_command import verify

app = typer.Typer(
    name="storemon",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command()(up)
app.command()(report)
app.command()(refresh)
app.command("check-file")(check_file_command)
app.command("check-webhook")(check_webhook_command)
app.command()(loads)
app.command("undo-load")(undo_load_command)
app.command()(archives)
app.command("load-archive")(load_archive_command)
app.add_typer(lake_app, name="lake")
app.add_typer(rejected_app, name="rejected")
app.add_typer(keys_app, name="keys")
app.add_typer(accounts_app, name="accounts")
app.add_typer(alerts_app, name="alerts")
app.add_typer(statements_app, name="statements")
app.command()(verify)
app.command()(doctor)
app.command()(backup)
app.command()(restore)
app.command("sample-data")(sample_data)
app.command()(dev)
app.command("k8s-manifests")(k8s_manifests)


def _print_version(*, is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"storemon {version('storemon')}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=lambda value: _print_version(is_wanted=value),
            is_eager=True,
            help="Print the version and exit.",
        ),
    ] = False,
) -> None:
    """How long each store was up and down while it should have been open."""


def main() -> None:
    """Run the command line."""
    app()
