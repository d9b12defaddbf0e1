"""A local OpenID provider, which can be told to answer wrongly."""

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

if TYPE_CHECKING:
    from joserfc.jwk import RSAKey

CLIENT_ID = "storemon"
CLIENT_SECRET = "the secret of the client"  # noqa: S105 - of tests


@dataclass(slots=True)
class OpenIdProvider:
    """What the next person's token says; `changes` take the place of its claims."""

    issuer: str = ""
    claims: dict[str, Any] = field(default_factory=dict)
    changes: dict[str, Any] = field(default_factory=dict)
    is_foreign_key: bool = False
    """Whether the token is signed with a key that the provider does not publish."""
    asked: dict[str, str] = field(default_factory=dict)
    """The parameters of the last request of a browser."""
    key: "RSAKey" = field(default_factory=lambda: new_key())  # noqa: PLW0108 - defined below

    def token(self, form: dict[str, str], authorization: str) -> dict[str, Any] | None:
        """Return the tokens for a code; None when the client is not the one that asked."""
        challenge = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        expected = base64.urlsafe_b64encode(challenge).rstrip(b"=").decode()
        basic = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if (
            expected != self.asked.get("code_challenge")
            or self.asked.get("code_challenge_method") != "S256"
            or form.get("redirect_uri") != self.asked.get("redirect_uri")
            or form.get("code") != "the-code"
            or authorization != f"Basic {basic}"
        ):
            return None
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "exp": now + 300,
            "iat": now,
            "nonce": self.asked["nonce"],
            **self.claims,
            **self.changes,
        }
        key = new_key() if self.is_foreign_key else self.key
        from joserfc import jwt  # noqa: PLC0415

        token = jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, key)
        return {"access_token": "x", "token_type": "Bearer", "expires_in": 300, "id_token": token}


def new_key() -> "RSAKey":
    """Return a new key for signing tokens."""
    from joserfc.jwk import RSAKey  # noqa: PLC0415 - not installed where nobody signs in

    return RSAKey.generate_key(auto_kid=True)


@contextmanager
def open_id_provider() -> Iterator[OpenIdProvider]:
    """Yield a provider that listens on a free port of the loopback address."""
    provider = OpenIdProvider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            if address.path == "/authorize":
                provider.asked = {name: one[0] for name, one in parse_qs(address.query).items()}
                back = {"code": "the-code", "state": provider.asked["state"]}
                self.send_response(302)
                self.send_header("Location", f"{provider.asked['redirect_uri']}?{urlencode(back)}")
                self.end_headers()
            elif address.path == "/keys":
                self.answer({"keys": [provider.key.as_dict(private=False)]})
            else:
                issuer = provider.issuer
                self.answer(
                    {
                        "issuer": issuer,
                        "authorization_endpoint": f"{issuer}/authorize",
                        "token_endpoint": f"{issuer}/token",
                        "jwks_uri": f"{issuer}/keys",
                    }
                )

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: one[0] for name, one in parse_qs(body).items()}
            tokens = provider.token(form, self.headers.get("Authorization", ""))
            self.answer(tokens or {"error": "invalid_grant"}, 200 if tokens else 400)

        def answer(self, content: object, status: int = 200) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.issuer = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
