"""The commands `accounts invite`, `list`, `change`, `link`, `disable` and `enable`."""

# ruff: noqa: PLC0415 - what a command needs is imported inside it

from typing import Annotated

import typer

from storemon_pipeline.commands.options import (
    DatabaseUrlOption,
    HomeOption,
    build_settings,
    one_line_errors,
    open_database,
)

accounts_app = typer.Typer(
    help="Accounts of people who sign in: invite, list, change and disable them.",
    no_args_is_help=True,
)

_Email = Annotated[str, typer.Argument(metavar="EMAIL", help="Email address of the person.")]
_Role = Annotated[
    str, typer.Option("--role", help="owner (of some stores), operator (of all) or admin.")
]
_Stores = Annotated[
    list[str] | None,
    typer.Option("--store", metavar="ID", help="A store of an owner; may be repeated."),
]
_Groups = Annotated[
    list[str] | None,
    typer.Option("--group", metavar="NAME", help="A group whose stores an owner sees; repeatable."),
]
_Name = Annotated[
    str | None,
    typer.Option(
        "--name", help="Name of the person.", show_default="what is before the @, or as it is"
    ),
]
_Force = Annotated[
    bool,
    typer.Option(
        "--force", help="Do it even if nobody could administer, or a store or group is unknown."
    ),
]


@accounts_app.command("invite")
def invite_command(
    email: _Email,
    role: _Role,
    name: _Name = None,
    store: _Stores = None,
    group: _Groups = None,
    force: _Force = False,  # noqa: FBT002 - typer reads it
    home: HomeOption = None,
    database_url: DatabaseUrlOption = None,
) -> None:
    """Create an account, and mail or print the link with which the person chooses a password."""
    with one_line_errors():
        from storemon_pipeline.access.account_management import invite_account
        from storemon_pipeline.access.accounts import normal_email, normal_name
        from storemon_pipeline.commands.accounts.account_options import (
            account_database,
            by_command,
            describe_link,
            parse_rights,
        )

        rights = parse_rights(role, store or [], group or [])
        with open_database(home, database_url) as url, account_database(url) as engine:
            link = invite_account(
                engine,
                email=normal_email(email),
                name=normal_name(name or email.partition("@")[0]),
                rights=rights,
                audit=by_command("account.invite"),
                is_forced=force,
            )
        typer.echo(describe_link(build_settings(home=home), link))
        typer.echo("From now on every request needs an account or a key.", err=True)


@accounts_app.command("list")
def list_command(home: HomeOption = None, database_url: DatabaseUrlOption = None) -> None:
    """List accounts, by email address."""
    with one_line_errors(), open_database(home, database_url) as url:
        from storemon_pipeline.access.account_management import list_accounts
        from storemon_pipeline.commands.accounts.account_options import (
            account_database,
            describe_account,
        )

        with account_database(url) as engine:
            accounts = list_accounts(engine)
        if not accounts:
            typer.echo("There are no accounts yet.")
        for account in accounts:
            typer.echo(describe_account(account))


@accounts_app.command("change")
def change_command(
    email: _Email,
    role: _Role,
    name: _Name = None,
    store: _Stores = None,
    group: _Groups = None,
    force: _Force = False,  # noqa: FBT002 - typer reads it
    home: HomeOption = None,
    database_url: DatabaseUrlOption = None,
) -> None:
    """Give an account another role or other stores. Its sessions end."""
    with one_line_errors():
        from storemon_pipeline.access.account_management import account_of_email, change_account
        from storemon_pipeline.access.accounts import normal_email, normal_name
        from storemon_pipeline.commands.accounts.account_options import (
            account_database,
            by_command,
            describe_account,
            parse_rights,
        )

        rights = parse_rights(role, store or [], group or [])
        with open_database(home, database_url) as url, account_database(url) as engine:
            before = account_of_email(engine, normal_email(email))
            account = change_account(
                engine,
                before.account_id,
                name=normal_name(name or before.name),
                rights=rights,
                audit=by_command("account.change"),
                is_forced=force,
            )
        typer.echo(describe_account(account))


@accounts_app.command("link")
def link_command(
    email: _Email, home: HomeOption = None, database_url: DatabaseUrlOption = None
) -> None:
    """Mail or print a new link with which the person chooses a password. Older links end."""
    with one_line_errors(), open_database(home, database_url) as url:
        from storemon_pipeline.access.account_management import make_link
        from storemon_pipeline.access.accounts import normal_email
        from storemon_pipeline.commands.accounts.account_options import (
            account_database,
            by_command,
            describe_link,
        )

        with account_database(url) as engine:
            link = make_link(engine, normal_email(email), audit=by_command("account.link"))
        typer.echo(describe_link(build_settings(home=home), link))


@accounts_app.command("disable")
def disable_command(
    email: _Email,
    force: _Force = False,  # noqa: FBT002 - typer reads it
    home: HomeOption = None,
    database_url: DatabaseUrlOption = None,
) -> None:
    """Disable an account. A running service ends its sessions within a second."""
    with one_line_errors(), open_database(home, database_url) as url:
        from storemon_pipeline.access.account_management import account_of_email, disable_account
        from storemon_pipeline.access.accounts import normal_email
        from storemon_pipeline.commands.accounts.account_options import account_database, by_command

        with account_database(url) as engine:
            account = account_of_email(engine, normal_email(email))
            audit = by_command("account.disable")
            disable_account(engine, account.account_id, audit=audit, is_forced=force)
        typer.echo(f"The account {account.email} is disabled.")


@accounts_app.command("enable")
def enable_command(
    email: _Email, home: HomeOption = None, database_url: DatabaseUrlOption = None
) -> None:
    """Let a disabled account sign in again."""
    with one_line_errors(), open_database(home, database_url) as url:
        from storemon_pipeline.access.account_management import account_of_email, enable_account
        from storemon_pipeline.access.accounts import normal_email
        from storemon_pipeline.commands.accounts.account_options import account_database, by_command

        with account_database(url) as engine:
            account = account_of_email(engine, normal_email(email))
            enable_account(engine, account.account_id, audit=by_command("account.enable"))
        typer.echo(f"The account {account.email} is enabled.")
