"""The commands `alerts test` and `alerts list`."""

# ruff: noqa: PLC0415 - what a command needs is imported inside it

from datetime import UTC, datetime
from typing import Annotated

import typer

from storemon_pipeline.commands.options import (
    DatabaseUrlOption,
    HomeOption,
    build_settings,
    one_line_errors,
    open_database,
)
from storemon_pipeline.host.errors import ServiceError

alerts_app = typer.Typer(
    help="Alerts: list them, test the notification addresses.", no_args_is_help=True
)


@alerts_app.command("test")
def test_alerts_command() -> None:
    """Send a test message to every address in STOREMON_ALERT_URLS; exit status 1 on a failure."""
    with one_line_errors():
        from storemon_pipeline.alerts.deliver import NotSentError, send
        from storemon_pipeline.alerts.messages import trial
        from storemon_pipeline.alerts.targets import labelled, split_urls

        settings = build_settings()
        urls = settings.alert_urls
        targets = {} if urls is None else labelled(split_urls(urls.get_secret_value()))
        if not targets:
            raise ServiceError(
                "No address is set: set STOREMON_ALERT_URLS to Apprise URLs, such as "
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
            raise ServiceError(f"{failed} of {len(targets)} addresses failed.")


@alerts_app.command("list")
def list_alerts_command(
    limit: Annotated[int, typer.Option(min=1, help="Number of alerts.")] = 20,
    open_only: Annotated[  # noqa: FBT002 - typer reads it
        bool, typer.Option("--open", help="Only open alerts.")
    ] = False,
    home: HomeOption = None,
    database_url: DatabaseUrlOption = None,
) -> None:
    """List alerts and their messages: open alerts first, then newest first."""
    with one_line_errors(), open_database(home, database_url) as url:
        from storemon_pipeline.alerts.alert_lines import alert_lines

        lines = list(alert_lines(url, is_open=True if open_only else None, limit=limit))
        if not lines:
            typer.echo("There are no alerts.")
        for line in lines:
            typer.echo(line)
