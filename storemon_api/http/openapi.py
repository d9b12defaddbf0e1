"""OpenAPI declarations that routes share: problems, JSON bodies, links."""

from typing import Any

from pydantic import BaseModel

from storemon_api.http.problems import (
    DATABASE_UNAVAILABLE,
    INVALID_REQUEST,
    LAKE_UNAVAILABLE,
    NOT_READY,
    PROBLEM_MEDIA_TYPE,
    ProblemError,
    ProblemKind,
    invalid_request,
)
from storemon_api.http.schemas import FieldError, Problem

_MODEL_REF = "#/components/schemas/{model}"


def json_body(model: type[BaseModel]) -> dict[str, Any]:
    """Return the declaration of a required JSON body of this model."""
    schema = {"$ref": _MODEL_REF.format(model=model.__name__)}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def report_links(*operation_ids: str) -> dict[str, Any]:
    """Return links to the operations that take the `report_id` of this response."""
    return {
        operation_id: {
            "operationId": operation_id,
            "parameters": {"report_id": "$response.body#/report_id"},
        }
        for operation_id in operation_ids
    }


def problem_responses(*kinds: ProblemKind) -> dict[int | str, dict[str, Any]]:
    """Return the declaration of these problems by status, with an example of each.

    What needs the database may need the lake as well, which can have the polls in its place.
    """
    responses: dict[int | str, dict[str, Any]] = {}
    if DATABASE_UNAVAILABLE in kinds:
        kinds = (*kinds, LAKE_UNAVAILABLE)
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
                    "description": "Seconds to wait before the next request.",
                    "schema": {"type": "integer"},
                }
            }
    return responses


def _example(kind: ProblemKind) -> Problem:
    """Return an example of this kind."""
    if kind is INVALID_REQUEST:
        return invalid_request([FieldError(field="report_id", message="Field required")]).problem
    if kind is NOT_READY:
        checks = {"database": "ok", "schema": "ok", "dagster": "not reachable"}
        return ProblemError(kind, checks=checks).problem
    return ProblemError(kind).problem


def json_content(**examples: BaseModel) -> dict[str, Any]:
    """Return the declaration of a JSON response with these examples by name."""
    return {
        "application/json": {
            "examples": {
                name: {"value": example.model_dump(mode="json", exclude_none=True)}
                for name, example in examples.items()
            }
        }
    }
