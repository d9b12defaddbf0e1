"""Making waiting reports from the lake: a plan, the rows of shares of the buckets, the results.

The steps may run in different processes, on different machines. They share the plan and what they
make in the lake. Reports are completed in one transaction of the database, by the last step.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from storemon_pipeline.database.bulk import Bulk, bulk_transaction, retry_conflicts
from storemon_pipeline.database.instants import instant
from storemon_pipeline.domain.counts import counted
from storemon_pipeline.figures.status_models import (
    UnknownStatusModelError,
    read_newest_fit,
    read_packed_model,
)
from storemon_pipeline.lake.follow_database import refresh_lake
from storemon_pipeline.lake.lake_results import count_lake_faults, write_lake_result
from storemon_pipeline.lake.report_rows import (
    ReportPlan,
    discard_orphans,
    discard_runs,
    find_plan,
    make_share,
    provide_model,
    rows_of_buckets,
    write_plan,
)
from storemon_pipeline.lake_files.lake_folder import LakeFolder
from storemon_pipeline.lake_files.manifest import Manifest, read_manifest
from storemon_pipeline.reports.make_reports import (
    NO_POLLS,
    ReportMade,
    ReportsMade,
    request_newest_report,
)
from storemon_pipeline.reports.report_runs import record_reading
from storemon_pipeline.reports.results import (
    Question,
    WaitingReport,
    complete_reports,
    fail_reports,
    take_planned_reports,
    take_waiting_reports,
)


class NoPlanError(Exception):
    """The last step of a run finds no plan, although reports of the run still wait."""

    def __init__(self, lake: LakeFolder, reports: int) -> None:
        super().__init__(
            f"The lake {lake} has no plan of this run any more, and {counted(reports, 'report')} "
            "of it must still be made: start a new run."
        )


def make_lake_reports(
    url: str, lake: LakeFolder, *, run_id: str, is_manual: bool, now: datetime
) -> ReportsMade:
    """As `make_waiting_reports`, from the lake, which first follows the database."""
    shares = plan_lake_reports(url, lake, run_id=run_id, is_manual=is_manual, shares=1, now=now)
    for number in range(shares):
        make_share(lake, run_ids=(run_id,), number=number)
    return finish_lake_reports(url, lake, run_ids=(run_id,))


def plan_lake_reports(
    url: str, lake: LakeFolder, *, run_id: str, is_manual: bool, shares: int, now: datetime
) -> int:
    """Plan all waiting reports from one version of the lake, which has all that the database has.

    Returns how many shares the buckets have. `is_manual` is as for `make_waiting_reports`.
    """
    if is_manual and not retry_conflicts(url, take_waiting_reports):
        request_newest_report(url)
    with bulk_transaction(url) as bulk:
        record_reading(bulk, run_id)
    discard_orphans(lake, now=now)
    manifest = refresh_lake(url, lake)
    plan_of = partial(_plan, lake=lake, manifest=manifest, run_id=run_id, shares=shares, now=now)
    plan = write_plan(lake, retry_conflicts(url, plan_of))
    return len(read_manifest(lake, plan.version).shares(shares)) if plan.questions else 0


def _plan(
    bulk: Bulk, *, lake: LakeFolder, manifest: Manifest, run_id: str, shares: int, now: datetime
) -> ReportPlan:
    fit = read_newest_fit(bulk)
    plan = ReportPlan(
        run_id,
        manifest.version,
        manifest.newest_poll_us,
        shares,
        None if fit is None else fit.status_model_id,
        (),
        now,
    )
    asking = _by_question(take_planned_reports(bulk, run_id), plan)
    usable = tuple(
        question
        for question in asking
        if provide_model(bulk, lake, run_id, question.status_model_id)
    )
    return replace(plan, questions=usable)


def _by_question(waiting: Sequence[WaitingReport], plan: ReportPlan) -> dict[Question, list[str]]:
    """The ids of the reports by what they ask for; none without polls."""
    asking: dict[Question, list[str]] = defaultdict(list)
    if plan.newest_poll_us is not None:
        newest = instant(plan.newest_poll_us)
        for report in waiting:
            model = report.status_model_id or plan.newest_model
            question = Question(report.as_of or newest, report.policy, model)
            asking[question].append(report.report_id)
    return dict(asking)


def finish_lake_reports(url: str, lake: LakeFolder, *, run_ids: tuple[str, ...]) -> ReportsMade:
    """Complete or fail the reports that waited when the run began to read.

    All are of the plan's version of the lake. Rows that no step has made are made here. When the
    step is executed again after it has finished there is nothing left to do. Raises NoPlanError.
    """
    plan = find_plan(lake, run_ids)
    if plan is None:
        with bulk_transaction(url) as bulk:
            waiting = [one for run_id in run_ids for one in take_planned_reports(bulk, run_id)]
        if waiting:
            raise NoPlanError(lake, len(waiting))
        return ReportsMade((), 0)
    manifest = read_manifest(lake, plan.version)
    made = retry_conflicts(url, partial(_finish, lake=lake, plan=plan, manifest=manifest))
    discard_runs(lake, [plan.run_id])
    return made


def _finish(bulk: Bulk, *, lake: LakeFolder, plan: ReportPlan, manifest: Manifest) -> ReportsMade:
    waiting = take_planned_reports(bulk, plan.run_id)
    if plan.newest_poll_us is None:
        fail_reports(bulk, [report.report_id for report in waiting], NO_POLLS)
        return ReportsMade((), len(waiting))
    made = []
    failed = 0
    for question, report_ids in _by_question(waiting, plan).items():
        if question not in plan.questions:
            error = _why_not_planned(bulk, question)
            if error is None:
                # Another run held the reports when this one planned. They wait for the next.
                continue
            fail_reports(bulk, report_ids, error)
            failed += len(report_ids)
            continue
        result = write_lake_result(
            bulk,
            lake,
            manifest,
            question,
            rows_of_buckets(lake, manifest, plan, question=plan.questions.index(question)),
            run_id=plan.run_id,
        )
        complete_reports(bulk, report_ids, result.result_id)
        faults = count_lake_faults(bulk, manifest, result)
        made.append(ReportMade(result, question, len(report_ids), faults))
    return ReportsMade(tuple(made), failed)


def _why_not_planned(bulk: Bulk, question: Question) -> str | None:
    """Why a question cannot be answered; None if it can."""
    if question.status_model_id is not None:
        try:
            read_packed_model(bulk, question.status_model_id)
        except UnknownStatusModelError as error:
            return str(error)
    return None
