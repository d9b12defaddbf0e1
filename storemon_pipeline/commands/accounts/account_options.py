"""The options of `storemon accounts`, what its commands do, and the lines of its list."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

import sqlalchemy as sa

from storemon_pipeline.access.account_management import (
    NewLink,
    NoAccountError,
    UnknownGroupsError,
)
from storemon_pipeline.access.account_table import EmailTakenError
from storemon_pipeline.access.accounts import Account, AccountRights, AccountValueError, Role
from storemon_pipeline.access.administrators import NoAdministratorError, UnknownStoresError
from storemon_pipeline.access.audit_log import AuditEvent
from storemon_pipeline.commands.key_options import system_user
from storemon_pipeline.database.connections import create_engine
from storemon_pipeline.domain.counts import counted
from storemon_pipeline.domain.text_directions import with_visible_directions
from storemon_pipeline.host.errors import ServiceError, StartError
from storemon_pipeline.invitations.link_mail import give_link
from storemon_pipeline.settings import Settings


@contextmanager
def account_database(url: str) -> Iterator[sa.Engine]:
    """Yield an engine for one command. Expected errors become one that says what to do."""
    engine = create_engine(url, application_name="storemon accounts", pool_size=1)
    try:
        yield engine
    except AccountValueError as error:
        raise StartError(str(error)) from error
    except EmailTakenError as error:
        raise ServiceError(
            f"An account with the address {error} exists: see `storemon accounts list`."
        ) from error
    except NoAccountError as error:
        raise ServiceError(
            f"There is no enabled account {error}. `storemon accounts list` shows all accounts."
        ) from error
    except NoAdministratorError as error:
        raise ServiceError(
            "Afterwards nobody could administer the service: first run `storemon accounts invite "
            "EMAIL --role admin` with your own address, or add --force."
        ) from error
    except UnknownStoresError as error:
        raise ServiceError(
            f"No data names the store {error.store_ids[0]!r}, so the account would show nothing: "
            "check the id, or add --force."
        ) from error
    except UnknownGroupsError as error:
        raise ServiceError(
            f"No store is in the group {str(error)!r}, so the account would show nothing: check "
            "the name, or add --force."
        ) from error
    finally:
        engine.dispose()


def parse_rights(role: str, stores: Sequence[str], groups: Sequence[str]) -> AccountRights:
    """Return the rights of these options. Raises StartError that says what is wrong."""
    try:
        chosen = Role(role)
    except ValueError as error:
        raise StartError(f"--role is one of {', '.join(Role)}.") from error
    try:
        return AccountRights(role=chosen, store_ids=frozenset(stores), groups=frozenset(groups))
    except AccountValueError as error:
        raise StartError(f"{error} See --store and --group.") from error


def by_command(action: str) -> AuditEvent:
    """Return the audit event of a command."""
    return AuditEvent(action=action, client=system_user())


def describe_link(settings: Settings, link: NewLink) -> str:
    """Return what to print: the link, unless a mail took it to the person.

    Mails need STOREMON_MAIL_URL and STOREMON_PUBLIC_URL.
    """
    until = f"It works once, until {link.expires_at:%Y-%m-%d %H:%M}Z."
    mail_url = None if settings.mail_url is None else settings.mail_url.get_secret_value()
    given = give_link(mail_url, settings.public_url, settings.api_url, link)
    if given.address is None:
        return f"The link was sent to {link.account.email}. {until}"
    reason = "" if given.error is None else f"The mail was not sent: {given.error}. "
    return f"{given.address}\n{reason}Send this link to {link.account.email}. {until}"


def describe_account(account: Account) -> str:
    """Return the line of an account in the list."""
    rights = account.rights
    if rights.role is Role.OWNER:
        sees = [counted(len(rights.store_ids), "store")] if rights.store_ids else []
        sees += [f"group {name}" for name in sorted(rights.groups)]
    else:
        sees = ["all stores"]
    if account.disabled_at is not None:
        state = f"disabled {_minute(account.disabled_at)}"
    elif account.last_sign_in_at is not None:
        state = f"signed in {_minute(account.last_sign_in_at)}"
    elif account.password_hash is None and account.subject is None:
        state = "invited"
    else:
        state = "never signed in"
    return with_visible_directions(
        f"{account.email}  {account.name}  {rights.role}  {', '.join(sees)}  {state}"
    )


def _minute(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M}Z"
