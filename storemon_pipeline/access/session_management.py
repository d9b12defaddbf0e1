"""Signing in and out: starting and ending sessions, recorded in the audit log."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import sqlalchemy as sa

from storemon_pipeline.access.account_table import (
    find_account,
    find_account_of_subject,
    insert_account,
    lock_account,
    update_account,
    update_rights,
)
from storemon_pipeline.access.accounts import Account, AccountRights
from storemon_pipeline.access.administrators import check_administrator
from storemon_pipeline.access.audit_log import AuditEvent, record_event
from storemon_pipeline.access.session_table import (
    delete_session,
    delete_sessions_of,
    insert_session,
    record_session_use,
)
from storemon_pipeline.access.sessions import Session, make_secret, secret_digest
from storemon_pipeline.database.connections import read_clock


class AccountDisabledError(Exception):
    """The account is disabled, or was removed."""


@dataclass(frozen=True, slots=True)
class ProviderPerson:
    """A person as an OpenID provider describes them, with the rights that their claims give."""

    issuer: str
    subject: str
    email: str
    is_email_verified: bool
    name: str
    rights: AccountRights


def account_to_verify(engine: sa.Engine, email: str) -> Account | None:
    """The account of this email address, if it is enabled."""
    with engine.connect() as connection:
        account = find_account(connection, email)
    return account if account is not None and account.is_enabled else None


def start_session(
    engine: sa.Engine, account_id: int, *, lasts: timedelta, audit: AuditEvent
) -> str:
    """A new session of the account; return its token. Raises AccountDisabledError."""
    with engine.begin() as connection:
        account = lock_account(connection, account_id)
        if account is None or not account.is_enabled:
            raise AccountDisabledError
        return _start(connection, account_id, lasts, audit)


def start_provider_session(
    engine: sa.Engine, person: ProviderPerson, *, lasts: timedelta, audit: AuditEvent
) -> str:
    """A new session of the person's account, with the rights of their claims; return its token.

    The first time an account is made, or the one that was invited with the same verified email
    address becomes theirs. Other sessions end when the rights are new. Raises
    AccountDisabledError, EmailTakenError, and NoAdministratorError when this would be the first
    account and cannot administer.
    """
    with engine.begin() as connection:
        account = find_account_of_subject(connection, person.issuer, person.subject)
        if account is None and person.is_email_verified:
            invited = find_account(connection, person.email)
            if invited is not None and invited.subject is None:
                account = update_account(
                    connection, invited.account_id, issuer=person.issuer, subject=person.subject
                )
        if account is None:
            account = insert_account(
                connection,
                email=person.email,
                name=person.name,
                rights=person.rights,
                issuer=person.issuer,
                subject=person.subject,
            )
        if not account.is_enabled:
            raise AccountDisabledError
        if account.rights != person.rights:
            delete_sessions_of(connection, account.account_id)
        update_rights(connection, account.account_id, name=person.name, rights=person.rights)
        check_administrator(connection)
        return _start(connection, account.account_id, lasts, audit)


def end_session(engine: sa.Engine, token: str, *, audit: AuditEvent) -> None:
    """The session has ended, if there was one."""
    with engine.begin() as connection:
        account_id = delete_session(connection, secret_digest(token))
        if account_id is not None:
            record_event(connection, replace(audit, account_id=account_id))


def record_session_uses(engine: sa.Engine, last_used: Mapping[bytes, datetime]) -> None:
    """Record the last use of each session, by digest, unless a later use is known."""
    with engine.begin() as connection:
        record_session_use(connection, last_used)


def _start(connection: sa.Connection, account_id: int, lasts: timedelta, audit: AuditEvent) -> str:
    secret = make_secret()
    now = read_clock(connection)
    insert_session(connection, Session(secret.token_sha256, account_id, now, now + lasts))
    update_account(connection, account_id, last_sign_in_at=now)
    record_event(connection, replace(audit, account_id=account_id))
    return secret.token
