"""Settings of the API, read from environment variables when `ApiSettings` is created."""

from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, PositiveInt, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from storemon_pipeline.access.accounts import Role

PositiveSeconds = Annotated[float, Field(gt=0)]
OptionalText = Annotated[str | None, BeforeValidator(lambda value: value or None)]


class ApiSettings(BaseSettings):
    """Settings of one API process; each is the variable `STOREMON_` + its name in capitals."""

    model_config = SettingsConfigDict(env_prefix="STOREMON_", extra="ignore", frozen=True)

    database_url: SecretStr
    """The database: `postgresql://user:password@host:port/name`."""

    dagster_url: str = "http://127.0.0.1:3000"
    """Root URL of Dagster's webserver."""

    dagster_token: SecretStr | None = None
    """The token that a guarded Dagster webserver expects; `storemon up` sets it."""

    data: str = "data"
    """The data folder, in which the settings of webhooks are: a path or a URL."""

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

    public_url: OptionalText = None
    """The address under which people reach the pages, for links in messages."""

    mail_url: SecretStr | None = None
    """The mail server as an Apprise URL, for links with which people choose a password."""

    session_days: PositiveInt = 14
    """Days after which people have to sign in again."""

    session_idle_hours: PositiveInt = 72
    """Hours without a request after which people have to sign in again."""

    oidc_issuer: OptionalText = None
    """The OpenID provider at which people sign in, such as `https://login.example.com`."""

    oidc_client_id: OptionalText = None
    """The name under which the provider knows this service."""

    oidc_client_secret: SecretStr | None = None
    """The secret that the provider has given this service; without it PKCE alone protects."""

    oidc_role_claim: str = "groups"
    """The claim whose values give a role."""

    oidc_roles: dict[str, Role] = Field(default_factory=dict)
    """The roles by values of that claim, as JSON."""

    oidc_group_claim: str = "store_groups"
    """The claim with the groups whose stores an owner sees."""

    proxy_header: OptionalText = None
    """The header in which a trusted proxy names the email address of a signed-in person."""

    proxy_addresses: OptionalText = None
    """The addresses or networks of the proxies that may send it, separated by commas or spaces."""

    @model_validator(mode="after")
    def _check_provider(self) -> Self:
        if self.oidc_issuer is not None and not (
            self.oidc_client_id and self.oidc_roles and self.public_url
        ):
            raise ValueError(
                "STOREMON_OIDC_ISSUER needs STOREMON_OIDC_CLIENT_ID, STOREMON_OIDC_ROLES and "
                "STOREMON_PUBLIC_URL"
            )
        return self

    @model_validator(mode="after")
    def _check_proxy(self) -> Self:
        if self.proxy_header is not None and not self.proxy_networks:
            raise ValueError("STOREMON_PROXY_ADDRESSES must name the proxies that send the header")
        return self

    @property
    def proxy_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The networks of the proxies that may send the header."""
        addresses = (self.proxy_addresses or "").replace(",", " ")
        return tuple(ip_network(part) for part in addresses.split())

    @property
    def can_mail_links(self) -> bool:
        """Whether people can be mailed a link with which they choose a password."""
        return self.mail_url is not None and self.public_url is not None

    @property
    def session_lasts(self) -> timedelta:
        """How long after signing in people have to sign in again."""
        return timedelta(days=self.session_days)

    @property
    def session_idle_limit(self) -> timedelta:
        """How long after their last request people have to sign in again."""
        return timedelta(hours=self.session_idle_hours)

    @property
    def signing_key_file(self) -> Path:
        """The file with the key that signs dispute packs."""
        return self.signing_key or self.home / "signing-key.pem"

    @property
    def body_timeout(self) -> timedelta:
        """How long a client may take to send the body of a request."""
        return timedelta(seconds=self.api_body_timeout_seconds)
