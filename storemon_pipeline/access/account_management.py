"""Inviting, changing and disabling accounts; each change is recorded in the audit log."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from storemon_pipeline.access.account_table import (
    delete_links,
    find_account,
    find_account_of_id,
    find_account_of_link,
    find_accounts,
    insert_account,
    insert_link,
    lock_account,
    read_accounts,
    read_stores_of_groups,
    update_account,
    update_rights,
)
from storemon_pipeline.access.accounts import Account, AccountRights
from storemon_pipeline.access.administrators import check_administrator, check_stores
from storemon_pipeline.access.audit_log import AuditEvent, record_event
from storemon_pipeline.access.session_table import delete_sessions_of
from storemon_pipeline.access.sessions import make_secret, secret_digest
from storemon_pipeline.database.connections import create_engine, read_clock

INVITATION_LASTS: Final = timedelta(days=7)
RESET_LASTS: Final = timedelta(hours=1)


class NoAccountError(Exception):
    """No account has this email address or id."""


class NoLinkError(Exception):
    """No link has this token: it was used, replaced, or has expired."""


class UnknownGroupsError(Exception):
    """Groups without any store; says which."""


@dataclass(frozen=True, slots=True)
class NewLink:
    """A link with which the person chooses a password; the token is stored nowhere."""

    account: Account
    token: str
    expires_at: datetime


def invite_account(
    engine: sa.Engine,
    *,
    email: str,
    name: str,
    rights: AccountRights,
    audit: AuditEvent,
    is_forced: bool = False,
    may_be_unknown: bool = False,
) -> NewLink:
    """A new account, and the link of its invitation.

    From the first account on, every request needs an identity. So the first one must be able to
    administer, and every store and group must be known, unless `is_forced`. `may_be_unknown`
    allows unknown stores and groups alone. Raises EmailTakenError, NoAdministratorError,
    UnknownStoresError and UnknownGroupsError.
    """
    with engine.begin() as connection:
        account = insert_account(connection, email=email, name=name, rights=rights)
        if not is_forced:
            check_administrator(connection)
        if not (is_forced or may_be_unknown):
            _check_known(connection, rights)
        link = _new_link(connection, account, INVITATION_LASTS)
        _record(connection, audit, account)
    return link


def change_account(
    engine: sa.Engine,
    account_id: int,
    *,
    name: str | None,
    rights: AccountRights,
    audit: AuditEvent,
    is_forced: bool = False,
    may_be_unknown: bool = False,
) -> Account:
    """The account has these rights, and this name unless it is None.

    Its sessions have ended when the rights are new. `is_forced` and `may_be_unknown` are those of
    `invite_account`. Raises NoAccountError, NoAdministratorError, UnknownStoresError and
    UnknownGroupsError.
    """
    with engine.begin() as connection:
        before = lock_account(connection, account_id)
        if before is None:
            raise NoAccountError(account_id)
        account = update_rights(connection, account_id, name=name or before.name, rights=rights)
        if account is None:
            raise NoAccountError(account_id)
        if not is_forced:
            check_administrator(connection)
        if not (is_forced or may_be_unknown):
            _check_known(connection, rights)
        if before.rights != rights:
            delete_sessions_of(connection, account_id)
        _record(connection, audit, account)
    return account


def disable_account(
    engine: sa.Engine, account_id: int, *, audit: AuditEvent, is_forced: bool = False
) -> Account:
    """Nobody can sign in with the account; its sessions and links have ended.

    Raises NoAccountError, and NoAdministratorError for the last administrator unless `is_forced`.
    """
    with engine.begin() as connection:
        account = update_account(connection, account_id, disabled_at=sa.func.now())
        if account is None:
            raise NoAccountError(account_id)
        if not is_forced:
            check_administrator(connection)
        delete_sessions_of(connection, account_id)
        delete_links(connection, account_id)
        _record(connection, audit, account)
    return account


def enable_account(engine: sa.Engine, account_id: int, *, audit: AuditEvent) -> Account:
    """The person may sign in again. Raises NoAccountError."""
    with engine.begin() as connection:
        account = update_account(connection, account_id, disabled_at=None)
        if account is None:
            raise NoAccountError(account_id)
        _record(connection, audit, account)
    return account


def make_link(engine: sa.Engine, email: str, *, audit: AuditEvent) -> NewLink:
    """A link that replaces older ones of the account. Raises NoAccountError, also when disabled."""
    with engine.begin() as connection:
        account = find_account(connection, email)
        if account is None or not account.is_enabled:
            raise NoAccountError(email)
        lasts = INVITATION_LASTS if account.password_hash is None else RESET_LASTS
        link = _new_link(connection, account, lasts)
        _record(connection, audit, account)
    return link


def find_link(engine: sa.Engine, token: str) -> Account | None:
    """The account of a link that works."""
    with engine.begin() as connection:
        return find_account_of_link(connection, secret_digest(token))


def choose_password(
    engine: sa.Engine, token: str, password_hash: str, *, audit: AuditEvent
) -> Account:
    """The account has this password, its sessions have ended, and the link works no more.

    Raises NoLinkError.
    """
    with engine.begin() as connection:
        account = find_account_of_link(connection, secret_digest(token))
        if account is None:
            raise NoLinkError
        delete_links(connection, account.account_id)
        delete_sessions_of(connection, account.account_id)
        update_account(connection, account.account_id, password_hash=password_hash)
        _record(connection, audit, account)
    return account


def list_accounts(engine: sa.Engine) -> list[Account]:
    """All accounts, by email address."""
    with engine.connect() as connection:
        return read_accounts(connection)


def has_enabled_account(url: str) -> bool:
    """Whether somebody can sign in, so that requests need an account or a key."""
    engine = create_engine(url, application_name="storemon accounts", pool_size=1)
    try:
        return any(account.is_enabled for account in list_accounts(engine))
    finally:
        engine.dispose()


def account_of_email(engine: sa.Engine, email: str) -> Account:
    """The account of this email address. Raises NoAccountError."""
    with engine.connect() as connection:
        account = find_account(connection, email)
    if account is None:
        raise NoAccountError(email)
    return account


def account_of_id(engine: sa.Engine, account_id: int) -> Account:
    """The account with this id. Raises NoAccountError."""
    with engine.connect() as connection:
        account = find_account_of_id(connection, account_id)
    if account is None:
        raise NoAccountError(account_id)
    return account


def search_accounts(
    engine: sa.Engine, text: str, *, offset: int, limit: int
) -> tuple[list[Account], int]:
    """Some of the accounts whose name or email address has this text, and how many there are."""
    with engine.connect() as connection:
        return find_accounts(connection, text, offset=offset, limit=limit)


def _check_known(connection: sa.Connection, rights: AccountRights) -> None:
    check_stores(connection, rights.store_ids)
    unknown = rights.groups - read_stores_of_groups(connection, rights.groups).keys()
    if unknown:
        raise UnknownGroupsError(", ".join(sorted(unknown)))


def _new_link(connection: sa.Connection, account: Account, lasts: timedelta) -> NewLink:
    secret = make_secret()
    expires_at = read_clock(connection) + lasts
    insert_link(connection, account.account_id, secret.token_sha256, expires_at)
    return NewLink(account, secret.token, expires_at)


def _record(connection: sa.Connection, audit: AuditEvent, account: Account) -> None:
    record_event(connection, replace(audit, subject=f"account {account.account_id}"))
