"""The difference between two reports of the same `as_of` and policy."""

from dataclasses import asdict
from typing import Annotated, Final

from fastapi import Path, Query, Request, Response

from storemon_api.downloads.body_tables import body_response, columns_of
from storemon_api.downloads.table_file import Column
from storemon_api.downloads.table_format import ALL_ROWS, TableFormatDep, listing_responses
from storemon_api.http.openapi import problem_responses
from storemon_api.http.problems import (
    REPORT_PROBLEMS,
    invalid_field,
)
from storemon_api.http.routing import Router
from storemon_api.http.services import ServicesDep
from storemon_api.reports.examples import REPORT_ID
from storemon_api.reports.report_routes import complete_report
from storemon_api.reports.schemas import DiffInput, DiffResponse, StoreDiff
from storemon_api.security.request_access import visible_stores
from storemon_pipeline.domain.amounts import ROUNDED_COLUMNS
from storemon_pipeline.reports.diffs import (
    LoadBetween,
    StoreDifference,
    compare_results,
    read_loads_between,
)

router = Router(tag="reports")

_MAX_STORES: Final = 1_000
_MAX_INPUTS: Final = 1_000


def _figure(of: str, name: str) -> Column[StoreDiff]:
    def cell(row: StoreDiff) -> float | None:
        figures: dict[str, float] | None = getattr(row, of)
        return None if figures is None else figures[name]

    return Column(f"{of}_{name}", cell)


_FIGURES: Final = ("before", "after", "difference")
_COLUMNS: Final = (
    *columns_of(StoreDiff, *_FIGURES),
    *(_figure(of, name) for of in _FIGURES for name in ROUNDED_COLUMNS),
)


@router.get(
    "/reports/{report_id}/diff",
    summary="Difference from another report of the same instant",
    responses={
        **listing_responses(DiffResponse),
        **problem_responses(*REPORT_PROBLEMS),
    },
)
def get_report_diff(
    request: Request,
    services: ServicesDep,
    table_format: TableFormatDep,
    report_id: Annotated[str, Path(examples=[REPORT_ID])],
    against: Annotated[str, Query(description="The report to compare with.", examples=[REPORT_ID])],
    after: Annotated[str, Query(description="Value of `next_after` of the page before.")] = "",
    limit: Annotated[int, Query(ge=1, le=_MAX_STORES)] = 100,
) -> Response:
    """Return the stores whose figures differ, by how much, and the loads in between.

    A difference is the figure of `report_id` minus the figure of `against`. Both reports must be
    complete, with the same `as_of` and policy. For a key that is limited to some stores, `inputs`
    are the loads that affect these, without row counts. A file has all stores.
    """
    visible = visible_stores(request)
    report, other = complete_report(services, report_id), complete_report(services, against)
    if (report.as_of, report.policy) != (other.as_of, other.policy):
        raise invalid_field("against", "Pick two reports of the same time and policy.")
    if "\0" in after:
        raise invalid_field("after", "`after` must be a store id.")
    if report.result_id is None or other.result_id is None or report.as_of is None:
        raise ValueError(f"a complete report has a result: {report_id}, {against}")
    if table_format.is_file:
        after, limit = "", ALL_ROWS
    with services.reader.connect() as connection:
        results = (other.result_id, report.result_id)
        differences = compare_results(
            connection, results=results, behind=after, limit=limit, stores=visible
        )
        inputs = read_loads_between(
            connection,
            results=results,
            as_of=report.as_of,
            limit=_MAX_INPUTS,
            stores=visible,
        )
    counts, stores = differences.counts, differences.stores
    diff = DiffResponse(
        report_id=report.report_id,
        revision=report.revision,
        against=other.report_id,
        against_revision=other.revision,
        zone_rules=report.zone_rules,
        against_zone_rules=other.zone_rules,
        as_of=report.as_of,
        policy=report.policy,
        stores_changed=counts.changed,
        stores_appeared=counts.appeared,
        stores_vanished=counts.vanished,
        inputs=[_input(load, has_numbers=visible is None) for load in inputs],
        stores=[_store(store) for store in stores],
        next_after=stores[-1].store_id if len(stores) == limit else None,
    )
    return body_response(
        table_format,
        diff,
        "stores",
        _COLUMNS,
        name="difference",
        as_of=report.as_of,
        exclude_none=True,
    )


def _input(load: LoadBetween, *, has_numbers: bool) -> DiffInput:
    if has_numbers:
        return DiffInput(**asdict(load))
    return DiffInput(
        load_id=load.load_id,
        source=load.source,
        file_path=load.file_path,
        loaded_at=load.loaded_at,
    )


def _store(store: StoreDifference) -> StoreDiff:
    before, after = store.before, store.after
    if before is None or after is None:
        change, difference = "appeared" if before is None else "vanished", None
    else:
        change = "changed"
        difference = {name: float(after[name] - before[name]) for name in ROUNDED_COLUMNS}
    return StoreDiff(
        store_id=store.store_id,
        change=change,
        before=before and {name: float(before[name]) for name in ROUNDED_COLUMNS},
        after=after and {name: float(after[name]) for name in ROUNDED_COLUMNS},
        difference=difference,
    )
