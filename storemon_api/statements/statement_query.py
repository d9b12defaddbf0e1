"""Query parameters of statements: the stores, the period, the objective."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Final

from fastapi import Depends, Query, Request

from storemon_api.http.openapi import problem_responses
from storemon_api.http.problems import (
    DATABASE_UNAVAILABLE,
    INVALID_REQUEST,
    NO_POLLS,
    UNKNOWN_STORE,
    ProblemError,
    invalid_field,
)
from storemon_api.http.services import Services
from storemon_api.security.request_access import visible_stores
from storemon_api.stores.store_filters import Objective, check_texts
from storemon_pipeline.business_time.local_periods import Period
from storemon_pipeline.statements.make_statement import (
    FuturePeriodError,
    make_statement,
)
from storemon_pipeline.statements.statement import Scope, Statement
from storemon_pipeline.statements.statement_period import StatementPeriod
from storemon_pipeline.views.store_view import NoPollsError, UnknownStoreError

STATEMENT_PROBLEMS: Final = problem_responses(
    UNKNOWN_STORE, NO_POLLS, INVALID_REQUEST, DATABASE_UNAVAILABLE
)

_LAST: Final = {"last-week": Period.WEEK, "last-month": Period.MONTH}


@dataclass(frozen=True, slots=True)
class StatementQuery:
    """The statement that a request asks for."""

    scope: Scope
    period: StatementPeriod | Period
    objective_percent: Decimal | None
    only: frozenset[str] | None
    """Ids of the stores that the request may see; None means all."""

    def make(self, services: Services) -> Statement:
        """Make the statement. Raises a 404, 409 or 422 problem."""
        with statement_problems():
            return make_statement(
                services.settings.database_url.get_secret_value(),
                self.scope,
                self.period,
                only=self.only,
                objective_percent=self.objective_percent,
            )


@contextmanager
def statement_problems() -> Iterator[None]:
    """Raise a 404, 409 or 422 problem for a statement that cannot be made."""
    try:
        yield
    except NoPollsError as error:
        raise ProblemError(NO_POLLS) from error
    except UnknownStoreError as error:
        raise ProblemError(UNKNOWN_STORE) from error
    except FuturePeriodError as error:
        raise invalid_field("period", "The period begins after the newest poll.") from error


async def _statement_query(
    request: Request,
    store_id: Annotated[str | None, Query(description="Only this store.")] = None,
    group: Annotated[str | None, Query(description="Only stores of this group.")] = None,
    region: Annotated[str | None, Query(description="Only stores of this region.")] = None,
    period: Annotated[
        str,
        Query(
            description="A month such as `2026-10`, an ISO week such as `2026-W43`, `last-month` "
            "or `last-week`. It is that of each store's own clock.",
        ),
    ] = "last-month",
    objective: Objective = None,
) -> StatementQuery:
    check_texts(store_id=store_id, group=group, region=region, period=period)
    return StatementQuery(
        Scope(store_id, group, region), _period(period), objective, visible_stores(request)
    )


StatementQueryDep = Annotated[StatementQuery, Depends(_statement_query)]


def _period(text: str) -> StatementPeriod | Period:
    if text in _LAST:
        return _LAST[text]
    return parse_period(text)


def parse_period(text: str) -> StatementPeriod:
    """Return the week or month of a text. Raises a 422 problem."""
    try:
        return StatementPeriod.parse(text)
    except ValueError as error:
        raise invalid_field(
            "period", "Give a month such as 2026-10, or a week such as 2026-W43."
        ) from error
