"""Checks of what is in the database, which the Dagster UI can execute alone.

In a refresh they share one step: each step costs as much as most of these checks. Checks of what a
run has loaded or made belong to that run, and stand with their assets.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import dagster as dg

from storemon_pipeline.checks.check_intervals import check_intervals
from storemon_pipeline.checks.table_checks import (
    count_uptime_faults,
    read_rejected,
)
from storemon_pipeline.database.bulk import Bulk, bulk_transaction
from storemon_pipeline.defs.dagster_failures import map_failures
from storemon_pipeline.defs.resources import Database
from storemon_pipeline.domain.rejections import shortened
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.figures.refresh_daily import compare_daily
from storemon_pipeline.figures.status_models import read_model_state
from storemon_pipeline.poll_plan.planned_polls import count_plan_faults
from storemon_pipeline.sources.registry import SNAPSHOTS, AssetCheckText


@dataclass(frozen=True, slots=True)
class _Finding:
    """The result of a check."""

    passed: bool
    metadata: Mapping[str, Any]
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR


@dataclass(frozen=True, slots=True)
class _Check:
    """A check, and the function that reads the database for it. `seed` differs in each run."""

    asset: str
    name: str
    description: str
    find: Callable[[Bulk, Database, int], _Finding]

    @property
    def spec(self) -> dg.AssetCheckSpec:
        """The check as Dagster knows it."""
        return dg.AssetCheckSpec(self.name, asset=self.asset, description=self.description)


def _no_row_rejected(source: Source, check: AssetCheckText) -> _Check:
    """A warning of the rows that the last load of the source's files rejected."""

    def find(bulk: Bulk, _: Database, __: int) -> _Finding:
        rejected, examples = read_rejected(bulk, source, reason=check.reason)
        rows = [f"line {example.line}: {shortened(example.row_text)}" for example in examples]
        return _Finding(
            rejected == 0,
            {"rejected": rejected, "rows": dg.MetadataValue.json(rows)},
            dg.AssetCheckSeverity.WARN,
        )

    return _Check(source.value, check.name, check.description, find)


def _no_faults(count: Callable[[Bulk], int]) -> Callable[[Bulk, Database, int], _Finding]:
    def find(bulk: Bulk, _: Database, __: int) -> _Finding:
        faults = count(bulk)
        return _Finding(faults == 0, {"faults": faults})

    return find


def _weeks_are_sound(_: Bulk, database: Database, __: int) -> _Finding:
    faults = check_intervals(database.url)
    return _Finding(faults == 0, {"faults": faults})


def _days_match_runs(_: Bulk, database: Database, seed: int) -> _Finding:
    comparison = compare_daily(database.url, seed=seed)
    return _Finding(
        comparison.different == 0,
        {"compared": comparison.compared, "different": comparison.different},
    )


def _model_is_current(bulk: Bulk, _: Database, __: int) -> _Finding:
    state = read_model_state(bulk)
    if state is None:
        return _Finding(passed=True, metadata={"stores": 0})
    age = datetime.now(UTC) - state.fit.fitted_at
    return _Finding(
        age < _OLDEST_MODEL and state.unknown_stores <= _MOST_UNKNOWN * state.fit.stores,
        {
            "version": state.fit.status_model_id,
            "age_hours": age / timedelta(hours=1),
            "stores": state.fit.stores,
            "doubted_stores": state.fit.doubted_stores,
            "unknown_stores": state.unknown_stores,
        },
        dg.AssetCheckSeverity.WARN,
    )


_OLDEST_MODEL: Final = timedelta(hours=50)
_MOST_UNKNOWN: Final = 0.05

_CHECKS: Final = [
    *(_no_row_rejected(source, snapshot.check) for source, snapshot in SNAPSHOTS.items()),
    _Check(
        "business_hour_intervals",
        "intervals_merged",
        "Every store has a week, and no two of its intervals overlap or touch.",
        _weeks_are_sound,
    ),
    _Check(
        "status_model",
        "model_is_current",
        "The newest version was fitted in the last 50 hours, and knows nearly all polled stores.",
        _model_is_current,
    ),
    _Check(
        "store_uptime",
        "uptime_adds_up",
        "Uptime + downtime = business time, for every store and window.",
        _no_faults(count_uptime_faults),
    ),
    _Check(
        "poll_plan",
        "polls_in_hour",
        "All planned polls lie within one hour, those of a store at least ten minutes apart.",
        _no_faults(count_plan_faults),
    ),
    _Check(
        "store_uptime_daily",
        "days_match_runs",
        "The last days of 200 random stores, computed again from the status runs, are the same.",
        _days_match_runs,
    ),
]


@dg.multi_asset_check(specs=[check.spec for check in _CHECKS], can_subset=True)
def table_checks(
    context: dg.AssetCheckExecutionContext, database: Database
) -> Iterator[dg.AssetCheckResult]:
    """Execute the selected checks."""
    selected = {key.name for key in context.selected_asset_check_keys}
    seed = int(context.run.run_id[:8], 16)
    with map_failures(), bulk_transaction(database.url) as bulk:
        for check in _CHECKS:
            if check.name in selected:
                found = check.find(bulk, database, seed)
                yield dg.AssetCheckResult(
                    asset_key=check.asset,
                    check_name=check.name,
                    passed=found.passed,
                    severity=found.severity,
                    metadata=found.metadata,
                )
