"""Loading the files of a snapshot source: one union, read whole and written in one transaction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from storemon_pipeline.database.bulk import Bulk, bulk_transaction
from storemon_pipeline.domain.rejections import UnusableFileError
from storemon_pipeline.files.folders import FoundFile, open_file
from storemon_pipeline.files.snapshots import SnapshotRead
from storemon_pipeline.ingestion.file_changes import has_been_read, plan_whole, read_up_to
from storemon_pipeline.ingestion.source_load import FileLoad, Refresh, SourceLoad
from storemon_pipeline.ingestion.sources import SNAPSHOTS
from storemon_pipeline.loads.file_states import FileState, forget_removed_files, write_file_state
from storemon_pipeline.loads.load_log import close_load, open_load
from storemon_pipeline.loads.unread_files import RefusedFile


@dataclass(frozen=True, slots=True)
class _FileRead:
    """The rows of one file, and its state once they are written."""

    file_path: str
    state: FileState
    rows: SnapshotRead
    is_changed: bool


def ingest_snapshot(
    refresh: Refresh, files: Sequence[FoundFile], known: Mapping[str, FileState]
) -> SourceLoad:
    """All files are loaded if one has changed; a file that is refused does not stop the others.

    But while a file is refused that was read before, none is loaded: its rows of then are part of
    the union still, and a union without them would close stores on some weekdays, or cancel
    closures.
    """
    reads: dict[str, _FileRead] = {}
    refused: dict[str, RefusedFile] = {}

    def read(which: Iterable[FoundFile]) -> None:
        for file in which:
            try:
                reads[file.file_path] = _read_file(refresh, file, known.get(file.file_path))
            except UnusableFileError as error:
                refused[file.file_path] = RefusedFile(
                    file.file_path, error.reason, file.modified_ns
                )
            except FileNotFoundError:
                continue  # it has vanished since the folder was listed

    read(file for file in files if not has_been_read(file, known.get(file.file_path)))
    has_changed = any(each.is_changed for each in reads.values())
    if has_changed and refused.keys().isdisjoint(known):
        read(file for file in files if file.file_path not in {*reads, *refused})
    loads: list[FileLoad] = []
    if reads:
        with bulk_transaction(refresh.url, is_writing_polls=True) as bulk:
            if has_changed and refused.keys().isdisjoint(known):
                union = [reads[file.file_path] for file in files if file.file_path in reads]
                loads = _write(refresh, bulk, union)
            else:
                for each in reads.values():
                    if not each.is_changed:
                        write_file_state(bulk, refresh.source, each.file_path, each.state)
    return SourceLoad(len(files), tuple(loads), tuple(refused.values()))


def _read_file(refresh: Refresh, file: FoundFile, known: FileState | None) -> _FileRead:
    with open_file(file) as opened:
        plan = plan_whole(opened, known)
        state = read_up_to(plan.state, opened, plan.state.size_bytes)
        rows = SNAPSHOTS[refresh.source].read(opened)
    return _FileRead(file.file_path, state, rows, is_changed=not plan.is_continued)


def _write(refresh: Refresh, bulk: Bulk, reads: Sequence[_FileRead]) -> list[FileLoad]:
    """Write the union of the files; each file is a load of its own, in their order."""
    loads = [
        open_load(
            bulk,
            refresh.source,
            file_path=read.file_path,
            run_id=refresh.run_id,
            loaded_at=refresh.now,
        )
        for read in reads
    ]
    counts = SNAPSHOTS[refresh.source].write(bulk, loads, [read.rows.frame for read in reads])
    made = []
    for read, load, written in zip(reads, loads, counts, strict=True):
        rejected = read.rows.rejected
        row_counts = close_load(bulk, load, written, rejected, header=read.rows.header)
        state = replace(read.state, load_id=load.load_id)
        write_file_state(bulk, refresh.source, read.file_path, state)
        made.append(FileLoad(read.file_path, load.load_id, row_counts, rejected))
    forget_removed_files(bulk, refresh.source, [load.file_path for load in made])
    return made
