"""Loading poll files: each in transactions of its own, and only what is new in it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from storemon_pipeline.database.bulk import Bulk, bulk_transaction
from storemon_pipeline.database.instants import microseconds
from storemon_pipeline.database.overlap import overlapping
from storemon_pipeline.database.parameters import read_max_gap_us
from storemon_pipeline.domain.rejections import EmptyFileError, UnusableFileError
from storemon_pipeline.domain.windows import IntArray
from storemon_pipeline.files.folders import FoundFile, open_file
from storemon_pipeline.ingestion.file_changes import has_been_read, plan_reading, read_up_to
from storemon_pipeline.ingestion.forget_stores import forget_stores
from storemon_pipeline.ingestion.source_load import FileLoad, Refresh, SourceLoad, refuse
from storemon_pipeline.loads.file_states import FileState, write_file_state
from storemon_pipeline.loads.load_undo import read_load, record_undo
from storemon_pipeline.loads.unread_files import RefusedFile
from storemon_pipeline.polls.poll_rows import PollsRead, read_polls_file
from storemon_pipeline.polls.poll_table import undo_polls, write_poll_load


def ingest_polls(
    refresh: Refresh, files: Sequence[FoundFile], known: Mapping[str, FileState]
) -> SourceLoad:
    """What is new in each poll file is loaded. A file that is refused does not stop the others."""
    loads: list[FileLoad] = []
    refused: list[RefusedFile] = []
    for file in files:
        state = known.get(file.file_path)
        if has_been_read(file, state):
            continue
        try:
            loads += _ingest_file(refresh, file, state)
        except UnusableFileError as error:
            refused.append(refuse(file, error))
        except FileNotFoundError:
            continue  # it has vanished since the folder was listed
    return SourceLoad(len(files), tuple(loads), tuple(refused))


def _ingest_file(refresh: Refresh, file: FoundFile, known: FileState | None) -> list[FileLoad]:
    """What is new in a poll file is loaded: its whole lines, then a last line without an end.

    The last line may be half a line. It is a load of its own, which is undone when the file grows.
    The whole lines of a large file are several loads, as if it had grown meanwhile: after a crash
    the next refresh goes on after the last of them. While one is written, the next one is read.
    """
    loads: list[FileLoad] = []
    has_rows = False

    def write(read: PollsRead, state: FileState, old_tail: int | None, *, is_tail: bool) -> None:
        loads.append(_write(refresh, file, read, state, old_tail=old_tail, is_tail=is_tail))

    with open_file(file) as opened, overlapping() as hand_over:
        plan = plan_reading(opened, known, now=refresh.now)
        state, tail_load_id = plan.state, plan.old_tail_load_id
        for part in (*plan.parts, *([plan.tail] if plan.tail else [])):
            is_tail = part is plan.tail
            rest = replace(part, first_line=state.lines_read + 1, header=state.header)
            if not is_tail:
                state = read_up_to(state, opened, part.end)
            try:
                read = read_polls_file(
                    replace(opened, part=rest),
                    now_us=microseconds(refresh.now),
                    kept_from_us=refresh.kept_from_us,
                    on_progress=refresh.on_progress,
                )
            except EmptyFileError:
                break
            if not is_tail:
                header = read.header if plan.can_grow else None
                state = replace(state, lines_read=read.next_line - 1, header=header)
            hand_over(partial(write, read, state, tail_load_id, is_tail=is_tail))
            tail_load_id = None
            has_rows = True
    if not has_rows:
        with bulk_transaction(refresh.url, is_writing_polls=True) as bulk:
            _undo_tail(bulk, refresh, tail_load_id)
            write_file_state(bulk, refresh.source, file.file_path, state)
    return loads


def _write(
    refresh: Refresh,
    file: FoundFile,
    read: PollsRead,
    state: FileState,
    *,
    old_tail: int | None,
    is_tail: bool,
) -> FileLoad:
    """Polls, status runs, rejected rows and the file's state are written in one transaction."""
    with bulk_transaction(refresh.url, is_writing_polls=True) as bulk:
        undone_stores = _undo_tail(bulk, refresh, old_tail)
        load_id, row_counts = write_poll_load(
            bulk,
            read.polls,
            read.rejected,
            file_path=file.file_path,
            run_id=refresh.run_id,
            loaded_at=refresh.now,
            header=read.header,
        )
        # A cut line may have named a store that does not exist.
        forget_stores(bulk, undone_stores)
        state = replace(state, load_id=load_id, tail_load_id=load_id if is_tail else None)
        write_file_state(bulk, refresh.source, file.file_path, state)
    return FileLoad(file.file_path, load_id, row_counts, read.rejected)


def _undo_tail(bulk: Bulk, refresh: Refresh, load_id: int | None) -> IntArray:
    """Undo the load of a last line that had no end, unless it was undone by hand.

    Returns the keys of its stores.
    """
    load = None if load_id is None else read_load(bulk, load_id)
    if load is None or load.undone_at is not None:
        return np.empty(0, np.int64)
    undone = undo_polls(bulk, load.load_id, max_gap_us=read_max_gap_us(bulk))
    record_undo(bulk, load, undone_at=refresh.now, rows_removed=undone.removed)
    return undone.store_keys
