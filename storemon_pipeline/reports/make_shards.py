"""Making results in shards: one step plans them, several make them, one finishes the results.

The steps may run in different processes, on different machines. They share their state in the
database. Reports are completed in one transaction, by the last step: if a run dies before, its
reports are still waiting.
"""

from collections.abc import Iterable
from datetime import datetime
from functools import partial
from itertools import groupby

from storemon_pipeline.database.bulk import Bulk, bulk_transaction, retry_conflicts
from storemon_pipeline.domain.windows import Policy
from storemon_pipeline.figures.compute_uptime import compute_uptime
from storemon_pipeline.figures.data_version import read_input_version
from storemon_pipeline.figures.status_models import UnknownStatusModelError, read_newest_fit
from storemon_pipeline.figures.uptime_table import (
    UptimeState,
    clear_uptime,
    read_as_of,
    read_newest_poll,
    write_uptime_state,
)
from storemon_pipeline.reports.make_reports import (
    NO_POLLS,
    ReportsMade,
    by_question,
    complete,
    model_of,
    request_newest_report,
    write_result,
)
from storemon_pipeline.reports.report_runs import record_reading
from storemon_pipeline.reports.results import (
    PartWriter,
    Question,
    Result,
    fail_reports,
    next_result_id,
    record_result,
    take_waiting_reports,
)
from storemon_pipeline.reports.shards import (
    LostShardError,
    Shard,
    ShardPlan,
    clear_shard,
    delete_plan,
    discard_orphans,
    discard_result,
    join_parts,
    move_staged_uptime,
    plan_shards,
    read_shards,
    record_shard,
    stage_uptime,
    take_planned_reports,
)
from storemon_pipeline.stores.store_index import read_shard_starts, read_stores, read_stores_from
from storemon_pipeline.views.storefronts_view import read_storefronts_column


def plan_reports(url: str, *, run_id: str, is_manual: bool, shards: int) -> int:
    """Plan the results of all waiting reports; return how many shards each result has.

    `is_manual` adds a report as for `make_waiting_reports`.
    """
    if is_manual:
        waiting = retry_conflicts(url, take_waiting_reports)
        if not waiting:
            request_newest_report(url)
    with bulk_transaction(url) as bulk:
        record_reading(bulk, run_id)
        discard_orphans(bulk)
    return retry_conflicts(url, partial(_plan_reports, run_id=run_id, shards=shards))


def _plan_reports(bulk: Bulk, *, run_id: str, shards: int) -> int:
    newest = read_newest_poll(bulk)
    if newest is None:
        return 0
    questions = by_question(bulk, take_planned_reports(bulk, run_id), newest)
    return _plan(
        bulk,
        [
            ShardPlan(question, question.as_of == newest)
            for question in questions
            if _is_usable(bulk, question)
        ],
        run_id=run_id,
        is_report=True,
        shards=shards,
    )


def _is_usable(bulk: Bulk, question: Question) -> bool:
    """Whether its status model can be used; if not, the last step fails its reports."""
    try:
        model_of(bulk, question.status_model_id)
    except UnknownStatusModelError:
        return False
    return True


def plan_uptime(url: str, *, run_id: str, shards: int) -> int:
    """Plan the newest figures; return how many shards they have, 0 without polls."""
    with bulk_transaction(url) as bulk:
        discard_orphans(bulk)
        as_of = _newest_as_of(bulk)
        plans = []
        if as_of is not None:
            fit = read_newest_fit(bulk)
            model = None if fit is None else fit.status_model_id
            plans.append(ShardPlan(Question(as_of, Policy.NEAREST, model), is_newest=True))
        return _plan(bulk, plans, run_id=run_id, is_report=False, shards=shards)


def _plan(
    bulk: Bulk, plans: Iterable[ShardPlan], *, run_id: str, is_report: bool, shards: int
) -> int:
    # A retried step finds its first plan.
    planned = {shard.shard for shard in read_shards(bulk, run_id, is_report=is_report)}
    if not planned:
        ids = read_shard_starts(bulk, shards)
        for plan in plans:
            plan_shards(
                bulk, next_result_id(bulk), plan, run_id=run_id, is_report=is_report, ids=ids
            )
            planned.update(range(len(ids)))
    return len(planned)


def make_shards(url: str, *, run_id: str, number: int, is_report: bool) -> int:
    """Make the shard of this number for each result that the run has planned.

    Returns the number of stores. Raises InvariantError and LostShardError.
    """
    with bulk_transaction(url) as bulk:
        shards = read_shards(bulk, run_id, is_report=is_report)
    stores = 0
    for shard in shards:
        if shard.shard == number:
            with bulk_transaction(url) as bulk:
                stores += _make_shard(bulk, shard).stores
    return stores


def _make_shard(bulk: Bulk, shard: Shard) -> Shard:
    """Make the shard from the data that this transaction sees, even if it was made before."""
    if shard.data_version is not None:
        # Rows are committed together with their version, so without a version there are no rows.
        clear_shard(bulk, shard)
    stores = read_stores_from(bulk, shard.first_store_id, shard.before_store_id)
    writer = PartWriter(bulk, shard.result_id, first_part=shard.first_part)
    rows = 0
    question = shard.plan.question
    for chunk, figures in compute_uptime(
        bulk,
        stores,
        as_of=question.as_of,
        policy=question.policy,
        model=model_of(bulk, question.status_model_id),
    ):
        if shard.is_report:
            storefronts = read_storefronts_column(
                bulk, chunk, figures.store, as_of=question.as_of, policy=question.policy
            )
            writer.write(chunk, figures, storefronts)
        else:
            stage_uptime(bulk, shard.result_id, chunk, figures)
        rows += len(figures.store)
    return record_shard(
        bulk,
        shard,
        stores=rows,
        silent_stores=len(stores) - rows,
        parts=writer.parts,
    )


def finish_reports(url: str, *, run_id: str) -> ReportsMade:
    """As `make_waiting_reports`, of the reports that waited when the run began to read.

    All results see one version of the data: a shard that saw another version is made again, and a
    result that was not planned is made here.
    """
    return retry_conflicts(url, partial(_finish_reports, run_id=run_id))


def _finish_reports(bulk: Bulk, *, run_id: str) -> ReportsMade:
    waiting = take_planned_reports(bulk, run_id)
    shards = read_shards(bulk, run_id, is_report=True)
    newest = read_newest_poll(bulk)
    if newest is None:
        fail_reports(bulk, [report.report_id for report in waiting], NO_POLLS)
        return ReportsMade((), len(waiting))
    # The newest poll is that of the beginning of the run.
    newest = next((shard.plan.question.as_of for shard in shards if shard.plan.is_newest), newest)
    planned = {
        plan.question: list(group) for plan, group in groupby(shards, key=lambda shard: shard.plan)
    }
    asking = by_question(bulk, waiting, newest)
    for question in planned.keys() - asking.keys():
        # Another run has completed its reports.
        discard_result(bulk, planned[question][0].result_id)
    made = []
    failed = 0
    for question, report_ids in asking.items():
        try:
            result = (
                _finish_result(bulk, planned[question], run_id=run_id)
                if question in planned
                else write_result(bulk, question, run_id=run_id)
            )
        except UnknownStatusModelError as error:
            fail_reports(bulk, report_ids, str(error))
            failed += len(report_ids)
        else:
            made.append(complete(bulk, question, report_ids, result))
    delete_plan(bulk, run_id, is_report=True)
    return ReportsMade(tuple(made), failed)


def _finish_result(bulk: Bulk, shards: list[Shard], *, run_id: str) -> Result:
    shards = _of_one_version(bulk, shards)
    return record_result(
        bulk,
        shards[0].plan.question,
        result_id=shards[0].result_id,
        run_id=run_id,
        stores=sum(shard.stores for shard in shards),
        silent_stores=sum(shard.silent_stores for shard in shards),
        csv=join_parts(bulk, shards),
    )


def finish_uptime(url: str, *, run_id: str, refreshed_at: datetime) -> UptimeState:
    """As `refresh_uptime`, with the rows of the shards. Raises LostShardError."""
    with bulk_transaction(url) as bulk:
        shards = _of_one_version(bulk, read_shards(bulk, run_id, is_report=False))
        as_of = shards[0].plan.question.as_of if shards else None
        stores = len(read_stores(bulk))
        rows = 0
        if shards:
            rows = move_staged_uptime(bulk, shards[0].result_id)
            if rows != sum(shard.stores for shard in shards):
                # A crash of the server empties the table of staged rows, which is unlogged.
                raise LostShardError(f"{rows} rows of run {run_id} are left, which are not all")
        else:
            clear_uptime(bulk)
        state = UptimeState(as_of, refreshed_at, rows, stores - rows)
        write_uptime_state(bulk, state)
        delete_plan(bulk, run_id, is_report=False)
        return state


def _of_one_version(bulk: Bulk, shards: list[Shard]) -> list[Shard]:
    """The shards, after those that saw another version of the data were made again."""
    version = read_input_version(bulk)
    return [
        shard if shard.data_version == version else _make_shard(bulk, shard) for shard in shards
    ]


def _newest_as_of(bulk: Bulk) -> datetime | None:
    """The newest poll, or the instant of `store_uptime` if that is later."""
    return max(
        (at for at in (read_newest_poll(bulk), read_as_of(bulk)) if at is not None), default=None
    )
