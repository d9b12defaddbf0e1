"""Settings of the API, read from environment variables when `ApiSettings` is created."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import Field, PositiveInt, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

PositiveSeconds = Annotated[float, Field(gt=0)]


class ApiSettings(BaseSettings):
    """Settings of one API process; each is the variable `STOREMON_` + its name in capitals."""

    model_config = SettingsConfigDict(env_prefix="STOREMON_", extra="ignore", frozen=True)

    database_url: SecretStr
    """The database: `postgresql://user:password@host:port/name`."""

    dagster_url: str = "http://127.0.0.1:3000"
    """Root URL of Dagster's webserver."""

    dagster_token: SecretStr | None = None
    """The token that a guarded Dagster webserver expects; `storemon up` sets it."""

    home: Path = Path(".storemon")
    """The folder of the service, where the signing key is made."""

    signing_key: Path | None = None
    """The file with the Ed25519 key that signs dispute packs, as PEM; default: in the home."""

    api_connections: PositiveInt = 12
    """Database connections in the pool: requests that can use the database at the same time."""

    api_body_timeout_seconds: PositiveSeconds = 10.0
    """How long a client may take to send the body of a request."""

    api_dagster_timeout_seconds: PositiveSeconds = 30.0
    """Timeout of one request to Dagster."""

    api_requests_per_second: PositiveSeconds = 2_000.0
    """Sustained rate limit for each key, or for each client address without a key."""

    api_request_burst: PositiveInt = 10_000
    """How many requests may come at once before the rate limit applies."""

    api_max_body_bytes: PositiveInt = 16 * 1024 * 1024
    """The largest request body that any address accepts; most accept less."""

    @property
    def signing_key_file(self) -> Path:
        """The file with the key that signs dispute packs."""
        return self.signing_key or self.home / "signing-key.pem"

    @property
    def body_timeout(self) -> timedelta:
        """How long a client may take to send the body of a request."""
        return timedelta(seconds=self.api_body_timeout_seconds)
