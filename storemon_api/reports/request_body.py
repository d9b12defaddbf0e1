"""The body of `trigger_report`: its dependency and its OpenAPI declaration."""

from typing import Annotated, Any, Final

from fastapi import Depends, Request

from storemon_api.http.openapi import _MODEL_REF
from storemon_api.http.request_bodies import parse_json, read_body
from storemon_api.http.services import ServicesDep
from storemon_api.reports.schemas import TriggerRequest

TRIGGER_MAX_BYTES: Final = 16 * 1024


def trigger_body() -> dict[str, Any]:
    """Return the declaration of the optional body of both trigger routes."""
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


async def _trigger_request(request: Request, services: ServicesDep) -> TriggerRequest:
    body = await read_body(
        request, max_bytes=TRIGGER_MAX_BYTES, time_limit=services.settings.body_timeout
    )
    return parse_json(body, request.headers.get("Content-Type"), TriggerRequest)


TriggerRequestDep = Annotated[TriggerRequest, Depends(_trigger_request)]
