"""Making the newest figures from the lake: a plan, the rows of shares of the buckets, the table.

Rows are made by the steps of reports (`report_rows`). The last step writes them into the table
`store_uptime`, in one transaction.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

import pyarrow as pa

from storemon_pipeline.database.bulk import Bulk, bulk_transaction, retry_conflicts
from storemon_pipeline.database.instants import instant
from storemon_pipeline.database.overlap import overlapping, results_in_order
from storemon_pipeline.domain.windows import Policy
from storemon_pipeline.figures.refresh_uptime import refresh_uptime
from storemon_pipeline.figures.status_models import read_newest_fit
from storemon_pipeline.figures.uptime_table import (
    UptimeState,
    append_uptime_rows,
    clear_uptime,
    fetch_uptime_state,
    read_as_of,
    write_uptime_state,
)
from storemon_pipeline.lake.follow_database import refresh_lake
from storemon_pipeline.lake.report_rows import (
    BucketRows,
    ReportPlan,
    discard_orphans,
    discard_runs,
    find_plan,
    make_share,
    provide_model,
    rows_of_buckets,
    write_plan,
)
from storemon_pipeline.lake_files.lake_folder import AT_ONCE, LakeFolder
from storemon_pipeline.lake_files.manifest import Manifest, read_manifest
from storemon_pipeline.loads.load_undo import has_undo_after
from storemon_pipeline.reports.columns import decode_newest
from storemon_pipeline.reports.results import Question

_PREFIX: Final = "newest-"
"""A run may make reports as well: their plan has the id of the run."""


@dataclass(frozen=True, slots=True)
class NewestMade:
    """The state of `store_uptime`, and the newest load that its figures take into account.

    `last_load_id` is 0 when they were finished before: nobody knows it any more.
    """

    state: UptimeState
    last_load_id: int


def plan_lake_uptime(url: str, lake: LakeFolder, *, run_id: str, shares: int, now: datetime) -> int:
    """Plan the newest figures from one version of the lake, which has all that the database has.

    Returns how many shares the buckets have.
    """
    discard_orphans(lake, now=now)
    manifest = refresh_lake(url, lake)
    with bulk_transaction(url) as bulk:
        plan = write_plan(lake, _plan(bulk, lake, manifest, f"{_PREFIX}{run_id}", shares, now))
    return len(read_manifest(lake, plan.version).shares(shares)) if plan.questions else 0


def _plan(
    bulk: Bulk, lake: LakeFolder, manifest: Manifest, run_id: str, shares: int, now: datetime
) -> ReportPlan:
    fit = read_newest_fit(bulk)
    model = None if fit is None else fit.status_model_id
    provide_model(bulk, lake, run_id, model)
    newest_us = manifest.newest_poll_us
    known = [read_as_of(bulk), None if newest_us is None else instant(newest_us)]
    as_of = max((at for at in known if at is not None), default=None)
    asked = () if as_of is None else (Question(as_of, Policy.NEAREST, model),)
    return ReportPlan(
        run_id, manifest.version, newest_us, shares, model, asked, now, has_lines=False
    )


def make_lake_uptime(lake: LakeFolder, *, run_ids: tuple[str, ...], number: int) -> int:
    """Make the newest figures of a share of the buckets; return how many stores have any."""
    return make_share(lake, run_ids=_own(run_ids), number=number)


def finish_lake_uptime(
    url: str, lake: LakeFolder, *, run_ids: tuple[str, ...], refreshed_at: datetime
) -> NewestMade:
    """As `refresh_uptime`, with the rows that the steps have made; missing ones are made here.

    When the step is executed again after it has finished, the table stays as it is.
    """
    plan = find_plan(lake, _own(run_ids))
    if plan is None:
        with bulk_transaction(url) as bulk:
            state = fetch_uptime_state(bulk)
        return NewestMade(state or UptimeState(None, refreshed_at, 0, 0), 0)
    manifest = read_manifest(lake, plan.version)
    buckets = rows_of_buckets(lake, manifest, plan, question=0) if plan.questions else []
    write = partial(_write, lake=lake, plan=plan, manifest=manifest, buckets=buckets)
    state = retry_conflicts(url, partial(write, refreshed_at=refreshed_at))
    if state is None:
        state = refresh_uptime(url, refreshed_at=refreshed_at)
    discard_runs(lake, [plan.run_id])
    return NewestMade(state, manifest.load_id)


def _write(
    bulk: Bulk,
    *,
    lake: LakeFolder,
    plan: ReportPlan,
    manifest: Manifest,
    buckets: list[BucketRows],
    refreshed_at: datetime,
) -> UptimeState | None:
    """The state of the table, which has the rows of the plan, or those of a later instant.

    None, and nothing is written, if a load was undone since: its rows may be among those of the
    plan.
    """
    if has_undo_after(bulk, manifest.load_id):
        return None
    as_of = plan.questions[0].as_of if plan.questions else None
    known = fetch_uptime_state(bulk)
    if known is not None and known.as_of is not None and (as_of is None or known.as_of > as_of):
        return known
    clear_uptime(bulk)
    with overlapping() as hand_over:
        for rows in _rows(lake, buckets):
            hand_over(partial(append_uptime_rows, bulk, rows))
    stores = sum(bucket.stores for bucket in buckets)
    state = UptimeState(as_of, refreshed_at, stores, manifest.stores - stores)
    write_uptime_state(bulk, state)
    return state


def _rows(lake: LakeFolder, buckets: list[BucketRows]) -> Iterator[pa.Table]:
    names = (part.name for bucket in buckets for part in bucket.parts)
    return map(decode_newest, results_in_order(lake.read, names, at_once=AT_ONCE))


def _own(run_ids: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{_PREFIX}{run_id}" for run_id in run_ids)
