"""Closing all stores of a group, of a region or of the chain in one step, with a preview."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import numpy as np
import pandas as pd

from storemon_pipeline.access.audit_log import AuditEvent, append_event
from storemon_pipeline.database.bulk import Bulk, bulk_transaction
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.figures.uptime_table import read_newest_poll
from storemon_pipeline.ingestion.closings.closing_preview import ClosingPreview, preview_of
from storemon_pipeline.ingestion.push_schedules import parse_rows, write_rows
from storemon_pipeline.schedules.closures import EVERY_STORE_ID, write_author
from storemon_pipeline.statements.make_statement import chosen_positions
from storemon_pipeline.statements.statement import Scope
from storemon_pipeline.stores.store_details import read_details
from storemon_pipeline.stores.store_index import StoreIndex, read_stores
from storemon_pipeline.views.store_view import NoPollsError


class NoStoresError(Exception):
    """No store is of the group and region, or the sender may see none."""


@dataclass(frozen=True, slots=True)
class ClosedStores:
    """What a step closed. `closures_added` leaves out those that existed already."""

    load_id: int | None
    stores: int
    closures_added: int


def close_stores(
    url: str,
    scope: Scope,
    row: Mapping[str, str],
    *,
    now: datetime,
    patience: timedelta,
    author: str | None = None,
    only_stores: AbstractSet[str] | None = None,
    audit: AuditEvent | None = None,
) -> ClosedStores:
    """Add a closure for each store of the scope as one load; of all stores, one for every store.

    `row` has the columns of closures but `store_id`. Raises NoStoresError, BadRowsError and
    BusyError as `push_rows` does.
    """
    closure = _parsed(row)
    with bulk_transaction(url, is_writing_polls=True, patience=patience) as bulk:
        chosen, ids = _chosen(bulk, scope, only_stores, now)
        pushed = write_rows(bulk, Source.CLOSURES, _of_each(closure, ids), now=now)
        write_author(bulk, pushed.load_id, author)
        append_event(bulk, audit)
    added = pushed.row_counts.loaded + pushed.row_counts.replaced
    return ClosedStores(pushed.load_id, len(chosen), added)


def preview_closing(
    url: str,
    scope: Scope,
    row: Mapping[str, str],
    *,
    now: datetime,
    patience: timedelta,
    only_stores: AbstractSet[str] | None = None,
) -> ClosingPreview:
    """What `close_stores` would take out; nothing is kept. Raises NoPollsError, and as it does.

    The closures are made in a transaction that is rolled back.
    """
    closure = _parsed(row)
    with bulk_transaction(url, is_writing_polls=True, patience=patience, is_kept=False) as bulk:
        as_of = read_newest_poll(bulk)
        if as_of is None:
            raise NoPollsError
        chosen, ids = _chosen(bulk, scope, only_stores, now)
        rows = _of_each(closure, ids)
        return preview_of(
            bulk,
            chosen,
            as_of,
            start_local_us=int(closure["start_local_us"].iloc[0]),
            end_local_us=int(closure["end_local_us"].iloc[0]),
            change=partial(write_rows, bulk, Source.CLOSURES, rows, now=now),
        )


def _parsed(row: Mapping[str, str]) -> pd.DataFrame:
    return parse_rows(Source.CLOSURES, [{"store_id": EVERY_STORE_ID, **row}])


def _of_each(closure: pd.DataFrame, store_ids: list[str]) -> pd.DataFrame:
    """The only row of `closure` for each of these stores."""
    rows = closure.take(np.zeros(len(store_ids), np.int64)).reset_index(drop=True)
    return rows.assign(store_id=store_ids)


def _chosen(
    bulk: Bulk, scope: Scope, only: AbstractSet[str] | None, now: datetime
) -> tuple[StoreIndex, list[str]]:
    """The stores of the scope, and the ids that their closures get."""
    stores = read_stores(bulk)
    if only is None and scope == Scope():
        return stores, [EVERY_STORE_ID]
    details = read_details(bulk, stores, as_of=now)
    chosen = stores.take(chosen_positions(stores, details, scope, only))
    if len(chosen) == 0:
        raise NoStoresError
    return chosen, chosen.store_ids.to_pylist()
