"""Build the FastAPI application: services, routers, middleware."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from importlib.metadata import version
from typing import Final

from anyio import CapacityLimiter
from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI

from storemon_api.alerts import action_routes, alert_routes
from storemon_api.corrections import correction_routes
from storemon_api.events import event_routes, reason_routes, webhook_routes
from storemon_api.events.webhook_sources import install_webhooks
from storemon_api.fleet import (
    comparison_routes,
    fleet_budget_routes,
    fleet_routes,
    store_days_routes,
)
from storemon_api.http.error_handlers import install_error_handlers
from storemon_api.http.middleware import RequestIds, SecurityHeaders
from storemon_api.http.services import Services
from storemon_api.http.store_paths import StorePaths
from storemon_api.live.data_events import DataEvents
from storemon_api.live.fleet_cache import FleetCache
from storemon_api.loads import (
    closure_routes,
    objective_routes,
    poll_routes,
    schedule_routes,
    special_hours_routes,
    store_change_routes,
)
from storemon_api.loads.closures import many_stores_routes
from storemon_api.loads.write_slots import WRITE_SLOTS
from storemon_api.openapi_document import install_openapi
from storemon_api.operations import (
    data_health_routes,
    docs_routes,
    health_routes,
    metrics_routes,
    rejected_row_routes,
)
from storemon_api.operations.metrics import Metrics
from storemon_api.operations.request_metrics import RequestMetrics
from storemon_api.polls import poll_plan_routes
from storemon_api.reports import (
    diff_routes,
    format_routes,
    list_routes,
    report_routes,
    totals_routes,
)
from storemon_api.reports.report_dispatcher import Dispatcher
from storemon_api.security.access_control import AccessControl, SignIn
from storemon_api.security.identity_cache import Identities, IdentityCache
from storemon_api.security.rate_limits import RateLimits
from storemon_api.security.trusted_proxy import TrustedProxy
from storemon_api.settings import ApiSettings
from storemon_api.sign_in import (
    account_routes,
    forgotten_routes,
    password_routes,
    provider_routes,
    sign_in_routes,
)
from storemon_api.sign_in.forgotten_routes import install_forgotten
from storemon_api.sign_in.sign_in_routes import SIGN_IN_PATH, install_sign_in
from storemon_api.statements import (
    delivery_routes,
    pack_routes,
    sent_routes,
    statement_routes,
)
from storemon_api.stores import budget_routes, history_routes, store_routes, timeline_routes
from storemon_api.web import manual_routes, page_routes, sent_pages, statement_page
from storemon_api.web.problem_page import problem_page
from storemon_pipeline.access.keys import ApiKey
from storemon_pipeline.dagster_graphql import DagsterGraphQL
from storemon_pipeline.database.connections import create_engine

_APPLICATION_NAME: Final = "storemon api"
_PROBE_TIMEOUT_SECONDS: Final = 3.0
_STOP_TIME_LIMIT: Final = timedelta(seconds=5)
_DESCRIPTION: Final = (
    "Trigger a report, poll until it is complete, download it as CSV. "
    "Every error is `application/problem+json` (RFC 9457). "
    "Every address with GET also supports HEAD."
)


def create_app(
    settings: ApiSettings | None = None, *, known_keys: Iterable[ApiKey] | None = None
) -> FastAPI:
    """Return the application; without `settings` they come from the environment.

    `known_keys` are valid until the keys have been read from the database. Without them every
    request that needs a key is refused until then.
    No connection is opened before startup, and startup needs neither the database nor Dagster.
    """
    settings = settings or ApiSettings()
    database_url = settings.database_url.get_secret_value()
    engine = create_engine(
        database_url,
        application_name=_APPLICATION_NAME,
        pool_size=settings.api_connections,
        max_overflow=0,
    )
    reader = engine.execution_options(isolation_level="AUTOCOMMIT")
    secret = settings.dagster_token
    token = None if secret is None else secret.get_secret_value()
    dagster = DagsterGraphQL(
        settings.dagster_url, timeout=settings.api_dagster_timeout_seconds, token=token
    )
    probe = DagsterGraphQL(settings.dagster_url, timeout=_PROBE_TIMEOUT_SECONDS, token=token)
    services = Services(settings, engine, reader, probe, CapacityLimiter(WRITE_SLOTS))
    dispatcher = Dispatcher(engine, dagster)
    fleet_cache = FleetCache(database_url, reader)
    data_events = DataEvents(fleet_cache)
    metrics = Metrics(reader, lambda: dispatcher.is_leading, probe.are_daemons_alive)
    identities = IdentityCache(
        engine,
        known=None if known_keys is None else Identities.of(known_keys),
        idle_limit=settings.session_idle_limit,
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        # More threads than connections would wait for the pool and delay requests without SQL.
        current_default_thread_limiter().total_tokens = settings.api_connections
        identities.start()
        dispatcher.start()
        data_events.start()
        yield
        await data_events.stop(_STOP_TIME_LIMIT)
        dispatcher.stop(_STOP_TIME_LIMIT)
        identities.stop(_STOP_TIME_LIMIT)
        engine.dispose()
        probe.close()

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
    app.state.dispatcher = dispatcher
    app.state.fleet_cache = fleet_cache
    app.state.data_events = data_events
    app.state.metrics = metrics
    install_webhooks(app, settings.data)
    install_sign_in(app)
    install_forgotten(app)
    routers = (
        report_routes.router,
        diff_routes.router,
        poll_routes.router,
        schedule_routes.router,
        store_change_routes.router,
        special_hours_routes.router,
        store_routes.router,
        history_routes.router,
        budget_routes.router,
        timeline_routes.router,
        fleet_routes.router,
        fleet_budget_routes.router,
        comparison_routes.router,
        store_days_routes.router,
        reason_routes.router,
        poll_plan_routes.router,
        data_health_routes.router,
        rejected_row_routes.router,
        alert_routes.router,
        action_routes.router,
        list_routes.router,
        format_routes.router,
        totals_routes.router,
        statement_routes.router,
        sent_routes.router,
        delivery_routes.router,
        pack_routes.router,
        statement_page.router,
        sent_pages.router,
        page_routes.router,
        manual_routes.router,
        closure_routes.router,
        many_stores_routes.router,
        event_routes.router,
        webhook_routes.router,
        correction_routes.router,
        objective_routes.router,
        health_routes.router,
        metrics_routes.router,
        docs_routes.router,
        sign_in_routes.router,
        password_routes.router,
        provider_routes.router,
        account_routes.router,
        forgotten_routes.router,
    )
    # FastAPI tries routes one by one, and most requests of a page are for its files.
    app.mount(page_routes.STATIC_PATH, page_routes.static_files())
    app.mount(docs_routes.ASSETS_PATH, docs_routes.docs_assets())
    for router in routers:
        app.include_router(router)
    own_routes = [route for router in routers for route in router.routes]
    every_route = [*app.routes, *own_routes]
    install_error_handlers(app, every_route)
    install_openapi(app)
    app.state.routes = every_route
    app.state.problem_page = problem_page
    app.add_middleware(
        AccessControl,
        routes=every_route,
        identities=identities,
        limits=RateLimits(
            per_second=settings.api_requests_per_second,
            burst=settings.api_request_burst,
        ),
        max_body_bytes=settings.api_max_body_bytes,
        sign_in=SignIn(SIGN_IN_PATH, is_at_provider=settings.oidc_issuer is not None),
        proxy=TrustedProxy.of(settings.proxy_header, settings.proxy_networks),
    )
    app.add_middleware(StorePaths)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(RequestMetrics, metrics=metrics)
    app.add_middleware(RequestIds)
    return app
