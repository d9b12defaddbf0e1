"""The sender of a request as access control found it: what routes may ask about it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.types import Scope

from storemon_pipeline.access.audit_log import AuditEvent
from storemon_pipeline.access.keys import ApiKey
from storemon_pipeline.access.keys import Scope as KeyScope

_STATE: Final = "storemon_access"


@dataclass(frozen=True, slots=True)
class Access:
    """The authenticated sender of a request."""

    key: ApiKey | None
    client: str
    is_still_allowed: Callable[[], bool]
    """Whether the sender would still be let in now, for responses that last."""
    action: str | None = None
    subject: str | None = None


def visible_stores(request: Request) -> frozenset[str] | None:
    """Return the ids of the stores that this request may see or change; None for every store."""
    access = getattr(request.state, _STATE, None)
    return None if access is None or access.key is None else access.key.store_ids


def has_scope(request: Request, scope: KeyScope) -> bool:
    """Whether the sender may do what needs this scope; without keys, everything."""
    access: Access = getattr(request.state, _STATE)
    return access.key is None or access.key.allows(scope)


def sender_name(request: Request) -> str | None:
    """Return the name of the sender's key; None without keys."""
    access: Access = getattr(request.state, _STATE)
    return None if access.key is None else access.key.name


def is_still_allowed(request: Request) -> bool:
    """Whether the request would be let in now: its key has been neither revoked nor expired."""
    access: Access = getattr(request.state, _STATE)
    return access.is_still_allowed()


def audit_event(request: Request, subject: str | None = None) -> AuditEvent:
    """Return the audit event of this request, to be written in the transaction of its change.

    `subject` is the changed object where the path has no store id.
    """
    access: Access = getattr(request.state, _STATE)
    if access.action is None:
        raise ValueError(f"{request.url.path} has no audit action")
    return AuditEvent(
        action=access.action,
        key_id=None if access.key is None else access.key.key_id,
        client=access.client,
        request_id=request_id(request),
        subject=subject or access.subject,
    )


def request_id(request: Request) -> str | None:
    """Return the request's id."""
    return getattr(request.state, "request_id", None)


def set_access(scope: Scope, access: Access) -> None:
    """Attach the access to the request for the functions above."""
    scope.setdefault("state", {})[_STATE] = access
