"""Entering, taking back and listing corrections. Each change is a load of its own."""

from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta

from storemon_pipeline.access.audit_log import AuditEvent, append_event
from storemon_pipeline.corrections.correction_table import (
    NewCorrection,
    StoredCorrection,
    cancel_correction,
    overlaps_another,
    read_corrections,
    write_correction,
)
from storemon_pipeline.database.bulk import Bulk, bulk_transaction
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.loads.load_log import RowCounts, close_load, open_load
from storemon_pipeline.stores.store_index import read_store


class NoCorrectionError(Exception):
    """There is no correction in force with this id."""


class UncorrectableStoreError(Exception):
    """No source has ever mentioned this store."""


class OverlapError(Exception):
    """Another correction of the store covers some of the time."""


def enter_correction(
    url: str,
    new: NewCorrection,
    *,
    now: datetime,
    patience: timedelta,
    audit: AuditEvent | None = None,
) -> StoredCorrection:
    """Enter a correction and write the `audit` event.

    Raises UncorrectableStoreError and OverlapError, and BusyError as `push_polls` does.
    """
    with bulk_transaction(url, is_writing_polls=True, patience=patience) as bulk:
        correction_id = write_entry(bulk, new, now=now)
        append_event(bulk, audit)
        (stored,) = read_corrections(
            bulk, only_stores={new.store_id}, after=correction_id - 1, limit=1
        )
    return stored


def write_entry(bulk: Bulk, new: NewCorrection, *, now: datetime) -> int:
    """Enter a correction as one load; return its id. Raises as `enter_correction` does."""
    stores = read_store(bulk, new.store_id)
    if stores is None:
        raise UncorrectableStoreError(f"there is no store {new.store_id}")
    store_key = int(stores.store_keys[0])
    if overlaps_another(bulk, store_key, new):
        raise OverlapError(f"another correction of {new.store_id} covers some of the time")
    load = open_load(bulk, Source.STORE_EVENTS, file_path=None, run_id=None, loaded_at=now)
    correction_id = write_correction(bulk, load, store_key, new)
    close_load(bulk, load, RowCounts(1, 0, 0, 0), ())
    return correction_id


def take_back_correction(
    url: str,
    correction_id: int,
    *,
    now: datetime,
    patience: timedelta,
    author: str | None = None,
    only_stores: AbstractSet[str] | None = None,
    audit: AuditEvent | None = None,
) -> None:
    """Take back the correction with this id; the row stays, with who took it back.

    Raises NoCorrectionError when it is not in force, or is not of one of `only_stores`.
    """
    with bulk_transaction(url, is_writing_polls=True, patience=patience) as bulk:
        write_taking_back(bulk, correction_id, now=now, author=author, only_stores=only_stores)
        append_event(bulk, audit)


def write_taking_back(
    bulk: Bulk,
    correction_id: int,
    *,
    now: datetime,
    author: str | None = None,
    only_stores: AbstractSet[str] | None,
) -> None:
    """Take back a correction as one load. Raises as `take_back_correction` does."""
    load = open_load(bulk, Source.STORE_EVENTS, file_path=None, run_id=None, loaded_at=now)
    if not cancel_correction(bulk, load, correction_id, author=author, only_stores=only_stores):
        raise NoCorrectionError(f"there is no correction {correction_id} in force")
    close_load(bulk, load, RowCounts(0, 1, 0, 0), ())


def list_corrections(
    url: str, *, only_stores: AbstractSet[str] | None, after: int, limit: int
) -> list[StoredCorrection]:
    """See `corrections.correction_table.read_corrections`."""
    with bulk_transaction(url) as bulk:
        return read_corrections(bulk, only_stores=only_stores, after=after, limit=limit)
