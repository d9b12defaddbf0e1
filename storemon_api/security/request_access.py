"""The sender of a request as access control found it: what routes may ask about it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.types import Scope

from storemon_api.http.problems import FORBIDDEN, ProblemError
from storemon_api.security.access_rules import Stores, rule_of
from storemon_pipeline.access.audit_log import AuditEvent
from storemon_pipeline.access.identities import Identity

_STATE: Final = "storemon_access"


@dataclass(frozen=True, slots=True)
class Access:
    """The authenticated sender of a request."""

    identity: Identity | None
    """None while no key and no account exists, and for anonymous requests."""
    client: str
    is_still_allowed: Callable[[], bool]
    """Whether the sender would still be let in now, for responses that last."""
    action: str | None = None
    subject: str | None = None
    is_signed_in: bool = False
    """Whether the identity is that of a session, which can be ended."""
    is_anonymous: bool = False
    """Whether the address is open, so that nobody has asked for an identity."""


def visitor(request: Request) -> Access | None:
    """Return the sender; None for a request that was refused before it was known."""
    access: Access | None = getattr(request.state, _STATE, None)
    return access


def visible_stores(request: Request) -> frozenset[str] | None:
    """Return the ids of the stores that this request may see or change; None for every store."""
    access = visitor(request)
    return None if access is None or access.identity is None else access.identity.store_ids


def may_request(request: Request, method: str, path: str) -> bool:
    """Whether the sender may make such a request, for its own stores where the path has one.

    `path` is a path template. What a page offers is what this allows.
    """
    access = visitor(request)
    if access is None or access.identity is None:
        return access is not None and not access.is_anonymous
    identity = access.identity
    rule = rule_of(method, path)
    is_for_some = identity.store_ids is None or rule.stores is not Stores.NONE
    return is_for_some and (rule.scope is None or identity.allows(rule.scope))


def client_of(request: Request) -> str:
    """Return the address of the client."""
    access: Access = getattr(request.state, _STATE)
    return access.client


def sender_name(request: Request) -> str | None:
    """Return the name of the sender's key or account; None while there is none."""
    access: Access = getattr(request.state, _STATE)
    return None if access.identity is None else access.identity.name


def is_still_allowed(request: Request) -> bool:
    """Whether the request would be let in now: its key or session has not ended."""
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
        key_id=None if access.identity is None else access.identity.key_id,
        account_id=None if access.identity is None else access.identity.account_id,
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


def visible_stores_or_one(request: Request, store_id: str | None) -> frozenset[str] | None:
    """As `visible_stores`, or one store; a 403 problem if the sender may not see it."""
    visible = visible_stores(request)
    if store_id is None:
        return visible
    if visible is not None and store_id not in visible:
        raise ProblemError(FORBIDDEN)
    return frozenset({store_id.replace("\0", "")})
