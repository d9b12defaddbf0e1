"""OpenAPI declaration of a body of polls."""

import json
from typing import Any

from storemon_api.http.openapi import _MODEL_REF
from storemon_api.loads.schemas import PollBody


def polls_body() -> dict[str, Any]:
    """Return the declaration of a body of polls in its three formats."""
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
                "One poll, or up to 50,000. `Content-Encoding: gzip` is supported. The "
                "decompressed body may be up to 16 MiB long."
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
