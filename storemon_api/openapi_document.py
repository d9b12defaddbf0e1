"""The OpenAPI document at `/openapi.json`.

FastAPI derives most of it from the handlers. This module adds the request bodies that handlers
parse themselves and the security requirement of each operation.
"""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from storemon_api.alerts.alert_schemas import AlertActionBody
from storemon_api.http.openapi import _MODEL_REF, problem_responses
from storemon_api.http.problems import FORBIDDEN, TOO_MANY_REQUESTS, UNAUTHORIZED
from storemon_api.http.schemas import Problem
from storemon_api.loads.objective_schemas import ObjectiveBody
from storemon_api.loads.schemas import ClosureBody, HoursBody, PollBody, TimezoneBody
from storemon_api.reports.schemas import TriggerRequest
from storemon_api.security.access_rules import rule_of
from storemon_api.sign_in.account_schemas import AccountBody, AccountChangeBody
from storemon_api.statements.delivery_schemas import ScheduleBody
from storemon_api.statements.sent_schemas import SendBody

# Request bodies that handlers parse themselves, so FastAPI does not declare them.
_MODELS = (
    *(Problem, TriggerRequest, PollBody, HoursBody, TimezoneBody, ClosureBody),
    *(ObjectiveBody, AlertActionBody, SendBody, ScheduleBody),
    *(AccountBody, AccountChangeBody),
)


def install_openapi(app: FastAPI) -> None:
    """Make `app.openapi` return the document with problems, bodies and security."""

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
            _remove_validation_errors(description)
            _declare_access(description)
            app.openapi_schema = description
        return app.openapi_schema

    app.openapi = describe  # type: ignore[method-assign]


def _declare_model(schemas: dict[str, Any], model: type[BaseModel]) -> None:
    """Add a model and the models that it refers to."""
    schema = model.model_json_schema(ref_template=_MODEL_REF)
    schemas |= schema.pop("$defs", {})
    schemas[model.__name__] = schema


def _remove_validation_errors(description: dict[str, Any]) -> None:
    """Remove the 422 response that FastAPI adds to every operation with a parameter.

    Operations that can return 422 declare it as a problem; a text parameter in the path cannot
    fail.
    """
    for operations in description["paths"].values():
        for operation in operations.values():
            if "application/json" in operation["responses"].get("422", {}).get("content", {}):
                del operation["responses"]["422"]
    for model in ("HTTPValidationError", "ValidationError"):
        description["components"]["schemas"].pop(model, None)


def _declare_access(description: dict[str, Any]) -> None:
    """Declare the security requirement of every operation, and its 401, 403 and 429."""
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
            # {}: no key is needed while none has been created.
            operation["security"] = [{"bearer": []}, {"key": []}, {}]
            for status, response in refused.items():
                operation["responses"].setdefault(str(status), response)
