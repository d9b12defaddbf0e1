"""Undoing a load: its rows are removed, and the rows that they replaced are restored."""

from dataclasses import dataclass
from datetime import datetime

from storemon_pipeline.database.bulk import Bulk, bulk_transaction
from storemon_pipeline.database.parameters import read_max_gap_us
from storemon_pipeline.figures.refresh_uptime import refresh_uptime
from storemon_pipeline.ingestion.forget_stores import forget_stores
from storemon_pipeline.loads.load_undo import (
    LoadRecord,
    forget_file,
    has_later_load,
    read_load,
    read_loads,
    record_undo,
)
from storemon_pipeline.loads.unread_files import UnreadFile, fetch_unread_files
from storemon_pipeline.polls.arrivals.poll_changes import UndonePolls
from storemon_pipeline.polls.poll_table import undo_polls
from storemon_pipeline.polls.retention import read_polls_kept_from
from storemon_pipeline.sources.registry import SNAPSHOTS


class UndoError(Exception):
    """A load cannot be undone; `str()` says why in one sentence."""


@dataclass(frozen=True, slots=True)
class UndoResult:
    """What an undoing did. `is_file_forgotten`: the next refresh reads the load's file again."""

    load: LoadRecord
    undo_load_id: int
    polls_removed: int
    is_file_forgotten: bool


def undo_load(url: str, load_id: int, *, now: datetime, is_reloading: bool = False) -> UndoResult:
    """Undo a load, except for rows that later loads have changed since. Raises UndoError.

    The tables change in one transaction, and the newest figures after it. The file of the load
    stays known, so that no refresh loads the mistake again: only what is appended to a poll file is
    read, and a snapshot file only when it changes. With `is_reloading` the file is read again. A
    snapshot file is also read again if a later load has changed rows, because they must stay.
    """
    with bulk_transaction(url, is_writing_polls=True) as bulk:
        load = _find(bulk, load_id)
        undone = _take_back(bulk, load)
        forget_stores(bulk, undone.store_keys)
        is_forgotten = (
            is_reloading or (load.source.is_snapshot and has_later_load(bulk, load))
        ) and forget_file(bulk, load)
        undo_load_id = record_undo(bulk, load, undone_at=now, rows_removed=undone.removed)
    refresh_uptime(url, refreshed_at=now, is_moving_back=True)
    return UndoResult(load, undo_load_id, undone.removed, is_forgotten)


def list_loads(url: str, *, limit: int) -> list[LoadRecord]:
    """The newest loads, newest first."""
    with bulk_transaction(url) as bulk:
        return read_loads(bulk, limit=limit)


def list_unread_files(url: str) -> list[UnreadFile]:
    """The files of the data folder that are not read: the refused ones first."""
    with bulk_transaction(url) as bulk:
        return fetch_unread_files(bulk)


def _find(bulk: Bulk, load_id: int) -> LoadRecord:
    load = read_load(bulk, load_id)
    if load is None:
        raise UndoError(f"There is no load {load_id}: `storemon loads` lists them.")
    if load.undoes_load_id is not None:
        raise UndoError(
            f"Load {load_id} is the undoing of load {load.undoes_load_id}, which cannot be undone: "
            "load its file or push its rows again."
        )
    if load.undone_at is not None:
        raise UndoError(f"Load {load_id} was undone already, at {load.undone_at:%Y-%m-%d %H:%M}Z.")
    kept_from = read_polls_kept_from(bulk)
    if kept_from and load.first_polled_at and load.first_polled_at < kept_from:
        raise UndoError(
            f"Load {load_id} cannot be undone: it holds polls before {kept_from:%Y-%m-%d}, and raw "
            "polls of that age are not kept."
        )
    return load


def _take_back(bulk: Bulk, load: LoadRecord) -> UndonePolls:
    """Remove what the load wrote, but its stores."""
    if not load.source.is_snapshot:
        return undo_polls(bulk, load.load_id, max_gap_us=read_max_gap_us(bulk))
    snapshot = SNAPSHOTS[load.source]
    if snapshot.undo is None:
        raise UndoError(
            f"Load {load.load_id} holds {load.source.label}. Earlier ones are not kept: "
            "change the file instead."
        )
    store_keys = snapshot.undo(bulk, load.load_id)
    if snapshot.after_change is not None:
        snapshot.after_change(bulk)
    return UndonePolls(0, store_keys)
