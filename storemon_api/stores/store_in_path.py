"""The store that a request names: its parameter, its problems, its view."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Final

from fastapi import Path, Request

from storemon_api.http.openapi import problem_responses
from storemon_api.http.problems import (
    DATABASE_UNAVAILABLE,
    INVALID_REQUEST,
    NO_POLLS,
    UNKNOWN_STORE,
    ProblemError,
)
from storemon_api.http.services import Services
from storemon_api.live.fleet_cache import FleetCache
from storemon_api.security.request_access import visible_stores
from storemon_api.stores.store_filters import is_storable
from storemon_pipeline.domain.windows import DEFAULT_ZONE
from storemon_pipeline.views.fleet_view import Fleet
from storemon_pipeline.views.store_view import (
    NoPollsError,
    StoreView,
    UnknownStoreError,
    store_view,
)

StoreIdPath = Annotated[str, Path(examples=["7482936150293847561"])]


STORE_PROBLEMS: Final = problem_responses(
    UNKNOWN_STORE, NO_POLLS, INVALID_REQUEST, DATABASE_UNAVAILABLE
)


def fleet_with(request: Request, fleet_cache: FleetCache, *store_ids: str) -> Fleet:
    """Return the stores that the request may see. Raises a 404 problem unless these are in it."""
    fleet = fleet_cache.fleet(visible_stores(request))
    if fleet is None or not fleet.position.keys() >= set(store_ids):
        raise ProblemError(UNKNOWN_STORE)
    return fleet


@contextmanager
def store_view_of(services: Services, store_id: str) -> Iterator[StoreView]:
    """Open a view of the store. Raises a 404 or 409 problem."""
    url = services.settings.database_url.get_secret_value()
    if not is_storable(store_id):
        raise ProblemError(UNKNOWN_STORE)
    try:
        with store_view(url, store_id) as view:
            yield view
    except UnknownStoreError as error:
        raise ProblemError(UNKNOWN_STORE) from error
    except NoPollsError as error:
        raise ProblemError(NO_POLLS) from error


def zone_of(view: StoreView) -> str:
    """Return the store's time zone, or the default one."""
    return view.details.timezones[0] or DEFAULT_ZONE
