"""What the API reads from its environment. Nothing here is read at import."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field, PositiveInt, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

PositiveSeconds = Annotated[float, Field(gt=0)]


class ApiSettings(BaseSettings):
    """Settings of one API process; each is the variable `STOREMON_` + its name in capitals."""

    model_config = SettingsConfigDict(env_prefix="STOREMON_", extra="ignore", frozen=True)

    database_url: SecretStr
    """Where the tables are: `postgresql://user:password@host:port/name`."""

    dagster_url: str = "http://127.0.0.1:3000"
    """Root of Dagster's webserver."""

    api_connections: PositiveInt = 12
    """Handlers that may use the database at once, each on a connection of its own."""

    api_body_timeout_seconds: PositiveSeconds = 10.0
    """How long a client may take to send the body of a request."""

    api_dagster_timeout_seconds: PositiveSeconds = 30.0
    """How long one call of Dagster may take before it counts as unreachable."""

    api_requests_per_second: PositiveSeconds = 2_000.0
    """How many requests of one key, or of one address without a key, are answered for ever."""

    api_request_burst: PositiveInt = 10_000
    """How many of them are answered at once."""

    api_max_body_bytes: PositiveInt = 16 * 1024 * 1024
    """The largest body that any address takes; most take less."""

    @property
    def body_timeout(self) -> timedelta:
        """The time that a client has for sending a body."""
        return timedelta(seconds=self.api_body_timeout_seconds)
