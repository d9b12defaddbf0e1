"""Problems (RFC 9457): every kind that the API returns, and the exception that carries one."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from storemon_api.http.schemas import FieldError, Problem

PROBLEM_MEDIA_TYPE: Final = "application/problem+json"
ABOUT_BLANK: Final = "about:blank"


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """One kind of problem: status, type URI, title and default detail."""

    status: HTTPStatus
    type: str
    title: str
    detail: str
    retry_after_seconds: int | None = None


UNKNOWN_REPORT: Final = ProblemKind(
    HTTPStatus.NOT_FOUND,
    "urn:problem-type:storemon:unknown-report",
    "Unknown report",
    "There is no report with this id.",
)
EXPIRED_REPORT: Final = ProblemKind(
    HTTPStatus.GONE,
    "urn:problem-type:storemon:expired-report",
    "Expired report",
    "This report has been deleted, because reports are kept for a limited time. Request a new one.",
)
RUNNING_REPORT: Final = ProblemKind(
    HTTPStatus.CONFLICT,
    "urn:problem-type:storemon:running-report",
    "Report not ready",
    "The report is not ready yet. Ask again in a moment.",
    retry_after_seconds=1,
)
FAILED_REPORT: Final = ProblemKind(
    HTTPStatus.CONFLICT,
    "urn:problem-type:storemon:failed-report",
    "Report failed",
    "No poll has been loaded yet, so there is nothing to report on.",
)
INVALID_REQUEST: Final = ProblemKind(
    HTTPStatus.UNPROCESSABLE_ENTITY,
    "urn:problem-type:storemon:invalid-request",
    "Invalid request",
    "report_id: Field required",
)
BODY_TOO_LARGE: Final = ProblemKind(
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "urn:problem-type:storemon:body-too-large",
    "Body too large",
    "The body of this request may be at most 16384 bytes long.",
)
BODY_TOO_SLOW: Final = ProblemKind(
    HTTPStatus.REQUEST_TIMEOUT,
    "urn:problem-type:storemon:body-too-slow",
    "Body too slow",
    "The body of this request did not arrive within 10 seconds.",
)
DATABASE_UNAVAILABLE: Final = ProblemKind(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "urn:problem-type:storemon:database-unavailable",
    "Database unavailable",
    "The database is not available at the moment. Try again in a few seconds.",
    retry_after_seconds=5,
)
LAKE_UNAVAILABLE: Final = ProblemKind(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "urn:problem-type:storemon:lake-unavailable",
    "Lake unavailable",
    "The polls are in the lake, which cannot be read at the moment. Try again later.",
    retry_after_seconds=60,
)
DISK_FULL: Final = ProblemKind(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "urn:problem-type:storemon:disk-full",
    "Disk full",
    "The database's disk is full. Nothing was changed. Try again once there is space.",
    retry_after_seconds=60,
)
REPORT_PROBLEMS: Final = (
    UNKNOWN_REPORT,
    RUNNING_REPORT,
    FAILED_REPORT,
    EXPIRED_REPORT,
    INVALID_REQUEST,
    DATABASE_UNAVAILABLE,
)
"""The problems of every request that needs a complete report."""
NOT_READY: Final = ProblemKind(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "urn:problem-type:storemon:not-ready",
    "Not ready",
    "Not ready yet: dagster.",
    retry_after_seconds=5,
)

UNKNOWN_STORE: Final = ProblemKind(
    HTTPStatus.NOT_FOUND,
    "urn:problem-type:storemon:unknown-store",
    "Unknown store",
    "There is no store with this id.",
)
NO_POLLS: Final = ProblemKind(
    HTTPStatus.CONFLICT,
    "urn:problem-type:storemon:no-polls",
    "No polls",
    "No polls have been loaded yet, so there is no history.",
)
UNAUTHORIZED: Final = ProblemKind(
    HTTPStatus.UNAUTHORIZED,
    "urn:problem-type:storemon:unauthorized",
    "Key or sign-in needed",
    "Sign in, or send a valid API key as `Authorization: Bearer …` or `X-API-Key`.",
)
FORBIDDEN: Final = ProblemKind(
    HTTPStatus.FORBIDDEN,
    "urn:problem-type:storemon:forbidden",
    "Not allowed",
    "Your API key or account does not allow this request.",
)
TOO_MANY_REQUESTS: Final = ProblemKind(
    HTTPStatus.TOO_MANY_REQUESTS,
    "urn:problem-type:storemon:too-many-requests",
    "Too many requests",
    "Too many requests. Wait before sending more.",
    retry_after_seconds=1,
)
UNKNOWN_CLOSURE: Final = ProblemKind(
    HTTPStatus.NOT_FOUND,
    "urn:problem-type:storemon:unknown-closure",
    "Unknown closure",
    "There is no planned closure with this id.",
)
UNKNOWN_HOURS: Final = ProblemKind(
    HTTPStatus.NOT_FOUND,
    "urn:problem-type:storemon:unknown-hours",
    "Unknown hours",
    "No hours of this store were sent with this load.",
)
UNKNOWN_SPECIAL_HOURS: Final = ProblemKind(
    HTTPStatus.NOT_FOUND,
    "urn:problem-type:storemon:unknown-special-hours",
    "Unknown special hours",
    "The store has no special hours on this date.",
)
UNKNOWN_STATEMENT: Final = ProblemKind(
    HTTPStatus.NOT_FOUND,
    "urn:problem-type:storemon:unknown-statement",
    "Unknown statement",
    "There is no sent statement with this id.",
)
UNKNOWN_SCHEDULE: Final = ProblemKind(
    HTTPStatus.NOT_FOUND,
    "urn:problem-type:storemon:unknown-schedule",
    "Unknown schedule",
    "There is no active schedule of statements with this id.",
)
UNKNOWN_INCIDENT: Final = ProblemKind(
    HTTPStatus.NOT_FOUND,
    "urn:problem-type:storemon:unknown-incident",
    "Unknown incident",
    "No outage of this store starts at this instant.",
)
NO_SIGNING_KEY: Final = ProblemKind(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "urn:problem-type:storemon:no-signing-key",
    "No signing key",
    "The key that signs dispute packs cannot be read or made. The server's log has the details.",
    retry_after_seconds=60,
)
UNKNOWN_EVENT: Final = ProblemKind(
    HTTPStatus.NOT_FOUND,
    "urn:problem-type:storemon:unknown-event",
    "Unknown event",
    "There is no event with this id.",
)
UNKNOWN_WEBHOOK: Final = ProblemKind(
    HTTPStatus.NOT_FOUND,
    "urn:problem-type:storemon:unknown-webhook",
    "Unknown webhook",
    "webhooks.toml in the data folder has no table of this name.",
)
WEBHOOK_NOT_READY: Final = ProblemKind(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "urn:problem-type:storemon:webhook-not-ready",
    "Webhook not ready",
    "webhooks.toml in the data folder cannot be read.",
    retry_after_seconds=60,
)
INVALID_SIGNATURE: Final = ProblemKind(
    HTTPStatus.UNAUTHORIZED,
    "urn:problem-type:storemon:invalid-signature",
    "Invalid signature",
    "No signature of the message matches.",
)
UNKNOWN_CORRECTION: Final = ProblemKind(
    HTTPStatus.NOT_FOUND,
    "urn:problem-type:storemon:unknown-correction",
    "Unknown correction",
    "There is no correction with this id.",
)
OVERLAPPING_CORRECTION: Final = ProblemKind(
    HTTPStatus.CONFLICT,
    "urn:problem-type:storemon:overlapping-correction",
    "Overlapping correction",
    "Another correction of the store covers some of this time. Take it back first.",
)
SAME_SCHEDULE: Final = ProblemKind(
    HTTPStatus.CONFLICT,
    "urn:problem-type:storemon:same-schedule",
    "Same schedule",
    "Schedule 3 sends this statement to owner@example.com at this time already.",
)
UNKNOWN_ALERT: Final = ProblemKind(
    HTTPStatus.NOT_FOUND,
    "urn:problem-type:storemon:unknown-alert",
    "Unknown alert",
    "There is no alert with this id.",
)
UNKNOWN_OBJECTIVE: Final = ProblemKind(
    HTTPStatus.NOT_FOUND,
    "urn:problem-type:storemon:unknown-objective",
    "Unknown objective",
    "There is no version of an objective with this id.",
)
NO_OBJECTIVE: Final = ProblemKind(
    HTTPStatus.NOT_FOUND,
    "urn:problem-type:storemon:no-objective",
    "No objective",
    "No objective is stored for this store and period. Send one as `objective`.",
)
UNKNOWN_ACCOUNT: Final = ProblemKind(
    HTTPStatus.NOT_FOUND,
    "urn:problem-type:storemon:unknown-account",
    "Unknown account",
    "There is no account with this id, or it is disabled.",
)
EMAIL_TAKEN: Final = ProblemKind(
    HTTPStatus.CONFLICT,
    "urn:problem-type:storemon:email-taken",
    "Address taken",
    "An account with this email address exists.",
)
NO_ADMINISTRATOR: Final = ProblemKind(
    HTTPStatus.CONFLICT,
    "urn:problem-type:storemon:no-administrator",
    "No administrator",
    "Afterwards nobody could administer the service. First give another account the role admin.",
)
BUSY: Final = ProblemKind(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "urn:problem-type:storemon:busy",
    "Busy",
    "Another load is being written. Nothing was changed. Try again in a few seconds.",
    retry_after_seconds=2,
)

_PLAIN_DETAILS: Final = {
    HTTPStatus.BAD_REQUEST: "The request is malformed.",
    HTTPStatus.NOT_FOUND: "There is nothing at this address.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This address does not support this method; see `Allow`.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Internal error. The server's log has the details.",
}


class ProblemError(Exception):
    """Ends a request with a problem response of this kind."""

    def __init__(
        self,
        kind: ProblemKind,
        detail: str | None = None,
        *,
        errors: list[FieldError] | None = None,
        checks: dict[str, str] | None = None,
        warnings: dict[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.problem = Problem(
            type=kind.type,
            title=kind.title,
            status=kind.status,
            detail=detail or kind.detail,
            errors=errors,
            checks=checks,
            warnings=warnings,
        )
        super().__init__(self.problem.detail)
        self.headers = dict(headers or {})
        if kind.retry_after_seconds is not None:
            self.headers.setdefault("Retry-After", str(kind.retry_after_seconds))


def plain_problem(status: int, headers: Mapping[str, str] | None = None) -> ProblemError:
    """Return the problem of a plain HTTP status, of type `about:blank`."""
    phrase = HTTPStatus(status).phrase
    detail = _PLAIN_DETAILS.get(HTTPStatus(status), phrase)
    return ProblemError(
        ProblemKind(HTTPStatus(status), ABOUT_BLANK, phrase, detail), headers=headers
    )


def invalid_request(errors: list[FieldError]) -> ProblemError:
    """Return the 422 problem that names these fields."""
    detail = "; ".join(f"{error.field}: {error.message}" for error in errors)
    return ProblemError(INVALID_REQUEST, detail, errors=errors)


def invalid_field(field: str, message: str) -> ProblemError:
    """Return the 422 problem of one field; `message` is a sentence that people read."""
    return ProblemError(INVALID_REQUEST, message, errors=[FieldError(field=field, message=message)])


def field_errors(error: ValidationError | RequestValidationError) -> list[FieldError]:
    """Return the errors of a validation by field, without the values that were sent."""
    # FastAPI prefixes the field with its place: `query`, `path`, `header`.
    first = 1 if isinstance(error, RequestValidationError) else 0
    return [
        FieldError(
            field=".".join(str(part) for part in found["loc"][first:]) or "body",
            message=str(found["msg"]).removeprefix("Value error, "),
        )
        for found in error.errors()
    ]
