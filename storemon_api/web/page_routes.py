"""The web pages: frames without data, which scripts fill from the JSON of the other routes."""

from http import HTTPStatus
from importlib.resources import files
from typing import Final

import sqlalchemy as sa
from fastapi import Request, Response
from starlette.staticfiles import StaticFiles

from storemon_api.http.routing import Router
from storemon_api.http.services import Services, ServicesDep
from storemon_api.http.store_paths import STORE_ID
from storemon_api.security.request_access import may_request, visible_stores
from storemon_api.stores.store_filters import is_storable
from storemon_api.web.page_templates import page_response
from storemon_pipeline.stores.store_keys import is_store

router = Router(is_strict=False, include_in_schema=False)

STATIC_PATH: Final = "/static"
# A shared worker has the policy of its own file, not of the page that starts it.
_SCRIPT_POLICY: Final = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; frame-ancestors 'none'"
)


def static_files() -> StaticFiles:
    """Return the pages' scripts and styles, to be mounted at `STATIC_PATH`."""
    return _Revalidated(directory=str(files("storemon_api.web") / "static"))


class _Revalidated(StaticFiles):
    """Files that a browser keeps, and asks about each time: a new release shows at once."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        answer = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        answer.headers["Cache-Control"] = "no-cache"
        answer.headers["Content-Security-Policy"] = _SCRIPT_POLICY
        return answer


@router.get("/")
async def now_page(request: Request) -> Response:
    """Answer with the page of all stores."""
    can_close = may_request(request, "POST", "/fleet/closures")
    return _page(request, "now", "Now", here="/", can_close=can_close)


@router.get(f"/store/{STORE_ID}")
def store_page(request: Request, services: ServicesDep, store_id: str) -> Response:
    """Answer with the page of one store; for an unknown one it says so, with the status 404.

    What a visitor may not see has the page of any other store, and its data are refused.
    """
    visible = visible_stores(request)
    is_visible = visible is None or store_id in visible
    can_change = is_visible and may_request(request, "PUT", f"/stores/{STORE_ID}/hours")
    can_correct = can_change and may_request(request, "POST", "/corrections")
    page = _page(
        request,
        "store",
        store_id,
        here="",
        store_id=store_id,
        can_change=can_change,
        can_correct=can_correct,
        can_change_all=can_change and visible is None,
    )
    if is_visible and _is_unknown(services, store_id):
        page.status_code = HTTPStatus.NOT_FOUND
    return page


def _is_unknown(services: Services, store_id: str) -> bool:
    """Whether there is no such store; without a database nobody knows, and the page is shown."""
    if not is_storable(store_id):
        return True
    try:
        with services.reader.connect() as connection:
            return not is_store(connection, store_id)
    except (sa.exc.OperationalError, sa.exc.TimeoutError):
        return False


@router.get("/pages/reports")
async def reports_page(request: Request) -> Response:
    """Answer with the page of reports."""
    can_request = may_request(request, "POST", "/trigger_report")
    return _page(
        request, "reports", "Reports", here="/pages/reports", can_request_reports=can_request
    )


@router.get("/pages/data")
async def data_page(request: Request) -> Response:
    """Answer with the page about the data."""
    # Of its own rule: it has no address here, so it is for admins of all stores.
    is_admin = may_request(request, "GET", "the Dagster UI")
    return _page(request, "data", "Data health", here="/pages/data", can_open_dagster=is_admin)


@router.get("/pages/alerts")
async def alerts_page(request: Request) -> Response:
    """Answer with the page of alerts."""
    can_act = may_request(request, "POST", "/alerts/{alert_id}/actions")
    return _page(request, "alerts", "Alerts", here="/pages/alerts", can_act=can_act)


@router.get("/pages/objectives")
async def objectives_page(request: Request) -> Response:
    """Answer with the page of objectives and budgets."""
    can_change = may_request(request, "PUT", "/objectives")
    return _page(
        request, "objectives", "Objectives", here="/pages/objectives", can_change=can_change
    )


@router.get("/pages/accounts")
async def accounts_page(request: Request) -> Response:
    """Answer with the page of accounts."""
    return _page(request, "accounts", "Accounts", here="/pages/accounts")


@router.get("/pages/compare")
async def compare_page(request: Request) -> Response:
    """Answer with the page that compares two periods."""
    return _page(request, "compare", "Compare", here="/pages/compare")


def _page(
    request: Request, name: str, title: str, *, here: str, store_id: str = "", **allowed: bool
) -> Response:
    return page_response(
        request, f"{name}.html", title, here=here, script=f"{name}.js", store_id=store_id, **allowed
    )
