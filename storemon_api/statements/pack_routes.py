"""Routes of dispute packs, and of the key that signs them."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import Query, Response

from storemon_api.http.openapi import problem_responses
from storemon_api.http.problems import (
    BUSY,
    DATABASE_UNAVAILABLE,
    INVALID_REQUEST,
    LAKE_UNAVAILABLE,
    NO_POLLS,
    NO_SIGNING_KEY,
    UNKNOWN_INCIDENT,
    UNKNOWN_STORE,
    ProblemError,
    invalid_field,
)
from storemon_api.http.routing import Router
from storemon_api.http.services import Services, ServicesDep
from storemon_api.http.store_paths import STORE_ID
from storemon_api.statements.statement_query import StatementQueryDep, statement_problems
from storemon_api.stores.store_filters import is_storable
from storemon_api.stores.store_in_path import StoreIdPath
from storemon_api.stores.time_params import BoundedInstant
from storemon_pipeline.dispute_packs.make_pack import (
    MOST_STORES,
    NoIncidentError,
    TooManyStoresError,
    UnverifiedPackError,
    incident_pack,
    statement_pack,
)
from storemon_pipeline.dispute_packs.signing_key import (
    SigningKeyError,
    public_pem,
    signing_key,
)
from storemon_pipeline.statements.statement_tables import scope_name

router = Router(tag="statements")

_PEM: Final = "application/x-pem-file"
_ZIP: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "The pack, a zip file.", "content": {"application/zip": {}}}
}
_PROBLEMS: Final = (UNKNOWN_STORE, NO_POLLS, INVALID_REQUEST)
_UNAVAILABLE: Final = (BUSY, NO_SIGNING_KEY, DATABASE_UNAVAILABLE, LAKE_UNAVAILABLE)

_logger = logging.getLogger(__name__)


@router.get(
    "/statement/dispute-pack",
    summary="The signed evidence of a statement",
    response_class=Response,
    responses={**_ZIP, **problem_responses(*_PROBLEMS, *_UNAVAILABLE)},
)
def get_statement_pack(services: ServicesDep, query: StatementQueryDep) -> Response:
    """Return polls, hours, closures, figures and ledger in one file, for `storemon verify`."""
    with _pack_problems(), statement_problems():
        content = statement_pack(
            services.settings.database_url.get_secret_value(),
            _key(services),
            query.scope,
            query.period,
            now=datetime.now(UTC),
            only=query.only,
            objective_percent=query.objective_percent,
        )
    return _zip(content, f"dispute-pack-{scope_name(query.scope)}")


@router.get(
    f"/stores/{STORE_ID}/dispute-pack",
    summary="The signed evidence of an outage",
    response_class=Response,
    responses={
        **_ZIP,
        **problem_responses(*_PROBLEMS, UNKNOWN_INCIDENT, *_UNAVAILABLE),
    },
)
def get_incident_pack(
    services: ServicesDep,
    store_id: StoreIdPath,
    start: Annotated[BoundedInstant, Query(description="The `start` of the outage as listed.")],
) -> Response:
    """Return polls, hours, closures and ledger around an outage in one file."""
    if not is_storable(store_id):
        raise ProblemError(UNKNOWN_STORE)
    with _pack_problems(), statement_problems():
        content = incident_pack(
            services.settings.database_url.get_secret_value(),
            _key(services),
            store_id,
            start,
            now=datetime.now(UTC),
        )
    return _zip(content, f"dispute-pack-outage-{start:%Y-%m-%d-%H%M}")


@router.get(
    "/public-key",
    summary="The key that signs dispute packs",
    response_class=Response,
    responses={
        200: {"description": "An Ed25519 key as PEM.", "content": {_PEM: {}}},
        **problem_responses(NO_SIGNING_KEY),
    },
)
def get_public_key(services: ServicesDep) -> Response:
    """Return the public key, to give to `storemon verify --public-key`."""
    return Response(public_pem(_key(services).public_key()), media_type=_PEM)


def _key(services: Services) -> Ed25519PrivateKey:
    try:
        return signing_key(services.settings.signing_key_file)
    except SigningKeyError as error:
        _logger.exception("No dispute pack can be signed")
        raise ProblemError(NO_SIGNING_KEY) from error


@contextmanager
def _pack_problems() -> Iterator[None]:
    try:
        yield
    except TooManyStoresError as error:
        raise invalid_field(
            "group", f"A pack holds up to {MOST_STORES:,} stores: choose a store, group or region."
        ) from error
    except NoIncidentError as error:
        raise ProblemError(UNKNOWN_INCIDENT) from error
    except UnverifiedPackError as error:
        _logger.warning("A dispute pack does not verify, so it was not given out: %s", error)
        raise ProblemError(BUSY) from error


def _zip(content: bytes, name: str) -> Response:
    return Response(
        content,
        media_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="{name}.zip"'},
    )
