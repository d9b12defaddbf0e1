"""Loading the files of a snapshot source: one union, read whole and written in one transaction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from storemon_pipeline.database.bulk import Bulk, bulk_transaction
from storemon_pipeline.domain.rejections import EmptyFileError, UnusableFileError
from storemon_pipeline.files.folders import FoundFile, open_file
from storemon_pipeline.files.snapshots import SnapshotRead
from storemon_pipeline.files.web.web_file import NotModifiedError, WebFile
from storemon_pipeline.ingestion.file_changes import has_been_read, plan_whole, read_up_to
from storemon_pipeline.ingestion.source_load import FileLoad, Refresh, SourceLoad, refuse
from storemon_pipeline.loads.file_states import FileState, forget_removed_files, write_file_state
from storemon_pipeline.loads.load_log import close_load, open_load
from storemon_pipeline.loads.unread_files import RefusedFile
from storemon_pipeline.sources.registry import SNAPSHOTS


@dataclass(frozen=True, slots=True)
class _FileRead:
    """The rows of one file, and its state once they are written. An empty file has no rows."""

    file_path: str
    state: FileState
    rows: SnapshotRead | None
    is_changed: bool


def ingest_snapshot(
    refresh: Refresh, files: Sequence[FoundFile], known: Mapping[str, FileState]
) -> SourceLoad:
    """All files are loaded if one has changed; a file that is refused does not stop the others.

    But while a file is refused that was read before, none is loaded: its rows of then are part of
    the union still, and a union without them would close stores on some weekdays, or cancel
    closures. An empty file counts as if it was not there.
    """
    reads: dict[str, _FileRead] = {}
    refused: dict[str, RefusedFile] = {}

    def read(which: Iterable[FoundFile]) -> None:
        for file in which:
            try:
                reads[file.file_path] = _read_file(refresh, file, known.get(file.file_path))
            except UnusableFileError as error:
                refused[file.file_path] = refuse(file, error)
            except (FileNotFoundError, NotModifiedError):
                continue  # it has vanished since the folder was listed, or is as it was read

    unread = [file for file in files if not has_been_read(file, known.get(file.file_path))]
    read(_unless_known(file, known.get(file.file_path)) for file in unread)
    has_changed = any(each.is_changed and each.rows for each in reads.values())
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
                    if not (each.is_changed and each.rows):
                        write_file_state(bulk, refresh.source, each.file_path, each.state)
    return SourceLoad(len(files), tuple(loads), tuple(refused.values()))


def _unless_known(file: FoundFile, known: FileState | None) -> FoundFile:
    """A file of the web as one that is fetched only if its server has another one."""
    if known is None or not isinstance(file.path, WebFile):
        return file
    return replace(file, etag=known.etag)


def _read_file(refresh: Refresh, file: FoundFile, known: FileState | None) -> _FileRead:
    with open_file(file) as opened:
        plan = plan_whole(opened, known)
        state = read_up_to(plan.state, opened, plan.state.size_bytes)
        try:
            rows = SNAPSHOTS[refresh.source].read(opened)
        except EmptyFileError:
            rows = None
    return _FileRead(file.file_path, state, rows, is_changed=not plan.is_continued)


def _write(refresh: Refresh, bulk: Bulk, reads: Sequence[_FileRead]) -> list[FileLoad]:
    """Write the union of the files; each file is a load of its own, in their order."""
    filled = [(read, read.rows) for read in reads if read.rows is not None]
    loads = [
        open_load(
            bulk,
            refresh.source,
            file_path=read.file_path,
            run_id=refresh.run_id,
            loaded_at=refresh.now,
        )
        for read, _ in filled
    ]
    counts = SNAPSHOTS[refresh.source].write(bulk, loads, [rows.frame for _, rows in filled])
    made = []
    for (read, rows), load, written in zip(filled, loads, counts, strict=True):
        row_counts = close_load(bulk, load, written, rows.rejected, header=rows.header)
        state = replace(read.state, load_id=load.load_id)
        write_file_state(bulk, refresh.source, read.file_path, state)
        made.append(FileLoad(read.file_path, load.load_id, row_counts, rows.rejected))
    for read in reads:
        if read.rows is None:
            write_file_state(bulk, refresh.source, read.file_path, read.state)
    forget_removed_files(bulk, refresh.source, [read.file_path for read in reads])
    return made
