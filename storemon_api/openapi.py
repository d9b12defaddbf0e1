"""What `/openapi.json` says beside what FastAPI derives from the handlers."""

import json
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from storemon_api.access_rules import rule_of
from storemon_api.errors import (
    FORBIDDEN,
    INVALID_REQUEST,
    NOT_READY,
    PROBLEM_MEDIA_TYPE,
    TOO_MANY_REQUESTS,
    UNAUTHORIZED,
    ProblemError,
    ProblemKind,
    invalid_request,
)
from storemon_api.schemas import (
    ClosureBody,
    FieldError,
    HoursBody,
    PollBody,
    Problem,
    TimezoneBody,
    TriggerRequest,
)

_MODEL_REF = "#/components/schemas/{model}"
# FastAPI does not see the bodies that handlers read by themselves.
_MODELS = (Problem, TriggerRequest, PollBody, HoursBody, TimezoneBody, ClosureBody)


def install_openapi(app: FastAPI) -> None:
    """Let `app` describe itself by what its handlers declare, problems included."""

    def describe() -> dict[str, Any]:
        if app.openapi_schema is None:
            description = get_openapi(
                title=app.title,
                version=app.version,
                summary=app.summary,
                description=app.description,
                routes=app.routes,
            )
            for model in _MODELS:
                _declare_model(description["components"]["schemas"], model)
            _forget_validation_errors(description)
            _declare_access(description)
            app.openapi_schema = description
        return app.openapi_schema

    app.openapi = describe  # type: ignore[method-assign]


def _declare_model(schemas: dict[str, Any], model: type[BaseModel]) -> None:
    """`schemas` has a model that FastAPI does not see, with the models that it refers to."""
    schema = model.model_json_schema(ref_template=_MODEL_REF)
    schemas |= schema.pop("$defs", {})
    schemas[model.__name__] = schema


def _forget_validation_errors(description: dict[str, Any]) -> None:
    """No operation has the 422 that FastAPI adds to each one with a parameter.

    Those that can answer 422 declare their problem; a parameter of text in the path cannot fail.
    """
    for operations in description["paths"].values():
        for operation in operations.values():
            if "application/json" in operation["responses"].get("422", {}).get("content", {}):
                del operation["responses"]["422"]
    for model in ("HTTPValidationError", "ValidationError"):
        description["components"]["schemas"].pop(model, None)


def _declare_access(description: dict[str, Any]) -> None:
    """Every operation says which key it asks for, and what is answered to who has none."""
    description["components"]["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }
    refused = problem_responses(UNAUTHORIZED, FORBIDDEN, TOO_MANY_REQUESTS)
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            rule = rule_of(method.upper(), path)
            if rule.is_open:
                continue
            # Without any key while none was made.
            operation["security"] = [{"bearer": []}, {"key": []}, {}]
            for status, response in refused.items():
                operation["responses"].setdefault(str(status), response)


def trigger_body() -> dict[str, Any]:
    """Return the declaration of the optional body that both triggers take."""
    return {
        "requestBody": {
            "required": False,
            "content": {
                "application/json": {
                    "schema": {
                        "anyOf": [
                            {"$ref": _MODEL_REF.format(model=TriggerRequest.__name__)},
                            {"type": "null"},
                        ]
                    },
                    "examples": {
                        "newest": {"summary": "As of the newest poll", "value": {}},
                        "past": {
                            "summary": "As of an instant, with the other policy",
                            "value": {"as_of": "2023-01-25T18:13:22Z", "policy": "previous"},
                        },
                    },
                }
            },
        }
    }


def json_body(model: type[BaseModel]) -> dict[str, Any]:
    """Return the declaration of a body that has to be JSON of this model."""
    schema = {"$ref": _MODEL_REF.format(model=model.__name__)}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def polls_body() -> dict[str, Any]:
    """Return the declaration of a body of polls, in any of its forms."""
    poll = {"$ref": _MODEL_REF.format(model=PollBody.__name__)}
    first, second = (
        {"store_id": "7482936150293847561", "timestamp_utc": at, "status": status}
        for at, status in (
            ("2023-01-25 18:13:22.479220 UTC", "active"),
            ("2023-01-25T19:13:22Z", "inactive"),
        )
    )
    lines = [",".join(row) for row in (first, first.values(), second.values())]
    return {
        "requestBody": {
            "required": True,
            "description": (
                "One poll or up to 50,000. `Content-Encoding: gzip` is understood; unpacked, a "
                "body may have 16 MiB."
            ),
            "content": {
                "application/json": {
                    "schema": {"anyOf": [poll, {"type": "array", "items": poll}]},
                    "examples": {
                        "one": {"summary": "One poll", "value": first},
                        "several": {"summary": "Several polls", "value": [first, second]},
                    },
                },
                "application/x-ndjson": {
                    "schema": {"type": "string"},
                    "example": "\n".join(json.dumps(row) for row in (first, second)),
                },
                "text/csv": {"schema": {"type": "string"}, "example": "\n".join(lines)},
            },
        }
    }


def report_links(*operation_ids: str) -> dict[str, Any]:
    """Return the declaration that these operations take the `report_id` of an answer."""
    return {
        operation_id: {
            "operationId": operation_id,
            "parameters": {"report_id": "$response.body#/report_id"},
        }
        for operation_id in operation_ids
    }


def problem_responses(*kinds: ProblemKind) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI declaration of these kinds, by status, with an example of each."""
    responses: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
        response = responses.setdefault(
            kind.status.value,
            {
                "description": kind.status.phrase,
                "content": {
                    PROBLEM_MEDIA_TYPE: {
                        "schema": {"$ref": _MODEL_REF.format(model=Problem.__name__)},
                        "examples": {},
                    }
                },
            },
        )
        response["content"][PROBLEM_MEDIA_TYPE]["examples"][kind.type.rpartition(":")[2]] = {
            "summary": kind.title,
            "value": _example(kind).model_dump(mode="json", exclude_none=True),
        }
        if kind.retry_after_seconds is not None:
            response["headers"] = {
                "Retry-After": {
                    "description": "Seconds to wait before asking again.",
                    "schema": {"type": "integer"},
                }
            }
    return responses


def _example(kind: ProblemKind) -> Problem:
    """Return a typical problem of this kind."""
    if kind is INVALID_REQUEST:
        return invalid_request([FieldError(field="report_id", message="Field required")]).problem
    if kind is NOT_READY:
        checks = {"database": "ok", "schema": "ok", "dagster": "not reachable"}
        return ProblemError(kind, checks=checks).problem
    return ProblemError(kind).problem
