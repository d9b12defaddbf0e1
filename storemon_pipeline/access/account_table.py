"""The tables of accounts and their links: statements only."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from storemon_pipeline.access.accounts import Account, AccountRights, Role
from storemon_pipeline.database.tables import account_links, accounts, store_details, stores


class EmailTakenError(Exception):
    """An account with this email address exists."""


def insert_account(
    connection: sa.Connection,
    *,
    email: str,
    name: str,
    rights: AccountRights,
    issuer: str | None = None,
    subject: str | None = None,
) -> Account:
    """The account exists, without a password. Raises EmailTakenError."""
    row = connection.execute(
        postgresql.insert(accounts)
        .values(email=email, name=name, issuer=issuer, subject=subject, **_columns(rights))
        .on_conflict_do_nothing()
        .returning(*accounts.c)
    ).one_or_none()
    if row is None:
        raise EmailTakenError(email)
    return _account(row._asdict())


def read_accounts(connection: sa.Connection) -> list[Account]:
    """All accounts, disabled ones included, by email address."""
    rows = connection.execute(sa.select(accounts).order_by(accounts.c.email))
    return [_account(row._asdict()) for row in rows]


def find_account(connection: sa.Connection, email: str) -> Account | None:
    """The account of this email address."""
    return _one(connection, accounts.c.email == email)


def find_account_of_id(connection: sa.Connection, account_id: int) -> Account | None:
    """The account with this id."""
    return _one(connection, accounts.c.account_id == account_id)


def find_accounts(
    connection: sa.Connection, text: str, *, offset: int, limit: int
) -> tuple[list[Account], int]:
    """Accounts whose name or email address has this text, by address; and how many there are."""
    has_text = sa.or_(
        accounts.c.email.icontains(text, autoescape=True),
        accounts.c.name.icontains(text, autoescape=True),
    )
    rows = connection.execute(
        sa.select(accounts).where(has_text).order_by(accounts.c.email).offset(offset).limit(limit)
    )
    found = [_account(row._asdict()) for row in rows]
    count = sa.select(sa.func.count()).select_from(accounts).where(has_text)
    return found, connection.scalar(count) or 0


def find_account_of_subject(connection: sa.Connection, issuer: str, subject: str) -> Account | None:
    """The account of a person whom an OpenID provider knows."""
    return _one(connection, accounts.c.issuer == issuer, accounts.c.subject == subject)


def lock_account(connection: sa.Connection, account_id: int) -> Account | None:
    """The account, which nobody else changes before this transaction ends."""
    row = connection.execute(
        sa.select(accounts).where(accounts.c.account_id == account_id).with_for_update()
    ).one_or_none()
    return None if row is None else _account(row._asdict())


def update_account(connection: sa.Connection, account_id: int, **values: object) -> Account | None:
    """The account has these values; None when there is none."""
    row = connection.execute(
        sa.update(accounts)
        .where(accounts.c.account_id == account_id)
        .values(**values)
        .returning(*accounts.c)
    ).one_or_none()
    return None if row is None else _account(row._asdict())


def update_rights(
    connection: sa.Connection, account_id: int, *, name: str, rights: AccountRights
) -> Account | None:
    """The account has this name and these rights; None when there is none."""
    return update_account(connection, account_id, name=name, **_columns(rights))


def insert_link(
    connection: sa.Connection, account_id: int, token_sha256: bytes, expires_at: datetime
) -> None:
    """The link is the only one with which the account's password can be chosen."""
    delete_links(connection, account_id)
    connection.execute(
        sa.insert(account_links).values(
            token_sha256=token_sha256, account_id=account_id, expires_at=expires_at
        )
    )


def delete_links(connection: sa.Connection, account_id: int) -> None:
    """No link of the account works any more."""
    connection.execute(sa.delete(account_links).where(account_links.c.account_id == account_id))


def find_account_of_link(connection: sa.Connection, token_sha256: bytes) -> Account | None:
    """The enabled account of a link that has not expired. The link stays locked until commit."""
    account_id = connection.scalar(
        sa.select(account_links.c.account_id)
        .where(
            account_links.c.token_sha256 == token_sha256,
            account_links.c.expires_at > sa.func.now(),
        )
        .with_for_update()
    )
    if account_id is None:
        return None
    return _one(connection, accounts.c.account_id == account_id, accounts.c.disabled_at.is_(None))


def read_stores_of_groups(
    connection: sa.Connection, groups: frozenset[str]
) -> dict[str, frozenset[str]]:
    """The ids of the stores of each of these groups; a group without stores is left out."""
    rows = connection.execute(
        sa.select(store_details.c.group_name, sa.func.array_agg(stores.c.store_id))
        .join(stores, stores.c.store_key == store_details.c.store_key)
        .where(
            store_details.c.group_name
            == sa.any_(sa.literal(sorted(groups), postgresql.ARRAY(sa.Text)))
        )
        .group_by(store_details.c.group_name)
    )
    return {name: frozenset(ids) for name, ids in rows}


def _one(connection: sa.Connection, *conditions: sa.ColumnElement[bool]) -> Account | None:
    row = connection.execute(sa.select(accounts).where(*conditions)).one_or_none()
    return None if row is None else _account(row._asdict())


def _columns(rights: AccountRights) -> dict[str, Any]:
    return {
        "role": rights.role,
        "store_ids": sorted(rights.store_ids),
        "groups": sorted(rights.groups),
    }


def _account(row: Mapping[str, Any]) -> Account:
    values = dict(row)
    rights = AccountRights(
        role=Role(values.pop("role")),
        store_ids=frozenset(values.pop("store_ids")),
        groups=frozenset(values.pop("groups")),
    )
    return Account(rights=rights, **values)
