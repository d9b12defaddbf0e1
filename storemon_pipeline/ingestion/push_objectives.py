"""Previewing, cancelling and listing objectives. One is set with `push_schedules.push_rows`."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import numpy as np
import pandas as pd

from storemon_pipeline.access.audit_log import AuditEvent, append_event
from storemon_pipeline.business_time.calendar import ALWAYS
from storemon_pipeline.business_time.local_periods import Period
from storemon_pipeline.database.bulk import Bulk, bulk_transaction
from storemon_pipeline.database.instants import microseconds
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.figures.uptime_table import read_newest_poll
from storemon_pipeline.ingestion.push_schedules import parse_rows
from storemon_pipeline.likelihood.verdict import Verdict
from storemon_pipeline.loads.load_log import RowCounts, close_load, open_load
from storemon_pipeline.objectives.objective_table import (
    StoredObjective,
    cancel_objective,
    read_stored_objectives,
    read_versions,
)
from storemon_pipeline.objectives.objectives_file import NONE
from storemon_pipeline.objectives.precedence import AppliesTo, Version
from storemon_pipeline.stores.store_details import read_details
from storemon_pipeline.stores.store_index import StoreIndex, read_store, read_stores
from storemon_pipeline.views.budgets_view import read_budgets_of_fleet
from storemon_pipeline.views.store_view import NoPollsError

_NO_STORE: Final = 0
"""No store has this key."""


class NoObjectiveError(Exception):
    """There is no version of an objective with this id."""


@dataclass(frozen=True, slots=True)
class ObjectiveCounts:
    """The stores with an objective by verdict, and those that spent more than their budget."""

    verdicts: dict[Verdict, int]
    spent: int


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
    url: str, row: Mapping[str, str], *, now: datetime, only_stores: AbstractSet[str] | None
) -> ObjectivePreview:
    """What setting the objective would do, for these stores; nothing is written.

    Raises BadRowsError as `push_rows` does, and NoPollsError.
    """
    new = parse_rows(Source.OBJECTIVES, [row]).iloc[0]
    period = Period(new["by"])
    with bulk_transaction(url) as bulk:
        as_of = read_newest_poll(bulk)
        if as_of is None:
            raise NoPollsError
        stores = read_stores(bulk)
        details = read_details(bulk, stores, as_of=as_of)
        version = _version(bulk, stores, new, now=now)
        found = [
            read_budgets_of_fleet(bulk, stores, details, as_of, period, further=further)
            for further in ((), (version,))
        ]
    is_counted = np.ones(len(stores), np.bool_)
    if only_stores is not None:
        is_counted = np.isin(stores.store_ids.to_pylist(), sorted(only_stores))
    objectives = np.full((2, len(stores)), -1)
    counts = []
    for number, (rows, budgets, verdicts) in enumerate(found):
        objectives[number, rows] = budgets.objective_ppm
        own = is_counted[rows]
        of_own = [verdict for verdict, is_own in zip(verdicts, own.tolist(), strict=True) if is_own]
        counts.append(
            ObjectiveCounts(
                {verdict: of_own.count(verdict) for verdict in Verdict},
                int((own & (budgets.left_us < 0)).sum()),
            )
        )
    changed = int(((objectives[0] != objectives[1]) & is_counted).sum())
    return ObjectivePreview(as_of, period, counts[0], counts[1], changed)


def _version(bulk: Bulk, stores: StoreIndex, new: "pd.Series[Any]", *, now: datetime) -> Version:
    """The version that a row would become, see `objective_table.write_objectives`."""
    applies_to, period = AppliesTo(str(new["applies_to"])), Period(str(new["by"]))
    key: int | str = str(new["name"])
    if applies_to is AppliesTo.STORE:
        store = read_store(bulk, str(new["name"]))
        key = _NO_STORE if store is None else int(store.store_keys[0])
    since = new["valid_from_us"]
    if since is pd.NA or since is None:
        is_first = not any(
            (one.applies_to, one.key, one.period) == (applies_to, key, period)
            for one in read_versions(bulk, stores)
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


def cancel_pushed_objective(
    url: str,
    objective_id: int,
    *,
    now: datetime,
    patience: timedelta,
    only_stores: AbstractSet[str] | None = None,
    audit: AuditEvent | None = None,
) -> None:
    """Cancel the version with this id.

    Raises NoObjectiveError when there is none, or it is not of one of `only_stores`.
    """
    with bulk_transaction(url, is_writing_polls=True, patience=patience) as bulk:
        load = open_load(bulk, Source.OBJECTIVES, file_path=None, run_id=None, loaded_at=now)
        if not cancel_objective(bulk, load, objective_id, only_stores=only_stores):
            raise NoObjectiveError(f"there is no version {objective_id} of an objective")
        close_load(bulk, load, RowCounts(0, 1, 0, 0), ())
        append_event(bulk, audit)


def list_objectives(
    url: str, *, only_stores: AbstractSet[str] | None, after: int, limit: int
) -> list[StoredObjective]:
    """See `objectives.objective_table.read_stored_objectives`."""
    with bulk_transaction(url) as bulk:
        return read_stored_objectives(bulk, only_stores=only_stores, after=after, limit=limit)
