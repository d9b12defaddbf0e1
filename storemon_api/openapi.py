"""What `/openapi.json` says beside what FastAPI derives from the handlers."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from storemon_api.errors import (
    INVALID_REQUEST,
    NOT_READY,
    PROBLEM_MEDIA_TYPE,
    ProblemError,
    ProblemKind,
    invalid_request,
)
from storemon_api.schemas import FieldError, Problem

_MODEL_REF = "#/components/schemas/{model}"


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
            _declare_problem(description["components"]["schemas"])
            _forget_validation_errors(description)
            app.openapi_schema = description
        return app.openapi_schema

    app.openapi = describe  # type: ignore[method-assign]


def _declare_problem(schemas: dict[str, Any]) -> None:
    """`schemas` has the model of errors, which no handler returns and all declare."""
    problem = Problem.model_json_schema(ref_template=_MODEL_REF)
    schemas |= problem.pop("$defs")
    schemas[Problem.__name__] = problem


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


def json_body(model: type[BaseModel], *examples: dict[str, object]) -> dict[str, Any]:
    """Return the OpenAPI declaration of an optional JSON body, as `openapi_extra`."""
    return {
        "requestBody": {
            "required": False,
            "content": {
                "application/json": {
                    "schema": model.model_json_schema(),
                    "examples": {
                        f"example {number}": {"value": example}
                        for number, example in enumerate(examples, start=1)
                    },
                }
            },
        }
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
                        "schema": {"$ref": "#/components/schemas/Problem"},
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
