"""Sums of a complete report's rows, of all stores or by group or region."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Final

from fastapi import Path, Query, Request, Response

from storemon_api.downloads.body_tables import body_response, columns_of
from storemon_api.downloads.table_format import TableFormatDep, listing_responses
from storemon_api.http.openapi import problem_responses
from storemon_api.http.problems import (
    REPORT_PROBLEMS,
)
from storemon_api.http.routing import Router
from storemon_api.http.services import ServicesDep
from storemon_api.reports.examples import REPORT_ID
from storemon_api.reports.group_filter import GroupFilterDep
from storemon_api.reports.report_routes import complete_report
from storemon_api.reports.schemas import ReportTotalsResponse, ReportTotalsRow
from storemon_api.stores.store_filters import Objective
from storemon_api.stores.store_responses import figures_of_window, window_columns
from storemon_api.stores.store_schemas import WindowFigures
from storemon_pipeline.domain.amounts import AMOUNTS
from storemon_pipeline.domain.windows import Window
from storemon_pipeline.fleet_days.daily_sums import Split
from storemon_pipeline.likelihood.likely_figures import flags_of
from storemon_pipeline.reports.totals import ReportTotal, read_report_totals

router = Router(tag="reports")

_PROBLEMS: Final = problem_responses(*REPORT_PROBLEMS)
_COLUMNS: Final = columns_of(ReportTotalsRow, "windows")


def _windows(row: ReportTotalsRow) -> Mapping[Window, WindowFigures]:
    return row.windows


@router.get(
    "/reports/{report_id}/totals",
    summary="Sums of a report, by group or region",
    responses={**listing_responses(ReportTotalsResponse), **_PROBLEMS},
)
def get_report_totals(
    request: Request,
    services: ServicesDep,
    table_format: TableFormatDep,
    report_id: Annotated[str, Path(examples=[REPORT_ID])],
    group_filter: GroupFilterDep,
    split: Annotated[Split | None, Query(description="One row per group or region.")] = None,
    objective: Objective = None,
) -> Response:
    """Return sums of the report's rows, by each store's current group or region.

    Percentages are computed from sums. Stores without a group or region come last.
    """
    report = complete_report(services, report_id)
    if report.result_id is None or report.as_of is None:
        raise ValueError(f"the complete report {report.report_id} has no result")
    visible = group_filter.visible_stores(request, services.reader)
    with services.reader.connect() as connection:
        totals = read_report_totals(connection, report.result_id, split=split, store_ids=visible)
    return body_response(
        table_format,
        ReportTotalsResponse(
            report_id=report.report_id,
            as_of=report.as_of,
            policy=report.policy,
            split=split,
            totals=[
                ReportTotalsRow(
                    name=total.name,
                    stores=total.stores,
                    windows={window: _figures(total, window, objective) for window in Window},
                    likely_flags=list(flags_of(total.doubt)),
                )
                for total in totals
            ],
        ),
        "totals",
        (*_COLUMNS, *window_columns(_windows, has_verdict=objective is not None)),
        as_of=report.as_of,
    )


def _figures(total: ReportTotal, window: Window, objective: Decimal | None) -> WindowFigures:
    amounts = total.amounts | total.likely
    return figures_of_window(
        {amount: amounts[amount.column(window)] for amount in AMOUNTS}, objective
    )
