"""The assets that fan out over shards of the stores, when there is more than one shard.

They are graphs: one step plans, one step for each shard computes, one finishes. What a step does is
the operations' matter; between steps nothing is handed on but that they are done.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

import dagster as dg

from storemon_pipeline.defs.asset_specs import OWNERS, told_apart
from storemon_pipeline.defs.executors import FANS_OUT_WHILE_RUNNING
from storemon_pipeline.defs.metadata import Metadata
from storemon_pipeline.defs.resources import Database
from storemon_pipeline.reports.make_shards import make_shards
from storemon_pipeline.settings import Settings

Plan = Callable[[dg.OpExecutionContext, Database, int], int]
"""Plans so many shards; returns how many there are."""

Finish = Callable[[dg.OpExecutionContext, Database], tuple[Metadata, dg.AssetCheckResult]]
"""Puts the shards together; returns what the asset and its check have to say."""

Results = Iterator[dg.Output[None] | dg.AssetCheckResult]

_UPSTREAM: Final = ("status_runs", "business_hour_intervals", "store_timezones", "closures")


def fan_out(
    settings: Settings,
    *,
    name: str,
    description: str,
    kinds: set[str],
    check: dg.AssetCheckSpec,
    is_report: bool,
    plan: Plan,
    finish: Finish,
) -> dg.AssetsDefinition:
    """An asset that is made in `settings.shards` steps beside the first and the last.

    The steps come about while the run goes on, or stand in the definition where the executor wants
    to know them beforehand; in that case those that are not needed do nothing.
    """
    check_out = f"{name}_{check.name}"

    def make(context: dg.OpExecutionContext, database: Database, number: int) -> None:
        with told_apart():
            stores = make_shards(
                database.url, run_id=context.run_id, number=number, is_report=is_report
            )
        context.log.info("shard %d has %d stores", number, stores)

    @dg.op(
        name=f"finish_{name}",
        ins={"made": dg.In(dg.Nothing)},
        out={"result": dg.Out(dg.Nothing), check_out: dg.Out(dg.Nothing)},
    )
    def finish_op(context: dg.OpExecutionContext, database: Database) -> Results:
        """All shards are put together, in one transaction."""
        with told_apart():
            metadata, checked = finish(context, database)
        yield dg.Output(None, "result", metadata=metadata)
        yield checked

    steps = _while_running if settings.executor in FANS_OUT_WHILE_RUNNING else _beforehand
    plan_op, fan = steps(name, settings.shards, plan, make)

    def compose(
        status_runs: object,
        business_hour_intervals: object,
        store_timezones: object,
        closures: object,
    ) -> dict[str, object]:
        planned = plan_op(
            status_runs=status_runs,
            business_hour_intervals=business_hour_intervals,
            store_timezones=store_timezones,
            closures=closures,
        )
        return dict(finish_op(made=fan(planned))._asdict())

    compose.__name__ = name
    return dg.graph_asset(
        name=name,
        description=description,
        ins={upstream: dg.AssetIn(dagster_type=dg.Nothing) for upstream in _UPSTREAM},
        group_name="uptime",
        kinds=kinds,
        owners=OWNERS,
        check_specs=[check],
    )(compose)


Make = Callable[[dg.OpExecutionContext, Database, int], None]
"""Makes the shard of this number."""

Fan = Callable[[Any], object]
"""What the plan's step gives becomes what the steps of all shards give."""


def _while_running(name: str, shards: int, plan: Plan, make: Make) -> tuple[dg.OpDefinition, Fan]:
    """The plan's step, which makes a step come about for each shard that it has planned."""

    @dg.op(
        name=f"plan_{name}",
        ins={upstream: dg.In(dg.Nothing) for upstream in _UPSTREAM},
        out=dg.DynamicOut(dg.Nothing),
    )
    def plan_op(
        context: dg.OpExecutionContext, database: Database
    ) -> Iterator[dg.DynamicOutput[None]]:
        """What is to be made is known, and in how many shards."""
        with told_apart():
            planned = plan(context, database, shards)
        for number in range(planned):
            yield dg.DynamicOutput(None, mapping_key=str(number))

    @dg.op(name=f"shard_of_{name}", ins={"planned": dg.In(dg.Nothing)}, out=dg.Out(dg.Nothing))
    def make_op(context: dg.OpExecutionContext, database: Database) -> None:
        """The figures of one shard are in the database."""
        make(context, database, int(context.get_mapping_key() or 0))

    return plan_op, lambda planned: planned.map(lambda done: make_op(planned=done)).collect()


def _beforehand(name: str, shards: int, plan: Plan, make: Make) -> tuple[dg.OpDefinition, Fan]:
    """The plan's step; every shard that there may be has a step of its own."""

    @dg.op(
        name=f"plan_{name}",
        ins={upstream: dg.In(dg.Nothing) for upstream in _UPSTREAM},
        out=dg.Out(dg.Nothing),
    )
    def plan_op(context: dg.OpExecutionContext, database: Database) -> None:
        """What is to be made is known, and in how many shards."""
        with told_apart():
            plan(context, database, shards)

    def make_op(number: int) -> dg.OpDefinition:
        @dg.op(
            name=f"shard_{number}_of_{name}",
            ins={"planned": dg.In(dg.Nothing)},
            out=dg.Out(dg.Nothing),
        )
        def make_one(context: dg.OpExecutionContext, database: Database) -> None:
            """The figures of one shard are in the database."""
            make(context, database, number)

        return make_one

    make_ops = [make_op(number) for number in range(shards)]
    return plan_op, lambda planned: [make_one(planned=planned) for make_one in make_ops]
