"""Checking the signature of a message, before anything else of it is read.

Standard Webhooks: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
Its Python package has a fixed tolerance, reads the clock itself and parses the body.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from storemon_pipeline.webhooks.webhook_settings import NoSecretError, WebhookSource

MOST_SIGNATURES: Final = 20
"""More signatures than a rotation of secrets needs are not compared."""

_SECRET_PREFIX: Final = "whsec_"  # noqa: S105  (not a secret)
_LONGEST_ID: Final = 256
_TIMESTAMP_DIGITS: Final = 12


class BadSignatureError(Exception):
    """A message that its source did not sign; `str()` says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Signed:
    """What the headers of a signed message say: its id and time, as far as there are some."""

    message_id: str | None
    signed_at: datetime | None


def check_signature(
    source: WebhookSource,
    secrets: Sequence[str],
    headers: Mapping[str, str],
    body: bytes,
    *,
    now: datetime,
) -> Signed:
    """Check that a message was signed with one of the secrets.

    `headers` has names in lower case. Raises BadSignatureError, and NoSecretError for a secret that
    cannot be used.
    """
    if source.signature == "standard":
        return _check_standard(source, secrets, headers, body, now=now)
    sent = headers.get(source.header.lower(), "").strip()
    if not sent:
        raise BadSignatureError(f"The header {source.header} is missing.")
    if not sent.startswith(source.prefix):
        raise BadSignatureError(f"The header {source.header} does not begin with {source.prefix}.")
    sent = sent.removeprefix(source.prefix).strip()
    if source.signature == "token":
        expected = [secret.encode() for secret in secrets]
        _compare(expected, [sent.encode()], "The token is not the one of this webhook.")
    else:
        digests = [_digest(secret.encode(), body, source.algorithm) for secret in secrets]
        _compare(digests, [_decoded(sent, source.encoding)])
    message_id = headers.get(source.id_header.lower()) if source.id_header else None
    return Signed(_checked_id(message_id), None)


def _check_standard(
    source: WebhookSource,
    secrets: Sequence[str],
    headers: Mapping[str, str],
    body: bytes,
    *,
    now: datetime,
) -> Signed:
    message_id, timestamp, signatures = (
        headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature")
    )
    for name, value in (("id", message_id), ("timestamp", timestamp), ("signature", signatures)):
        if not value:
            raise BadSignatureError(f"The header webhook-{name} is missing.")
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= _TIMESTAMP_DIGITS):
        raise BadSignatureError("webhook-timestamp is not a number of seconds since 1970.")
    if abs(int(timestamp) - now.timestamp()) > source.tolerance_seconds:
        raise BadSignatureError(
            f"webhook-timestamp is more than {source.tolerance_seconds} seconds from now."
        )
    signed = f"{message_id}.{timestamp}.".encode() + body
    expected = [_digest(_standard_key(secret), signed, "sha256") for secret in secrets]
    sent = [
        _decoded(signature.removeprefix("v1,"), "base64")
        for signature in signatures.split()[:MOST_SIGNATURES]
        if signature.startswith("v1,")
    ]
    _compare(expected, sent)
    return Signed(_checked_id(message_id), datetime.fromtimestamp(int(timestamp), UTC))


def _checked_id(message_id: str | None) -> str | None:
    if message_id is not None and len(message_id) > _LONGEST_ID:
        raise BadSignatureError(f"The id of the message is longer than {_LONGEST_ID} characters.")
    return message_id or None


def _compare(
    expected: Sequence[bytes],
    sent: Sequence[bytes],
    refusal: str = "No signature of the message matches.",
) -> None:
    """Raise BadSignatureError unless one of each is the same. The time it takes tells nothing."""
    matches = [hmac.compare_digest(one, other) for one in expected for other in sent]
    if not any(matches):
        raise BadSignatureError(refusal)


def _digest(key: bytes, content: bytes, algorithm: str) -> bytes:
    return hmac.new(key, content, getattr(hashlib, algorithm)).digest()


def _decoded(text: str, encoding: str) -> bytes:
    """The bytes of a signature; none for one that is written otherwise."""
    try:
        if encoding == "hex":
            return bytes.fromhex(text)
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""


def _standard_key(secret: str) -> bytes:
    text = secret.removeprefix(_SECRET_PREFIX)
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        key = b""
    if not key:
        raise NoSecretError(
            "A secret of this webhook is not whsec_ and Base64, as Standard Webhooks have it."
        )
    return key
