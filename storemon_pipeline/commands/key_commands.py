"""The commands `keys create`, `keys list` and `keys revoke`."""

# ruff: noqa: PLC0415 - what a command needs is imported inside it

from datetime import UTC, datetime
from typing import Annotated

import typer

from storemon_pipeline.commands.options import (
    DatabaseUrlOption,
    HomeOption,
    one_line_errors,
    open_database,
)
from storemon_pipeline.host.errors import ServiceError

keys_app = typer.Typer(help="API keys: create, list and revoke them.", no_args_is_help=True)


@keys_app.command("create")
def create_key_command(
    name: Annotated[str, typer.Option("--name", help="Name of the key in lists.")],
    store: Annotated[
        list[str] | None,
        typer.Option(
            "--store", metavar="ID", help="A store that the key may see. Repeat for more stores."
        ),
    ] = None,
    all_stores: Annotated[  # noqa: FBT002 - typer reads it
        bool, typer.Option("--all-stores", help="The key may see every store.")
    ] = False,
    scope: Annotated[
        list[str] | None,
        typer.Option(
            "--scope",
            help="read, trigger (and read), edit, ingest (and edit) or admin (everything).",
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
    force: Annotated[  # noqa: FBT002 - typer reads it
        bool,
        typer.Option(
            "--force",
            help="Create it even if no key could administer, or a store is unknown.",
        ),
    ] = False,
    home: HomeOption = None,
    database_url: DatabaseUrlOption = None,
) -> None:
    """Create a key and print its token. The token is shown once and not stored."""
    with one_line_errors():
        from storemon_pipeline.commands.key_options import KeyOptions

        options = KeyOptions.parse(
            name=name,
            stores=store or [],
            is_all=all_stores,
            scopes=scope or [],
            expires=expires,
            is_forced=force,
        )
        with open_database(home, database_url) as url:
            token = options.create(url)
        typer.echo(token)
        typer.echo(
            "Keep this token: it cannot be shown again. Send it as `Authorization: Bearer TOKEN`. "
            "From now on every request needs a key.",
            err=True,
        )


@keys_app.command("list")
def list_keys_command(home: HomeOption = None, database_url: DatabaseUrlOption = None) -> None:
    """List keys, without their tokens."""
    with one_line_errors(), open_database(home, database_url) as url:
        from storemon_pipeline.access.key_management import list_keys
        from storemon_pipeline.commands.key_options import describe_key

        keys = list_keys(url)
        if not keys:
            typer.echo("There are no keys yet.")
        for key in keys:
            typer.echo(describe_key(key, datetime.now(UTC)))


@keys_app.command("revoke")
def revoke_key_command(
    key: Annotated[str, typer.Argument(metavar="NAME", help="Name or id of the key.")],
    home: HomeOption = None,
    database_url: DatabaseUrlOption = None,
) -> None:
    """Revoke a key. A running service refuses it within a second."""
    with one_line_errors(), open_database(home, database_url) as url:
        from storemon_pipeline.access.key_management import NoKeyError, revoke_key
        from storemon_pipeline.commands.key_options import system_user

        try:
            revoked = revoke_key(url, key, by=system_user())
        except NoKeyError as error:
            raise ServiceError(
                f"There is no usable key {key}. `storemon keys list` shows all keys."
            ) from error
        typer.echo(f"Key {revoked.name} ({revoked.key_id}) is revoked.")
