"""Assets that fan out over shards of the stores, when there is more than one shard.

They are graphs: one step plans, one step for each shard computes, one finishes. The steps hand on
nothing but that they are done; what they share is in the lake.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from inspect import Parameter, Signature
from typing import Any

import dagster as dg

from storemon_pipeline.defs.dagster_failures import map_failures
from storemon_pipeline.defs.executors import FANS_OUT_WHILE_RUNNING
from storemon_pipeline.defs.resources import Database, Lake
from storemon_pipeline.lake_files.lake_folder import LakeFolder
from storemon_pipeline.settings import Settings

Plan = Callable[[dg.OpExecutionContext, Database, LakeFolder, int], int]
"""Plans this many shards; returns how many there are."""

MakeShard = Callable[[LakeFolder, tuple[str, ...], int], int]
"""Makes the shard of this number, of the first of these runs that has a plan; returns how many
stores it has."""

Results = Iterator[dg.Output[None] | dg.AssetCheckResult]

Finish = Callable[[dg.OpExecutionContext, Database, LakeFolder], Results]
"""Puts the shards together; yields the output `result` of the asset, and its checks."""


@dataclass(frozen=True, slots=True)
class Graph:
    """What distinguishes one fanned-out asset from another. `config` is that of the first step."""

    name: str
    description: str
    kinds: set[str]
    inputs: Sequence[str]
    plan: Plan
    make: MakeShard
    finish: Finish
    check: dg.AssetCheckSpec | None = None
    config: type[dg.Config] | None = None


def runs_of(context: dg.OpExecutionContext) -> tuple[str, ...]:
    """The run, and those that it goes on with when it executes some of their steps again."""
    others = (context.run.parent_run_id, context.run.root_run_id)
    return (context.run_id, *(run_id for run_id in others if run_id))


def fan_out(settings: Settings, graph: Graph) -> dg.AssetsDefinition:
    """An asset that is made in `settings.shards` steps, with one before and one after them.

    The steps are created while the run goes on. Where the executor needs to know them beforehand,
    they are part of the definition, and those that are not needed do nothing.
    """
    check_outs = [] if graph.check is None else [f"{graph.name}_{graph.check.name}"]

    def make(context: dg.OpExecutionContext, lake: Lake, number: int) -> None:
        with map_failures():
            stores = graph.make(lake.needed_folder, runs_of(context), number)
        context.log.info("shard %d has %d stores", number, stores)

    @dg.op(
        name=f"finish_{graph.name}",
        ins={"made": dg.In(dg.Nothing)},
        out={name: dg.Out(dg.Nothing) for name in ("result", *check_outs)},
    )
    def finish_op(context: dg.OpExecutionContext, database: Database, lake: Lake) -> Results:
        """Put all shards together, in one transaction."""
        with map_failures():
            yield from graph.finish(context, database, lake.needed_folder)

    steps = _while_running if settings.executor in FANS_OUT_WHILE_RUNNING else _beforehand
    plan_op, fan = steps(graph, settings.shards, make)

    def compose(**inputs: object) -> object:
        finished = finish_op(made=fan(plan_op(**inputs)))
        return dict(finished._asdict()) if check_outs else finished

    # Dagster reads the graph's inputs from the signature.
    compose.__signature__ = Signature(  # type: ignore[attr-defined]
        [Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in graph.inputs]
    )
    return dg.graph_asset(
        name=graph.name,
        description=graph.description,
        ins={name: dg.AssetIn(dagster_type=dg.Nothing) for name in graph.inputs},
        kinds=graph.kinds,
        check_specs=None if graph.check is None else [graph.check],
        config=None if graph.config is None else _config_of_plan(graph.name, graph.config),
    )(compose)


def _config_of_plan(name: str, config: type[dg.Config]) -> dg.ConfigMapping:
    """The graph's config is that of its first step."""

    def configure_plan(values: dict[str, Any]) -> dict[str, Any]:
        return {f"plan_{name}": {"config": values}}

    return dg.ConfigMapping(config_fn=configure_plan, config_schema=config.to_config_schema())


Make = Callable[[dg.OpExecutionContext, Lake, int], None]
"""Makes the shard of this number."""

Fan = Callable[[Any], object]
"""From the output of the plan's step to the outputs of the steps of all shards."""


def _plan_arguments(graph: Graph) -> dict[str, Any]:
    return {
        "name": f"plan_{graph.name}",
        "ins": {name: dg.In(dg.Nothing) for name in graph.inputs},
        "config_schema": None if graph.config is None else graph.config.to_config_schema(),
    }


def _while_running(graph: Graph, shards: int, make: Make) -> tuple[dg.OpDefinition, Fan]:
    """The plan's step, which creates a step for each shard that it has planned."""

    @dg.op(out=dg.DynamicOut(dg.Nothing), **_plan_arguments(graph))
    def plan_op(
        context: dg.OpExecutionContext, database: Database, lake: Lake
    ) -> Iterator[dg.DynamicOutput[None]]:
        """Decide what to make, and in how many shards."""
        with map_failures():
            planned = graph.plan(context, database, lake.needed_folder, shards)
        for number in range(planned):
            yield dg.DynamicOutput(None, mapping_key=str(number))

    @dg.op(
        name=f"shard_of_{graph.name}", ins={"planned": dg.In(dg.Nothing)}, out=dg.Out(dg.Nothing)
    )
    def make_op(context: dg.OpExecutionContext, lake: Lake) -> None:
        """Compute the figures of one shard."""
        make(context, lake, int(context.get_mapping_key() or 0))

    return plan_op, lambda planned: planned.map(lambda done: make_op(planned=done)).collect()


def _beforehand(graph: Graph, shards: int, make: Make) -> tuple[dg.OpDefinition, Fan]:
    """The plan's step; every possible shard has a step of its own."""

    @dg.op(out=dg.Out(dg.Nothing), **_plan_arguments(graph))
    def plan_op(context: dg.OpExecutionContext, database: Database, lake: Lake) -> None:
        """Decide what to make, and in how many shards."""
        with map_failures():
            graph.plan(context, database, lake.needed_folder, shards)

    def make_op(number: int) -> dg.OpDefinition:
        @dg.op(
            name=f"shard_{number}_of_{graph.name}",
            ins={"planned": dg.In(dg.Nothing)},
            out=dg.Out(dg.Nothing),
        )
        def make_one(context: dg.OpExecutionContext, lake: Lake) -> None:
            """Compute the figures of one shard."""
            make(context, lake, number)

        return make_one

    make_ops = [make_op(number) for number in range(shards)]
    return plan_op, lambda planned: [make_one(planned=planned) for make_one in make_ops]
