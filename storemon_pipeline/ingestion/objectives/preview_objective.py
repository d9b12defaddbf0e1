"""What an objective would do to the verdicts of stores. Nothing is written."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import numpy as np
import pandas as pd

from storemon_pipeline.business_time.calendar import ALWAYS
from storemon_pipeline.business_time.local_periods import Period
from storemon_pipeline.database.bulk import Bulk, bulk_transaction
from storemon_pipeline.database.instants import microseconds
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.figures.uptime_table import read_newest_poll
from storemon_pipeline.ingestion.push_schedules import parse_rows
from storemon_pipeline.likelihood.verdict import Verdict
from storemon_pipeline.objectives.objective_table import read_versions
from storemon_pipeline.objectives.objectives_file import NONE
from storemon_pipeline.objectives.precedence import NO_OBJECTIVE, AppliesTo, Version, covered
from storemon_pipeline.stores.store_details import read_details
from storemon_pipeline.stores.store_index import read_store, read_stores
from storemon_pipeline.views.budgets_view import FleetBudgets, Judged, judge_choices
from storemon_pipeline.views.store_view import NoPollsError

_NO_STORE: Final = 0
"""No store has this key."""


@dataclass(frozen=True, slots=True)
class ObjectiveCounts:
    """The stores with an objective by verdict, and those that spent more than their budget."""

    verdicts: dict[Verdict, int]
    spent: int

    def __add__(self, other: "ObjectiveCounts") -> "ObjectiveCounts":
        """The counts of both."""
        verdicts = {
            verdict: self.verdicts[verdict] + other.verdicts[verdict] for verdict in Verdict
        }
        return ObjectiveCounts(verdicts, self.spent + other.spent)


@dataclass(frozen=True, slots=True)
class ObjectivePreview:
    """What an objective does to the week or month of the newest poll.

    `stores_changed` counts the stores that get another objective, or none any more.
    """

    as_of: datetime
    period: Period
    before: ObjectiveCounts
    after: ObjectiveCounts
    stores_changed: int


def preview_objective(
    url: str,
    row: Mapping[str, str],
    *,
    now: datetime,
    only_stores: AbstractSet[str] | None,
    current: FleetBudgets | None,
) -> ObjectivePreview:
    """What setting the objective would do, for these stores; nothing is written.

    `current` are the budgets of all stores for its period: those that it does not cover are taken
    from there. Raises BadRowsError as `push_rows` does, and NoPollsError.
    """
    new = parse_rows(Source.OBJECTIVES, [row]).iloc[0]
    period = Period(new["by"])
    with bulk_transaction(url) as bulk:
        as_of = read_newest_poll(bulk)
        if as_of is None:
            raise NoPollsError
        stores = read_stores(bulk)
        details = read_details(bulk, stores, as_of=as_of)
        versions = [one for one in read_versions(bulk, stores) if one.period is period]
        version = _version(bulk, versions, new, now=now)
        is_counted = covered(
            [version], store_keys=stores.store_keys, groups=details.groups, regions=details.regions
        )
        if only_stores is not None:
            is_counted &= stores.marked(only_stores)
        if not is_counted.all():
            positions = np.flatnonzero(is_counted)
            stores, details = stores.take(positions), details.take(positions)
        choices = (versions, [*versions, version])
        found = list(judge_choices(bulk, stores, details, as_of, period, choices))
    before, after = (_counts([both[choice] for both in found]) for choice in (0, 1))
    others = _counts_of_others(current, set(stores.store_ids.to_pylist()), only_stores)
    changed = sum(int((one.objective_ppm != other.objective_ppm).sum()) for one, other in found)
    return ObjectivePreview(as_of, period, others + before, others + after, changed)


def _counts_of_others(
    current: FleetBudgets | None, known: AbstractSet[str], only_stores: AbstractSet[str] | None
) -> ObjectiveCounts:
    """Of the stores that are not `known`."""
    verdicts = dict.fromkeys(Verdict, 0)
    spent = 0
    if current is not None:
        rows = zip(
            current.store_ids, current.verdicts, current.budgets.left_us.tolist(), strict=True
        )
        for store_id, verdict, left_us in rows:
            if store_id not in known and (only_stores is None or store_id in only_stores):
                verdicts[verdict] += 1
                spent += left_us < 0
    return ObjectiveCounts(verdicts, spent)


def _counts(judged: Sequence[Judged]) -> ObjectiveCounts:
    verdicts = dict.fromkeys(Verdict, 0)
    spent = 0
    for one in judged:
        has_objective = one.objective_ppm != NO_OBJECTIVE
        spent += int((has_objective & (one.left_us < 0)).sum())
        for row in np.flatnonzero(has_objective).tolist():
            verdicts[one.verdicts[row]] += 1
    return ObjectiveCounts(verdicts, spent)


def _version(
    bulk: Bulk, versions: Sequence[Version], new: "pd.Series[Any]", *, now: datetime
) -> Version:
    """The version that a row would become, see `objective_table.write_objectives`."""
    applies_to, period = AppliesTo(str(new["applies_to"])), Period(str(new["by"]))
    key: int | str = str(new["name"])
    if applies_to is AppliesTo.STORE:
        store = read_store(bulk, str(new["name"]))
        key = _NO_STORE if store is None else int(store.store_keys[0])
    since = new["valid_from_us"]
    if since is pd.NA or since is None:
        is_first = not any(
            (one.applies_to, one.key, one.period) == (applies_to, key, period) for one in versions
        )
        since = ALWAYS if is_first else microseconds(now)
    objective = str(new["objective"])
    return Version(
        applies_to,
        key,
        period,
        int(str(since)),
        None if objective == NONE else Decimal(objective),
    )
