"""Accounts for tests, and signing in as they do."""

from functools import cache
from typing import Final

import httpx
import sqlalchemy as sa

from storemon_pipeline.access.account_management import choose_password, invite_account
from storemon_pipeline.access.accounts import Account, AccountRights, Role
from storemon_pipeline.access.audit_log import AuditEvent
from storemon_pipeline.access.passwords import hash_password

PASSWORD: Final = "correct horse battery staple"  # noqa: S105 - of tests
BY_TEST: Final = AuditEvent(action="test")


def new_account(
    engine: sa.Engine,
    role: Role = Role.ADMIN,
    *,
    email: str | None = None,
    stores: set[str] | None = None,
    groups: set[str] | None = None,
) -> Account:
    """Return a new account that signs in with the password above."""
    link = invite_account(
        engine,
        email=email or f"{role}@example.com",
        name=f"The {role}",
        rights=AccountRights(
            role=role, store_ids=frozenset(stores or ()), groups=frozenset(groups or ())
        ),
        audit=BY_TEST,
        is_forced=True,
    )
    return choose_password(engine, link.token, _password_hash(), audit=BY_TEST)


def sign_in(
    client: httpx.Client,
    email: str,
    password: str = PASSWORD,
    *,
    wanted: str = "/",
    headers: dict[str, str] | None = None,
) -> httpx.Response:
    """Send the form of the sign-in page; the client keeps the cookies."""
    form = {"email": email, "password": password, "next": wanted}
    return client.post("/sign-in", data=form, headers=headers)


@cache
def _password_hash() -> str:
    return hash_password(PASSWORD)
