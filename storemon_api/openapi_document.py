"""The document at `/openapi.json`.

FastAPI derives most of it from the handlers; this module adds the bodies that handlers read by
themselves and the key that each operation needs.
"""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from storemon_api.http.openapi import _MODEL_REF, problem_responses
from storemon_api.http.problems import FORBIDDEN, TOO_MANY_REQUESTS, UNAUTHORIZED
from storemon_api.http.schemas import Problem
from storemon_api.loads.schemas import ClosureBody, HoursBody, PollBody, TimezoneBody
from storemon_api.reports.schemas import TriggerRequest
from storemon_api.security.access_rules import rule_of

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
