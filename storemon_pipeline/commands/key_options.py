"""The options of `storemon keys create`, and the lines of `storemon keys list`."""

import getpass
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from storemon_pipeline.access.administrators import NoAdministratorError, UnknownStoresError
from storemon_pipeline.access.key_management import create_key
from storemon_pipeline.access.key_table import KeyNameTakenError
from storemon_pipeline.access.keys import ApiKey, Scope
from storemon_pipeline.domain.counts import counted
from storemon_pipeline.domain.text_directions import with_visible_directions
from storemon_pipeline.host.errors import ServiceError, StartError

_DAYS = re.compile(r"([0-9]{1,5})d")
_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,100}")


@dataclass(frozen=True, slots=True)
class KeyOptions:
    """Options for a new key."""

    name: str
    scopes: frozenset[Scope]
    store_ids: frozenset[str] | None
    expires_at: datetime | None
    is_forced: bool = False

    @classmethod
    def parse(
        cls,
        *,
        name: str,
        stores: Sequence[str],
        is_all: bool,
        scopes: Sequence[str],
        expires: str | None,
        is_forced: bool,
    ) -> Self:
        """Parse the options. Raises StartError that names the wrong one and says why."""
        if not _NAME.fullmatch(name):
            raise StartError("--name must be a line of 1 to 100 characters.")
        if is_all == bool(stores):
            raise StartError(
                "Say which stores the key may see: --store ID, as often as needed, or --all-stores."
            )
        try:
            wanted = frozenset(Scope(scope) for scope in scopes) or frozenset({Scope.READ})
        except ValueError as error:
            raise StartError(f"--scope is one of {', '.join(Scope)}.") from error
        return cls(name, wanted, None if is_all else frozenset(stores), _expiry(expires), is_forced)

    def create(self, url: str) -> str:
        """Create the key; return its token. Raises ServiceError with what to do instead."""
        try:
            made = create_key(
                url,
                name=self.name,
                scopes=self.scopes,
                store_ids=self.store_ids,
                expires_at=self.expires_at,
                by=system_user(),
                is_forced=self.is_forced,
            )
        except NoAdministratorError as error:
            raise ServiceError(
                "From the first key on every request needs a key or an account, and this key could "
                "not administer the service: first run `storemon keys create --name admin "
                "--all-stores --scope admin`, or add --force."
            ) from error
        except UnknownStoresError as error:
            raise ServiceError(
                f"No data names the store {error.store_ids[0]!r}, so the key would show nothing: "
                "check the id, use --all-stores for every store, or add --force."
            ) from error
        except KeyNameTakenError as error:
            raise ServiceError(
                f"A key {self.name} exists: choose another --name, or revoke that one first."
            ) from error
        return made.token


def describe_key(key: ApiKey, now: datetime) -> str:
    """Return the line of a key in the list."""
    if key.revoked_at is not None:
        state = f"revoked {key.revoked_at:%Y-%m-%d %H:%M}Z"
    elif not key.is_usable(now):
        state = f"expired {key.expires_at:%Y-%m-%d %H:%M}Z"
    elif key.expires_at is not None:
        state = f"until {key.expires_at:%Y-%m-%d %H:%M}Z"
    else:
        state = "never expires"
    used = "never used" if key.last_used_at is None else f"used {key.last_used_at:%Y-%m-%d %H:%M}Z"
    stores = "all stores" if key.store_ids is None else counted(len(key.store_ids), "store")
    return with_visible_directions(
        f"{key.key_id}  {key.name}  {'+'.join(sorted(key.scopes))}  {stores}  {state}  {used}"
    )


def system_user() -> str:
    """Return the user of the command line, for the audit log."""
    try:
        return f"user {getpass.getuser()}"
    except (KeyError, OSError):
        return "command line"


def _expiry(text: str | None) -> datetime | None:
    if text is None:
        return None
    days = _DAYS.fullmatch(text.strip())
    try:
        if days is not None:
            return datetime.now(UTC) + timedelta(days=int(days[1]))
        instant = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError) as error:
        raise StartError(
            "--expires is an instant such as 2027-01-01T00:00Z, or days such as 30d."
        ) from error
    return instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)
