"""Signing in at an OpenID provider: where the browser goes, and who comes back.

The authorization code flow with PKCE, state and nonce. Authlib speaks the protocol; it is imported
when somebody signs in so.
"""

import secrets
from dataclasses import dataclass
from typing import Any, Final

from storemon_api.settings import ApiSettings
from storemon_pipeline.access.accounts import (
    AccountRights,
    AccountValueError,
    Role,
    normal_email,
    normal_name,
)
from storemon_pipeline.access.session_management import ProviderPerson

_DISCOVERY: Final = "/.well-known/openid-configuration"
_SCOPE: Final = "openid email profile"
_ALGORITHMS: Final = ("RS256", "PS256", "ES256", "EdDSA")
_TIMEOUT_SECONDS: Final = 10
_LEEWAY_SECONDS: Final = 60
_ORDER: Final = (Role.ADMIN, Role.OPERATOR, Role.OWNER)


class ProviderError(Exception):
    """The provider cannot be used, or what it says is not accepted; says why."""


class NoRoleError(ProviderError):
    """The person's claims give no role."""


@dataclass(frozen=True, slots=True)
class ProviderAttempt:
    """What the browser keeps until its user comes back, so that nobody else's answer is taken."""

    state: str
    nonce: str
    verifier: str
    wanted: str


class Provider:
    """The provider of the settings."""

    def __init__(self, settings: ApiSettings) -> None:
        secret = settings.oidc_client_secret
        self._settings = settings
        self._issuer = settings.oidc_issuer or ""
        self._client_id = settings.oidc_client_id or ""
        self._secret = None if secret is None else secret.get_secret_value()
        root = (settings.public_url or "").rstrip("/")
        self._redirect_uri = f"{root}/sign-in/provider/callback"

    def start(self, wanted: str) -> tuple[str, ProviderAttempt]:
        """Return the provider's address for a browser, and what the browser has to keep.

        Raises ProviderError.
        """
        state, nonce, verifier = (secrets.token_urlsafe(48) for _ in range(3))
        attempt = ProviderAttempt(state, nonce, verifier, wanted)
        with self._session() as session:
            endpoint = self._metadata(session)["authorization_endpoint"]
            address, _ = session.create_authorization_url(
                endpoint, state=attempt.state, nonce=attempt.nonce, code_verifier=attempt.verifier
            )
        return str(address), attempt

    def finish(self, attempt: ProviderAttempt, code: str, issuer: str | None) -> ProviderPerson:
        """Return the person for whom the provider gave this code. Raises ProviderError."""
        from authlib.common.errors import AuthlibBaseError  # noqa: PLC0415
        from authlib.oidc.core import CodeIDToken  # noqa: PLC0415
        from joserfc import jwt  # noqa: PLC0415
        from joserfc.errors import JoseError  # noqa: PLC0415
        from joserfc.jwk import KeySet  # noqa: PLC0415
        from requests import RequestException  # noqa: PLC0415

        if not code:
            raise ProviderError("the provider did not sign you in")
        if issuer is not None and issuer != self._issuer:
            raise ProviderError("another provider has answered")
        with self._session() as session:
            metadata = self._metadata(session)
            try:
                token = session.fetch_token(
                    metadata["token_endpoint"],
                    code=code,
                    code_verifier=attempt.verifier,
                    timeout=_TIMEOUT_SECONDS,
                )
                keys = KeySet.import_key_set(self._get(session, metadata["jwks_uri"]))
                decoded = jwt.decode(token["id_token"], keys, algorithms=list(_ALGORITHMS))
                claims = CodeIDToken(
                    decoded.claims,
                    decoded.header,
                    options={
                        "iss": {"essential": True, "value": self._issuer},
                        "aud": {"essential": True, "value": self._client_id},
                    },
                    params={"nonce": attempt.nonce, "client_id": self._client_id},
                )
                claims.validate(leeway=_LEEWAY_SECONDS)
            except (AuthlibBaseError, JoseError, RequestException, KeyError, ValueError) as error:
                raise ProviderError(f"the answer is not accepted: {error}") from error
        return self._person(dict(claims))

    def _person(self, claims: dict[str, Any]) -> ProviderPerson:
        try:
            email = normal_email(str(claims.get("email", "")))
            name = normal_name(str(claims.get("name") or email))
        except AccountValueError as error:
            raise ProviderError(f"the claims are not accepted: {error}") from error
        return ProviderPerson(
            issuer=self._issuer,
            subject=str(claims["sub"]),
            email=email,
            is_email_verified=claims.get("email_verified") is True,
            name=name,
            rights=self._rights(claims),
        )

    def _rights(self, claims: dict[str, Any]) -> AccountRights:
        """Return the highest role of the person's values, and for an owner the groups."""
        given = _values(claims, self._settings.oidc_role_claim)
        roles = {Role(role) for value, role in self._settings.oidc_roles.items() if value in given}
        role = next((role for role in _ORDER if role in roles), None)
        if role is None:
            raise NoRoleError("your account at the provider has no role in storemon")
        if role is not Role.OWNER:
            return AccountRights(role=role)
        groups = _values(claims, self._settings.oidc_group_claim)
        if not groups:
            raise NoRoleError("your account at the provider names no group of stores")
        return AccountRights(role=role, groups=frozenset(groups))

    def _session(self) -> Any:  # noqa: ANN401 - Authlib ships no types
        from authlib.integrations.requests_client import OAuth2Session  # noqa: PLC0415

        return OAuth2Session(
            self._client_id,
            self._secret,
            scope=_SCOPE,
            redirect_uri=self._redirect_uri,
            code_challenge_method="S256",
            token_endpoint_auth_method="none" if self._secret is None else "client_secret_basic",
        )

    def _metadata(self, session: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
        from requests import RequestException  # noqa: PLC0415

        try:
            metadata: dict[str, Any] = self._get(session, self._issuer.rstrip("/") + _DISCOVERY)
        except (RequestException, ValueError) as error:
            raise ProviderError("the provider does not answer") from error
        if metadata.get("issuer") != self._issuer:
            raise ProviderError("the provider's own name is not STOREMON_OIDC_ISSUER")
        return metadata

    def _get(self, session: Any, address: str) -> Any:  # noqa: ANN401 - as above, and JSON
        answer = session.get(address, withhold_token=True, timeout=_TIMEOUT_SECONDS)
        answer.raise_for_status()
        return answer.json()


def _values(claims: dict[str, Any], name: str) -> set[str]:
    """Return the texts of a claim, which has one or a list of them."""
    value = claims.get(name)
    values = value if isinstance(value, list) else [value]
    return {one for one in values if isinstance(one, str) and one}
