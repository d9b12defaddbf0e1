"""The page of a statement, fit to print: made on the server. Its script only sends."""

import json
from typing import Final
from urllib.parse import urlencode

from fastapi import Request, Response

from storemon_api.http.routing import Router
from storemon_api.http.services import ServicesDep
from storemon_api.security.request_access import may_request
from storemon_api.statements.statement_query import StatementQuery, StatementQueryDep
from storemon_api.web.page_templates import page_response
from storemon_pipeline.business_time.local_periods import Period
from storemon_pipeline.sent_statements.request import StatementRequest
from storemon_pipeline.sent_statements.send_statement import find_newest, sent_figures
from storemon_pipeline.statements.changes import compare, makes_revision
from storemon_pipeline.statements.statement import Statement
from storemon_pipeline.statements.statement_period import StatementPeriod
from storemon_pipeline.statements.statement_tables import title_of
from storemon_pipeline.statements.statement_text import statement_text

router = Router(is_strict=False, include_in_schema=False)

STATEMENT_PAGE: Final = "/pages/statement"


@router.get(STATEMENT_PAGE)
def statement_page(request: Request, services: ServicesDep, query: StatementQueryDep) -> Response:
    """Answer with the statement of the stores and the period in the address."""
    statement = query.make(services)
    period = StatementPeriod.parse(statement.period)
    wanted = StatementRequest(query.scope, statement.period, query.objective_percent, query.only)
    sent = find_newest(services.reader, wanted)
    return page_response(
        request,
        "statement.html",
        f"Statement of {title_of(statement)}",
        here="",
        script="statements.js",
        store_id="",
        sent=sent,
        is_changed=sent is not None
        and makes_revision(compare(sent_figures(services.reader, sent), statement)),
        send=json.dumps(_parameters(statement, query, period.text)),
        can_send=may_request(request, "POST", "/statements"),
        text=statement_text(statement),
        fields=_parameters(statement, query, None) | {"period": period.text},
        objective=query.objective_percent,
        period=period.title,
        scope=urlencode(_parameters(statement, query, None)),
        parameters=urlencode(_parameters(statement, query, period.text)),
        links=[
            (label, urlencode(_parameters(statement, query, other.text)))
            for label, other in _neighbours(period)
        ],
    )


def _neighbours(period: StatementPeriod) -> list[tuple[str, StatementPeriod]]:
    other = Period.MONTH if period.by is Period.WEEK else Period.WEEK
    return [
        (f"Previous {period.by}", StatementPeriod.before(period.begin, period.by)),
        (f"Next {period.by}", StatementPeriod.of(period.end, period.by)),
        (f"By {other}", StatementPeriod.of(period.begin, other)),
    ]


def _parameters(statement: Statement, query: StatementQuery, period: str | None) -> dict[str, str]:
    """The parameters of this statement's address, of another period or of none."""
    scope = statement.scope
    objective = query.objective_percent
    values = {
        "store_id": scope.store_id,
        "group": scope.group,
        "region": scope.region,
        "period": period,
        "objective": None if objective is None or period is None else f"{objective:f}",
    }
    return {name: value for name, value in values.items() if value is not None}
