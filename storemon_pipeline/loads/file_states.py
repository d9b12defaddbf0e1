"""The table `ingested_files`: how far each file was read, so that nothing is read twice."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.domain.sources import Source


@dataclass(frozen=True, slots=True)
class FileState:
    """The state of a file when it was last read: used to detect changes and to read appended lines.

    `bytes_read` and `lines_read` count the complete lines of a CSV file with this `header`. Other
    formats are always read whole, and have no header here. `tail_load_id` is the load of a last
    line without a line end, which `bytes_read` does not include.
    """

    load_id: int | None
    size_bytes: int
    modified_ns: int
    etag: str
    bytes_read: int
    lines_read: int
    fingerprint: str
    header: str | None
    tail_load_id: int | None


_COLUMNS = tuple(FileState.__dataclass_fields__)


def read_file_states(bulk: Bulk, source: Source) -> dict[str, FileState]:
    """The files of a source that were read before, by path in the data folder."""
    rows = bulk.fetch(
        f"SELECT file_path, {', '.join(_COLUMNS)} FROM ingested_files WHERE source = $1",  # noqa: S608
        (source.value,),
    ).to_pylist()
    return {row.pop("file_path"): FileState(**row) for row in rows}


def write_file_state(bulk: Bulk, source: Source, file_path: str, state: FileState) -> None:
    """Store the state of a file."""
    places = ", ".join(f"${number}" for number in range(3, 3 + len(_COLUMNS)))
    changes = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS)
    bulk.execute(
        f"""
        INSERT INTO ingested_files (source, file_path, {", ".join(_COLUMNS)})
        VALUES ($1, $2, {places})
        ON CONFLICT (source, file_path) DO UPDATE SET {changes}
        """,  # noqa: S608  (names of columns are constants of this module)
        (source.value, file_path, *asdict(state).values()),
    )


def forget_removed_files(bulk: Bulk, source: Source, kept: Sequence[str]) -> None:
    """Delete the states of all files of the source except these."""
    bulk.execute(
        "DELETE FROM ingested_files WHERE source = $1 AND NOT (file_path = ANY ($2))",
        (source.value, list(kept)),
    )
