"""The application: its parts put together. What they do is in their own modules."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from importlib.metadata import version
from typing import Final

from anyio import CapacityLimiter
from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI

from storemon_api.access import AccessControl
from storemon_api.deps import Services
from storemon_api.errors import install_error_handlers
from storemon_api.events import Announcer
from storemon_api.fleet_cache import FleetCache
from storemon_api.key_ring import KeyRing
from storemon_api.launcher import Dispatcher
from storemon_api.metrics import Metrics
from storemon_api.middleware import RequestIds, RequestMetrics, SecurityHeaders
from storemon_api.openapi import install_openapi
from storemon_api.rate_limits import RateLimits
from storemon_api.routes import (
    alerts,
    closures,
    data_health,
    diffs,
    docs,
    health,
    metrics,
    pages,
    polls,
    report_formats,
    report_list,
    report_totals,
    reports,
    store_history,
    stores,
)
from storemon_api.routes import fleet as fleet_routes
from storemon_api.settings import ApiSettings
from storemon_api.writing import WRITERS
from storemon_pipeline.access import ApiKey
from storemon_pipeline.dagster_graphql import DagsterGraphQL
from storemon_pipeline.storage.engine import create_engine

_APPLICATION_NAME: Final = "storemon api"
_PROBE_TIMEOUT_SECONDS: Final = 3.0
_STOP_TIME_LIMIT: Final = timedelta(seconds=5)
_DESCRIPTION: Final = (
    "Trigger a report, poll until it is complete, download it as CSV. "
    "Every error is `application/problem+json` (RFC 9457). "
    "What can be fetched with GET also answers HEAD."
)


def create_app(
    settings: ApiSettings | None = None, *, known_keys: Iterable[ApiKey] | None = None
) -> FastAPI:
    """Return the application; without `settings` they come from the environment.

    `known_keys` hold until the database can be asked for the keys; without them nobody but those
    who need none is let in before.
    Nothing is connected before it starts, and it starts without its database and without Dagster.
    """
    services = _services(settings or ApiSettings())
    keys = KeyRing(services.engine, keys=known_keys)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        # A thread more than connections would wait in the pool, behind answers that need none.
        current_default_thread_limiter().total_tokens = services.settings.api_connections
        keys.start()
        services.dispatcher.start()
        services.announcer.start()
        yield
        await services.announcer.stop()
        services.dispatcher.stop(_STOP_TIME_LIMIT)
        keys.stop(_STOP_TIME_LIMIT)
        services.engine.dispose()
        services.dagster_probe.close()

    app = FastAPI(
        title="storemon",
        summary="How long each store was up and down while it should have been open.",
        description=_DESCRIPTION,
        version=version("storemon"),
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
        lifespan=lifespan,
    )
    app.state.services = services
    routers = (
        reports.router,
        diffs.router,
        polls.router,
        stores.router,
        store_history.router,
        fleet_routes.router,
        data_health.router,
        alerts.router,
        report_list.router,
        report_formats.router,
        report_totals.router,
        pages.router,
        closures.router,
        health.router,
        metrics.router,
        docs.router,
    )
    for router in routers:
        app.include_router(router)
    app.mount(docs.ASSETS_PATH, docs.docs_assets())
    app.mount(pages.STATIC_PATH, pages.static_files())
    own_routes = [route for router in routers for route in router.routes]
    every_route = [*app.routes, *own_routes]
    install_error_handlers(app, every_route)
    install_openapi(app)
    app.state.routes = every_route
    app.add_middleware(
        AccessControl,
        routes=every_route,
        keys=keys,
        limits=RateLimits(
            per_second=services.settings.api_requests_per_second,
            burst=services.settings.api_request_burst,
        ),
        max_body_bytes=services.settings.api_max_body_bytes,
    )
    app.add_middleware(SecurityHeaders)
    app.add_middleware(RequestMetrics, metrics=services.metrics)
    app.add_middleware(RequestIds)
    return app


def _services(settings: ApiSettings) -> Services:
    engine = create_engine(
        settings.database_url.get_secret_value(),
        application_name=_APPLICATION_NAME,
        pool_size=settings.api_connections,
        max_overflow=0,
    )
    reader = engine.execution_options(isolation_level="AUTOCOMMIT")
    dagster = DagsterGraphQL(settings.dagster_url, timeout=settings.api_dagster_timeout_seconds)
    dispatcher = Dispatcher(engine, dagster)
    probe = DagsterGraphQL(settings.dagster_url, timeout=_PROBE_TIMEOUT_SECONDS)
    fleet = FleetCache(settings.database_url.get_secret_value(), reader)
    return Services(
        settings=settings,
        engine=engine,
        reader=reader,
        dispatcher=dispatcher,
        dagster_probe=probe,
        metrics=Metrics(reader, lambda: dispatcher.is_leading, probe.are_schedules_run),
        fleet=fleet,
        announcer=Announcer(fleet),
        writers=CapacityLimiter(WRITERS),
    )
