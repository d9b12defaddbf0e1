"""The router of the API: GET routes support HEAD, and unknown query parameters are a 422."""

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query
from fastapi.routing import APIRoute
from fastapi.sse import EventSourceResponse

from storemon_api.http.openapi import problem_responses
from storemon_api.http.problems import INVALID_REQUEST, ProblemError
from storemon_api.http.schemas import FieldError


class Router(APIRouter):
    """An APIRouter with these two rules for each of its routes.

    Pages and probes accept any query parameter (`is_strict` false), because links to pages carry
    parameters of other sites, and probes those of their tools.
    """

    def __init__(
        self, *, tag: str = "", is_strict: bool = True, include_in_schema: bool = True
    ) -> None:
        super().__init__(
            tags=[tag] if tag else [],
            dependencies=[Depends(_reject_unknown_parameters)] if is_strict else [],
            include_in_schema=include_in_schema,
        )
        self._problems = problem_responses(INVALID_REQUEST) if is_strict else {}

    def add_api_route(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:  # noqa: ANN401 - FastAPI's options, passed on
        """Add the route, and for GET a HEAD route with the same endpoint.

        A stream of events has no HEAD.
        """
        options["responses"] = self._problems | (options["responses"] or {})
        super().add_api_route(path, endpoint, **options)
        if options["methods"] == ["GET"] and options["response_class"] is not EventSourceResponse:
            options |= {"methods": ["HEAD"], "include_in_schema": False}
            super().add_api_route(path, endpoint, **options)


async def _reject_unknown_parameters(request: Request) -> None:
    """Raise a 422 problem for query parameters that the route does not have."""
    if not request.query_params:
        return
    route: APIRoute = request.scope["route"]
    known = sorted(
        field.alias
        for field in get_flat_params(route.dependant)
        if isinstance(field.field_info, Query)
    )
    errors = [
        FieldError(field=name, message=_unknown(name, known))
        for name in dict.fromkeys(request.query_params)
        if name not in known
    ]
    if errors:
        detail = " ".join(error.message for error in errors)
        raise ProblemError(INVALID_REQUEST, detail, errors=errors)


def _unknown(name: str, known: Sequence[str]) -> str:
    if not known:
        return f"There is no parameter `{name}`: this address has none."
    (nearest,) = get_close_matches(name, known, n=1, cutoff=0.0)
    return f"There is no parameter `{name}`. Did you mean `{nearest}`?"
