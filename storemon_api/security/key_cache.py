"""In-memory cache of the API keys: read every second, last uses written once a minute.

What a key may do is in `access_rules`.
"""

import logging
import threading
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

import sqlalchemy as sa

from storemon_api.http.log_once import LogOnce
from storemon_pipeline.access.key_management import record_uses
from storemon_pipeline.access.key_table import read_keys
from storemon_pipeline.access.keys import ApiKey, has_secret, split_token

_RELOAD_SECONDS: Final = 1.0
_MIN_SECONDS_BETWEEN_LOADS: Final = 0.25
_RECORD_USE_EVERY: Final = timedelta(minutes=1)

_logger = logging.getLogger(__name__)


class KeyCache:
    """All keys of the database; a revoked key is refused after a second at most.

    While the database is unavailable, the keys that were read last stay valid.
    """

    def __init__(self, engine: sa.Engine, *, keys: Iterable[ApiKey] | None = None) -> None:
        """Prepare; `keys` are known from the start."""
        self._engine = engine
        self._keys: dict[str, ApiKey] | None = None
        if keys is not None:
            self._keys = {key.key_id: key for key in keys}
        self._load_lock = threading.Lock()
        self._loaded_tick = float("-inf")
        self._used: dict[str, datetime] = {}
        self._recorded: dict[str, datetime] = {}
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="key cache", daemon=True)
        self._log = LogOnce(_logger, "The table of API keys")

    def start(self) -> None:
        """Start the thread that reads the keys."""
        self._thread.start()

    def stop(self, time_limit: timedelta) -> None:
        """Stop the thread and write the last uses."""
        self._is_stopping.set()
        self._thread.join(time_limit.total_seconds())

    @property
    def is_loaded(self) -> bool:
        """Whether the keys have been read."""
        return self._keys is not None

    @property
    def is_empty(self) -> bool:
        """Whether no key was ever created.

        Revoked and expired keys count, so that losing the last key does not open the API.
        """
        return not self._keys

    def seconds_to_load(self) -> float:
        """Return the time until `load` reads the keys again."""
        passed = time.monotonic() - self._loaded_tick
        return max(0.0, _MIN_SECONDS_BETWEEN_LOADS - passed)

    def load(self) -> None:
        """Read the keys, at most 4 times a second. Raises sqlalchemy.exc.SQLAlchemyError."""
        with self._load_lock:
            if time.monotonic() - self._loaded_tick < _MIN_SECONDS_BETWEEN_LOADS:
                return
            self._loaded_tick = time.monotonic()
            with self._engine.connect() as connection:
                keys = read_keys(connection)
            self._keys = {key.key_id: key for key in keys}

    def knows(self, token: str) -> bool:
        """Whether the token's key id is known, whatever its secret."""
        parts = split_token(token)
        return parts is not None and parts[0] in (self._keys or {})

    def is_usable(self, key_id: str, now: datetime) -> bool:
        """Whether the key is neither revoked nor expired, as far as is known."""
        key = (self._keys or {}).get(key_id)
        return key is not None and key.is_usable(now)

    def find(self, token: str, now: datetime) -> ApiKey | None:
        """Return the token's key if it is valid, and note its use."""
        id_and_secret = split_token(token)
        if id_and_secret is None:
            return None
        key_id, secret = id_and_secret
        key = (self._keys or {}).get(key_id)
        if not has_secret(key, secret) or key is None or not key.is_usable(now):
            return None
        self._used[key_id] = now
        return key

    def _run(self) -> None:
        while not self._is_stopping.wait(_RELOAD_SECONDS):
            self._refresh()
        self._refresh(is_last=True)

    def _refresh(self, *, is_last: bool = False) -> None:
        try:
            self.load()
            self._record_uses(is_last=is_last)
            self._log.recovered()
        except sa.exc.SQLAlchemyError as error:
            self._log.failed(error)

    def _record_uses(self, *, is_last: bool) -> None:
        due = {
            key_id: used
            for key_id, used in self._used.copy().items()
            if (recorded := self._recorded.get(key_id)) is None
            or used - recorded >= _RECORD_USE_EVERY
            or (is_last and used > recorded)
        }
        if due:
            record_uses(self._engine, due)
            self._recorded |= due


def utc_now() -> datetime:
    """Return the time that expiry is compared with."""
    return datetime.now(UTC)
