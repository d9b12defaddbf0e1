"""The pages of sent statements: the list, and one revision with what has changed since."""

from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import Query, Request, Response

from storemon_api.http.routing import Router
from storemon_api.http.services import ServicesDep
from storemon_api.security.request_access import may_request, visible_stores
from storemon_api.statements.sent_routes import StatementId, find
from storemon_api.statements.statement_query import statement_problems
from storemon_api.web.page_templates import page_response
from storemon_pipeline.domain.windows import DEFAULT_ZONE
from storemon_pipeline.sent_statements.manage_schedules import list_deliveries, list_schedules
from storemon_pipeline.sent_statements.schedule import Every, next_due
from storemon_pipeline.sent_statements.send_statement import (
    compare_with_now,
    list_revisions,
    list_sent,
    sent_figures,
)
from storemon_pipeline.statements.statement import Scope
from storemon_pipeline.statements.statement_period import StatementPeriod
from storemon_pipeline.statements.statement_text import changes_text, statement_text

router = Router(is_strict=False, include_in_schema=False)

SENT_PAGE: Final = "/pages/statements"
_A_PAGE: Final = 50


@router.get(SENT_PAGE)
def sent_page(
    request: Request,
    services: ServicesDep,
    offset: Annotated[int, Query(ge=0, le=2**31)] = 0,
    store_id: str | None = None,
    group: str | None = None,
    region: str | None = None,
) -> Response:
    """Answer with the lists of schedules, deliveries and sent statements.

    The form of a new schedule begins with the stores in the address.
    """
    visible, now = visible_stores(request), datetime.now(UTC)
    found = list_sent(services.reader, only_stores=visible, offset=offset, limit=_A_PAGE)
    return page_response(
        request,
        "sent-statements.html",
        "Sent statements",
        here=SENT_PAGE,
        script="statements.js",
        store_id="",
        sent=[(one, scope_words(one.request.scope)) for one in found],
        next_offset=offset + _A_PAGE if len(found) == _A_PAGE else None,
        schedules=[
            (one, scope_words(one.new.request.scope), next_due(one.new.timetable, now))
            for one in list_schedules(services.reader, only_stores=visible)
        ],
        deliveries=[
            (one, scope_words(one.request.scope))
            for one in list_deliveries(
                services.reader, only_stores=visible, offset=0, limit=_A_PAGE
            )
        ],
        can_send=may_request(request, "POST", "/statements"),
        scope=Scope(store_id, group, region),
        days=[day.value for day in Every],
        zone=DEFAULT_ZONE,
    )


@router.get(f"{SENT_PAGE}/{{statement_id}}")
def sent_statement_page(
    request: Request, services: ServicesDep, statement_id: StatementId
) -> Response:
    """Answer with a statement as it was sent."""
    sent = find(request, services, statement_id)
    statement = sent_figures(services.reader, sent)
    changes = []
    reasons: list[str] = []
    if sent.statement_id == sent.newest_id:
        url = services.settings.database_url.get_secret_value()
        with statement_problems():
            difference = compare_with_now(services.reader, url, sent)
        changes, reasons = difference.changes, difference.reasons
    return page_response(
        request,
        "sent-statement.html",
        f"Statement of {scope_words(sent.request.scope)}",
        here="",
        script="statements.js",
        store_id="",
        sent=sent,
        period=StatementPeriod.parse(statement.period).title,
        text=statement_text(statement, sent.revision),
        revisions=list_revisions(services.reader, sent, only_stores=visible_stores(request)),
        deliveries=list_deliveries(
            services.reader,
            only_stores=visible_stores(request),
            offset=0,
            limit=_A_PAGE,
            statement_id=sent.statement_id,
        ),
        changes=changes_text(changes) if changes else None,
        reasons=reasons,
        can_send=may_request(request, "POST", "/statements"),
    )


def scope_words(scope: Scope) -> str:
    """Return the stores of a statement in words."""
    named = [
        f"{kind} {name}"
        for kind, name in (
            ("store", scope.store_id),
            ("group", scope.group),
            ("region", scope.region),
        )
        if name is not None
    ]
    return ", ".join(named) or "all stores"
