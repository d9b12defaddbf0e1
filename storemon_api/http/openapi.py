"""What `/openapi.json` says beside what FastAPI derives from the handlers."""

from typing import Any

from pydantic import BaseModel

from storemon_api.http.problems import (
    INVALID_REQUEST,
    NOT_READY,
    PROBLEM_MEDIA_TYPE,
    ProblemError,
    ProblemKind,
    invalid_request,
)
from storemon_api.http.schemas import FieldError, Problem

_MODEL_REF = "#/components/schemas/{model}"


def json_body(model: type[BaseModel]) -> dict[str, Any]:
    """Return the declaration of a body that has to be JSON of this model."""
    schema = {"$ref": _MODEL_REF.format(model=model.__name__)}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


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


def json_content(**examples: BaseModel) -> dict[str, Any]:
    """Return the OpenAPI declaration of a JSON answer with these examples, by name."""
    return {
        "application/json": {
            "examples": {
                name: {"value": example.model_dump(mode="json", exclude_none=True)}
                for name, example in examples.items()
            }
        }
    }
