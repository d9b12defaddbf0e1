"""The metrics endpoint."""

from fastapi import Response
from prometheus_client import CONTENT_TYPE_LATEST

from storemon_api.http.routing import Router
from storemon_api.operations.metrics import MetricsDep

router = Router(tag="operation", is_strict=False)


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={
        200: {
            "description": "Prometheus's text format.",
            "content": {
                CONTENT_TYPE_LATEST: {
                    "schema": {"type": "string"},
                    "example": "storemon_waiting_reports 0.0\n",
                }
            },
        }
    },
)
def metrics(metrics: MetricsDep) -> Response:
    """Return all metrics. Without the database, `storemon_database_up` is 0."""
    return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)
