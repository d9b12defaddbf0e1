"""The computed assets: weeks, the status model, newest figures, history, and the poll plan."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import dagster as dg
from pydantic import Field

from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.database.previews import read_preview
from storemon_pipeline.defs.dagster_failures import map_failures
from storemon_pipeline.defs.metadata import Metadata, as_of_metadata, preview
from storemon_pipeline.defs.resources import Database
from storemon_pipeline.defs.shards import Graph, fan_out, runs_of
from storemon_pipeline.figures.data_version import read_load_version
from storemon_pipeline.figures.fit_status_model import fit_first_status_model, fit_status_model
from storemon_pipeline.figures.learn_demand import learn_demand_when_due
from storemon_pipeline.figures.refresh_daily import refresh_daily
from storemon_pipeline.figures.refresh_uptime import refresh_uptime
from storemon_pipeline.figures.status_models import ModelFit
from storemon_pipeline.figures.uptime_table import UptimeState
from storemon_pipeline.lake.make_lake_uptime import (
    finish_lake_uptime,
    make_lake_uptime,
    plan_lake_uptime,
)
from storemon_pipeline.lake_files.lake_folder import LakeFolder
from storemon_pipeline.poll_plan.refresh_plan import refresh_poll_plan
from storemon_pipeline.schedules.refresh_weeks import refresh_weeks
from storemon_pipeline.settings import Settings

STATUS_MODEL: Final = "status_model"
STATUS_MODEL_INPUTS: Final = "status_model_inputs"
POLL_PLAN: Final = "poll_plan"
LAKE: Final = "lake"

INPUTS: Final = [
    "status_runs",
    "business_hour_intervals",
    "store_timezones",
    "closures",
    "special_hours",
    "channels",
]
"""The assets that the status model is fitted to: polls and business time, without events."""

INPUTS_WITH_MODEL: Final = [*INPUTS, "store_events", STATUS_MODEL]
"""The assets that figures with likely ranges are computed from."""

_UPTIME_DESCRIPTION: Final = (
    "The newest figures of every store: uptime and downtime of the last hour, day and week, with "
    "their bounds and the time that polls cover."
)

Results = Iterator[dg.MaterializeResult[None]]


def _load_version(database: Database) -> str:
    """The newest load before a table is computed: the table may lack what comes later."""
    with bulk_transaction(database.url) as bulk:
        return read_load_version(bulk)


@dg.asset(
    # A store that only polls know is always open, and has its row here as well. Closures are loaded
    # after zones: without them here, its version of the data would be older than that of figures.
    deps=["business_hours", "closures", "store_status"],
    kinds={"postgres"},
)
def business_hour_intervals(database: Database) -> Results:
    """Each store's local week as merged intervals; overnight hours are split at midnight."""
    with map_failures():
        version = _load_version(database)
        counts = refresh_weeks(database.url)
        with bulk_transaction(database.url) as bulk:
            rows = preview(read_preview(bulk, "business_hour_intervals"))
    yield dg.MaterializeResult(
        metadata={
            "dagster/row_count": counts.intervals,
            "stores_rebuilt": counts.stores_rebuilt,
            "stores_without_hours": counts.stores_without_hours,
            "load_version": version,
            "preview": rows,
        }
    )


status_model_inputs = dg.AssetSpec(
    STATUS_MODEL_INPUTS,
    deps=INPUTS,
    kinds={"postgres"},
    description=(
        "The polls of four weeks and their business time, as a fit reads them. Dagster does not "
        "materialize this node, so the model of the day is not out of sync after each refresh."
    ),
)


@dg.asset(name=STATUS_MODEL, deps=[STATUS_MODEL_INPUTS], kinds={"postgres"})
def status_model(database: Database) -> Results:
    """How often and for how long stores are down between polls, for likely ranges.

    Each materialization is a new version, fitted to the polls of four weeks. Reports name theirs.
    """
    with map_failures():
        fit = fit_status_model(database.url, fitted_at=datetime.now(UTC))
    yield dg.MaterializeResult(metadata=_fit_metadata(fit))


def fit_first_version(
    context: dg.OpExecutionContext | dg.AssetExecutionContext, database: Database
) -> None:
    """Fit a version if there is none, so that the first figures have likely ranges at once."""
    fit = fit_first_status_model(database.url, fitted_at=datetime.now(UTC))
    if fit is not None:
        context.log_event(
            dg.AssetMaterialization(
                STATUS_MODEL,
                description="The first version, fitted by a refresh.",
                metadata=_fit_metadata(fit),
            )
        )


def _fit_metadata(fit: ModelFit | None) -> Metadata:
    if fit is None:
        return {"dagster/row_count": 0}
    metadata: Metadata = {
        "dagster/row_count": fit.stores,
        "version": fit.status_model_id,
        "doubted_stores": fit.doubted_stores,
    }
    return metadata | as_of_metadata(fit.as_of)


@dg.asset(deps=INPUTS_WITH_MODEL, kinds={"postgres"}, description=_UPTIME_DESCRIPTION)
def store_uptime(context: dg.AssetExecutionContext, database: Database) -> Results:
    """Compute the newest figures in one step."""
    with map_failures():
        version = _load_version(database)
        fit_first_version(context, database)
        state = refresh_uptime(database.url, refreshed_at=datetime.now(UTC))
        learn_demand_when_due(database.url)
        yield dg.MaterializeResult(metadata=_uptime_metadata(database, state, version))


def _uptime_metadata(database: Database, state: UptimeState, version: str) -> Metadata:
    with bulk_transaction(database.url) as bulk:
        rows = preview(read_preview(bulk, "store_uptime"))
    metadata: Metadata = {
        "dagster/row_count": state.stores,
        "silent_stores": state.silent_stores,
        "load_version": version,
        "preview": rows,
    }
    return metadata | as_of_metadata(state.as_of)


@dg.asset(deps=INPUTS_WITH_MODEL, kinds={"postgres"})
def store_uptime_daily(context: dg.AssetExecutionContext, database: Database) -> Results:
    """History: business time up, down, unknown and uncertain, per store and local day."""
    with map_failures():
        version = _load_version(database)
        fit_first_version(context, database)
        refreshed = refresh_daily(database.url)
        with bulk_transaction(database.url) as bulk:
            rows = preview(read_preview(bulk, "store_uptime_daily"))
    metadata: Metadata = {
        "days_written": refreshed.days_written,
        "stores_mended": refreshed.stores_mended,
        "load_version": version,
        "preview": rows,
    }
    yield dg.MaterializeResult(metadata=metadata | as_of_metadata(refreshed.as_of))


class PollPlanConfig(dg.Config):
    """The budget of a poll plan."""

    polls_per_hour: int | None = Field(
        None, ge=0, description="The most polls in the hour. Default: as many as stores."
    )


@dg.asset(name=POLL_PLAN, deps=INPUTS, kinds={"postgres"})
def poll_plan(config: PollPlanConfig, database: Database) -> Results:
    """Which stores to poll when, in the hour after the newest poll, within a budget."""
    with map_failures():
        plan = refresh_poll_plan(database.url, polls_per_hour=config.polls_per_hour)
        with bulk_transaction(database.url) as bulk:
            rows = preview(read_preview(bulk, "planned_polls"))
    metadata: Metadata = {
        "dagster/row_count": len(plan.polls.store),
        "polls_per_hour": plan.polls_per_hour,
        "preview": rows,
    }
    if plan.start is not None:
        metadata["start"] = dg.MetadataValue.timestamp(plan.start)
    yield dg.MaterializeResult(metadata=metadata | as_of_metadata(plan.as_of))


def _plan_uptime(
    context: dg.OpExecutionContext, database: Database, lake: LakeFolder, shards: int
) -> int:
    fit_first_version(context, database)
    return plan_lake_uptime(
        database.url, lake, run_id=context.run_id, shares=shards, now=datetime.now(UTC)
    )


def _make_uptime(lake: LakeFolder, run_ids: tuple[str, ...], number: int) -> int:
    return make_lake_uptime(lake, run_ids=run_ids, number=number)


def _finish_uptime(
    context: dg.OpExecutionContext, database: Database, lake: LakeFolder
) -> Iterator[dg.Output[None]]:
    made = finish_lake_uptime(
        database.url, lake, run_ids=runs_of(context), refreshed_at=datetime.now(UTC)
    )
    learn_demand_when_due(database.url)
    with bulk_transaction(database.url) as bulk:
        version = read_load_version(bulk, made.last_load_id)
    yield dg.Output(None, "result", metadata=_uptime_metadata(database, made.state, version))


def uptime_assets(settings: Settings) -> list[Any]:
    """The computed assets; the newest figures in one step, or in as many as there are shards."""
    newest: Any = store_uptime
    if settings.shards > 1:
        newest = fan_out(
            settings,
            Graph(
                name="store_uptime",
                description=_UPTIME_DESCRIPTION,
                kinds={"postgres"},
                inputs=[*INPUTS_WITH_MODEL, LAKE],
                plan=_plan_uptime,
                make=_make_uptime,
                finish=_finish_uptime,
            ),
        )
    model: list[Any] = [status_model_inputs, status_model]
    return [business_hour_intervals, *model, newest, store_uptime_daily, poll_plan]
