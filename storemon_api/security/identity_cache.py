"""In-memory cache of keys, accounts and sessions.

They are read every second. The time of their last use is written once a minute. What an
identity may do is in `access_rules`.
"""

import logging
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, TypeVar

import sqlalchemy as sa

from storemon_api.http.log_once import LogOnce
from storemon_pipeline.access.account_table import read_accounts, read_stores_of_groups
from storemon_pipeline.access.accounts import Account
from storemon_pipeline.access.identities import Identity, account_identity, key_identity
from storemon_pipeline.access.key_management import record_uses
from storemon_pipeline.access.key_table import read_keys
from storemon_pipeline.access.keys import ApiKey, has_secret, split_token
from storemon_pipeline.access.session_management import record_session_uses
from storemon_pipeline.access.session_table import read_sessions
from storemon_pipeline.access.sessions import Session, secret_digest

DEFAULT_IDLE_LIMIT: Final = timedelta(hours=72)

_RELOAD_SECONDS: Final = 1.0
_MIN_SECONDS_BETWEEN_LOADS: Final = 0.25
_RECORD_USE_EVERY: Final = timedelta(minutes=1)
_READ_GROUPS_EVERY_SECONDS: Final = 30.0

_Name = TypeVar("_Name", str, bytes)

_logger = logging.getLogger(__name__)


class Proof(StrEnum):
    """How a sender says who it is."""

    KEY = "key"
    """The token of an API key."""
    SESSION = "session"
    """The token of a session, from its cookie."""
    PROXY = "proxy"
    """An email address, from a trusted proxy."""


@dataclass(frozen=True, slots=True)
class Credential:
    """What a request was sent with; browsers send an ambient one with requests of any page."""

    proof: Proof
    text: str = field(repr=False)
    is_ambient: bool


@dataclass(frozen=True, slots=True)
class Identities:
    """All keys, accounts and sessions as they were read at one time."""

    keys: Mapping[str, ApiKey] = field(default_factory=dict)
    accounts: Mapping[int, Account] = field(default_factory=dict)
    by_email: Mapping[str, Account] = field(default_factory=dict)
    sessions: Mapping[bytes, Session] = field(default_factory=dict)
    stores_of_groups: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        keys: Iterable[ApiKey],
        accounts: Iterable[Account] = (),
        sessions: Iterable[Session] = (),
        stores_of_groups: Mapping[str, frozenset[str]] | None = None,
    ) -> "Identities":
        """Return these, by what they are found with."""
        listed = list(accounts)
        return cls(
            {key.key_id: key for key in keys},
            {account.account_id: account for account in listed},
            {account.email: account for account in listed},
            {session.token_sha256: session for session in sessions},
            stores_of_groups or {},
        )


class IdentityCache:
    """All keys, accounts and sessions of the database; what ends there ends here within a second.

    While the database is unavailable, those that were read last stay valid.
    """

    def __init__(
        self,
        engine: sa.Engine,
        *,
        known: Identities | None = None,
        idle_limit: timedelta = DEFAULT_IDLE_LIMIT,
    ) -> None:
        """Prepare; `known` ones are valid from the start."""
        self._engine = engine
        self._idle_limit = idle_limit
        self._known = known
        self._load_lock = threading.Lock()
        self._loaded_tick = float("-inf")
        self._groups: frozenset[str] = frozenset()
        self._groups_tick = float("-inf")
        self._key_uses: dict[str, datetime] = {}
        self._session_uses: dict[bytes, datetime] = {}
        self._recorded_keys: dict[str, datetime] = {}
        self._recorded_sessions: dict[bytes, datetime] = {}
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="identity cache", daemon=True)
        self._log = LogOnce(_logger, "The tables of API keys and accounts")

    def start(self) -> None:
        """Start the thread that reads the identities."""
        self._thread.start()

    def stop(self, time_limit: timedelta) -> None:
        """Stop the thread and write the last uses."""
        self._is_stopping.set()
        self._thread.join(time_limit.total_seconds())

    @property
    def is_loaded(self) -> bool:
        """Whether the identities have been read."""
        return self._known is not None

    @property
    def is_empty(self) -> bool:
        """Whether there is neither a key nor an account, as far as is known; False until read."""
        return self._known is not None and not self._known.keys and not self._known.accounts

    @property
    def has_accounts(self) -> bool:
        """Whether there is an account."""
        return self._known is not None and bool(self._known.accounts)

    def seconds_to_load(self) -> float:
        """Return how long to wait before `load` reads again."""
        passed = time.monotonic() - self._loaded_tick
        return max(0.0, _MIN_SECONDS_BETWEEN_LOADS - passed)

    def load(self, *, since: float | None = None) -> None:
        """Read all, unless a read has begun since then, by default in the last quarter second.

        `since` is in seconds of the monotonic clock. Wait before for `seconds_to_load`: event loops
        may wake up early, so the time that has passed since is not looked at again. Raises
        sqlalchemy.exc.SQLAlchemyError.
        """
        with self._load_lock:
            if since is None:
                since = time.monotonic() - _MIN_SECONDS_BETWEEN_LOADS
            if self._loaded_tick >= since:
                return
            self._loaded_tick = time.monotonic()
            with self._engine.connect() as connection:
                keys = read_keys(connection)
                accounts = read_accounts(connection)
                sessions = read_sessions(connection) if accounts else []
                stores_of_groups = self._read_groups(connection, accounts)
            self._known = Identities.of(keys, accounts, sessions, stores_of_groups)

    def knows(self, credential: Credential) -> bool:
        """Whether reading again would find nothing new about the credential."""
        known = self._known or Identities()
        match credential.proof:
            case Proof.KEY:
                parts = split_token(credential.text)
                return parts is not None and parts[0] in known.keys
            case Proof.SESSION:
                return secret_digest(credential.text) in known.sessions
            case Proof.PROXY:
                return credential.text in known.by_email

    def find(self, credential: Credential, now: datetime) -> Identity | None:
        """Return the identity of a valid credential, and note its use."""
        known = self._known or Identities()
        match credential.proof:
            case Proof.KEY:
                parts = split_token(credential.text)
                if parts is None:
                    return None
                key = known.keys.get(parts[0])
                if not has_secret(key, parts[1]) or key is None or not key.is_usable(now):
                    return None
                self._key_uses[key.key_id] = now
                return key_identity(key)
            case Proof.SESSION:
                digest = secret_digest(credential.text)
                session = known.sessions.get(digest)
                if session is None or not self._is_session_usable(session, now):
                    return None
                self._session_uses[digest] = now
                return self._identity_of(known, known.accounts.get(session.account_id))
            case Proof.PROXY:
                return self._identity_of(known, known.by_email.get(credential.text))

    def is_still(self, identity: Identity, credential: Credential, now: datetime) -> bool:
        """Whether the credential is valid and gives the same rights as before."""
        known = self._known or Identities()
        if identity.key_id is not None:
            key = known.keys.get(identity.key_id)
            return key is not None and key.is_usable(now)
        account = known.accounts.get(identity.account_id or 0)
        if credential.proof is Proof.SESSION:
            session = known.sessions.get(secret_digest(credential.text))
            if session is None or not self._is_session_usable(session, now):
                return False
        return self._identity_of(known, account) == identity

    def _is_session_usable(self, session: Session, now: datetime) -> bool:
        # A use that is not written yet counts as well.
        used = self._session_uses.get(session.token_sha256)
        if used is not None and now < session.expires_at and now - used < self._idle_limit:
            return True
        return session.is_usable(now, idle_limit=self._idle_limit)

    @staticmethod
    def _identity_of(known: Identities, account: Account | None) -> Identity | None:
        if account is None or not account.is_enabled:
            return None
        return account_identity(account, known.stores_of_groups)

    def _read_groups(
        self, connection: sa.Connection, accounts: Iterable[Account]
    ) -> Mapping[str, frozenset[str]]:
        """The stores of the accounts' groups. They change rarely, and there may be many."""
        groups = frozenset[str]().union(*(account.rights.groups for account in accounts))
        age = time.monotonic() - self._groups_tick
        if self._known is not None and groups == self._groups and age < _READ_GROUPS_EVERY_SECONDS:
            return self._known.stores_of_groups
        found = read_stores_of_groups(connection, groups) if groups else {}
        self._groups, self._groups_tick = groups, time.monotonic()
        return found

    def _run(self) -> None:
        while not self._is_stopping.wait(_RELOAD_SECONDS):
            self._refresh()
        self._refresh(is_last=True)

    def _refresh(self, *, is_last: bool = False) -> None:
        try:
            self.load()
            if due := _due(self._key_uses, self._recorded_keys, is_last=is_last):
                record_uses(self._engine, due)
                self._recorded_keys |= due
            if due_sessions := _due(self._session_uses, self._recorded_sessions, is_last=is_last):
                record_session_uses(self._engine, due_sessions)
                self._recorded_sessions |= due_sessions
            self._forget_ended_sessions()
            self._log.recovered()
        except sa.exc.SQLAlchemyError as error:
            self._log.failed(error)

    def _forget_ended_sessions(self) -> None:
        sessions = (self._known or Identities()).sessions
        for digest in self._session_uses.keys() - sessions.keys():
            self._session_uses.pop(digest, None)
            self._recorded_sessions.pop(digest, None)


def _due(
    uses: dict[_Name, datetime], recorded: Mapping[_Name, datetime], *, is_last: bool
) -> dict[_Name, datetime]:
    """Return the uses that are worth recording."""
    return {
        name: used
        for name, used in uses.copy().items()
        if (before := recorded.get(name)) is None
        or used - before >= _RECORD_USE_EVERY
        or (is_last and used > before)
    }


def utc_now() -> datetime:
    """Return the time that expiry is compared with."""
    return datetime.now(UTC)
