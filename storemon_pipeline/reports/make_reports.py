"""Making all waiting reports in one run."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from storemon_pipeline.database.bulk import Bulk, bulk_transaction, retry_conflicts
from storemon_pipeline.database.connections import create_engine
from storemon_pipeline.domain.windows import Policy
from storemon_pipeline.figures.compute_uptime import STORES_PER_CHUNK, compute_uptime
from storemon_pipeline.figures.status_models import (
    UnknownStatusModelError,
    read_newest_fit,
    read_status_model,
)
from storemon_pipeline.figures.uptime_table import read_newest_poll
from storemon_pipeline.reports.ask_for_report import ask_for_report
from storemon_pipeline.reports.report_runs import record_reading
from storemon_pipeline.reports.results import (
    Question,
    Result,
    ResultWriter,
    WaitingReport,
    complete_reports,
    count_result_faults,
    fail_reports,
    take_waiting_reports,
)
from storemon_pipeline.stores.store_index import read_stores
from storemon_pipeline.views.storefronts_view import read_storefronts_column

NO_POLLS = "No poll has been loaded yet, so there is nothing to report on."


@dataclass(frozen=True, slots=True)
class ReportMade:
    """One result of a run, and how many reports share it.

    `faults` counts contradictions between its rows and its counts.
    """

    result: Result
    question: Question
    reports: int
    faults: int


@dataclass(frozen=True, slots=True)
class ReportsMade:
    """The results of a run. Reports fail when there are no polls."""

    made: tuple[ReportMade, ...]
    failed: int


def make_waiting_reports(
    url: str, *, run_id: str, is_manual: bool, stores_per_chunk: int = STORES_PER_CHUNK
) -> ReportsMade:
    """Complete or fail all waiting reports, in one transaction. Raises InvariantError.

    Reports with the same instant, policy and status model share a result. `is_manual` requests a
    report of the newest poll if none is waiting, for runs that were launched without a request.
    """
    with bulk_transaction(url) as bulk:
        record_reading(bulk, run_id)
    # The dispatcher may change a report just before its lock.
    make = partial(_make, run_id=run_id, stores_per_chunk=stores_per_chunk)
    made = retry_conflicts(url, make)
    if is_manual and not made.made and not made.failed:
        request_newest_report(url)
        made = retry_conflicts(url, make)
    return made


def request_newest_report(url: str) -> None:
    """Request a report of the newest poll."""
    engine = create_engine(url, application_name="storemon report", pool_size=1)
    try:
        ask_for_report(engine, as_of=None, policy=Policy.NEAREST)
    finally:
        engine.dispose()


def _make(bulk: Bulk, run_id: str, stores_per_chunk: int) -> ReportsMade:
    waiting = take_waiting_reports(bulk)
    if not waiting:
        return ReportsMade((), 0)
    newest = read_newest_poll(bulk)
    if newest is None:
        fail_reports(bulk, [report.report_id for report in waiting], NO_POLLS)
        return ReportsMade((), len(waiting))
    made = []
    failed = 0
    for question, report_ids in _by_question(bulk, waiting, newest).items():
        try:
            result = write_result(bulk, question, run_id=run_id, stores_per_chunk=stores_per_chunk)
        except UnknownStatusModelError as error:
            fail_reports(bulk, report_ids, str(error))
            failed += len(report_ids)
        else:
            complete_reports(bulk, report_ids, result.result_id)
            faults = count_result_faults(bulk, result.result_id)
            made.append(ReportMade(result, question, len(report_ids), faults))
    return ReportsMade(tuple(made), failed)


def _by_question(
    bulk: Bulk, waiting: Iterable[WaitingReport], newest: datetime
) -> dict[Question, list[str]]:
    """The ids of the reports by what they ask for."""
    fit = read_newest_fit(bulk)
    newest_model = None if fit is None else fit.status_model_id
    asking: dict[Question, list[str]] = defaultdict(list)
    for report in waiting:
        question = Question(
            report.as_of or newest, report.policy, report.status_model_id or newest_model
        )
        asking[question].append(report.report_id)
    return dict(asking)


def write_result(
    bulk: Bulk,
    question: Question,
    *,
    run_id: str,
    stores_per_chunk: int = STORES_PER_CHUNK,
) -> Result:
    """Compute the figures of all stores, and write them as a result.

    Raises UnknownStatusModelError before anything is written.
    """
    wanted = question.status_model_id
    model = None if wanted is None else read_status_model(bulk, wanted)
    stores = read_stores(bulk)
    writer = ResultWriter(bulk)
    rows = 0
    for chunk, figures in compute_uptime(
        bulk,
        stores,
        as_of=question.as_of,
        policy=question.policy,
        model=model,
        stores_per_chunk=stores_per_chunk,
    ):
        storefronts = read_storefronts_column(
            bulk, chunk, figures.store, as_of=question.as_of, policy=question.policy
        )
        writer.add(chunk, figures, storefronts)
        rows += len(figures.store)
    return writer.finish(question, run_id=run_id, silent_stores=len(stores) - rows)
