"""What to read of a file: nothing, what was appended, or all of it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from storemon_pipeline.database.instants import microseconds
from storemon_pipeline.files.csv_text import end_of_last_line, end_of_last_row
from storemon_pipeline.files.fingerprints import covers_every_byte, fingerprint
from storemon_pipeline.files.folders import FoundFile, OpenFile, Part, form_digest
from storemon_pipeline.files.formats import JSON, Format, format_of, has_utf16_mark
from storemon_pipeline.loads.file_states import FileState

QUIET: Final = timedelta(seconds=60)
"""A file that nobody wrote to for this long is complete."""

PORTION_BYTES: Final = 256 << 20
"""The bytes of one load: up to 6.5 million polls, which take 1 GB of memory."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to read of an open file.

    `state` is how the file is known before anything new is read of it. `parts` are whole rows,
    of at most PORTION_BYTES each; a compressed file is one part. `tail` is the last row if it has
    no end: its line has none, or it ends within quotes. `is_continued`: what was read before is
    still there, unchanged. Then `old_tail_load_id` is the load of the row that was the tail before;
    it is undone, because the row is read again.
    `can_grow`: more lines may be appended, which is so for plain CSV and JSON lines.
    """

    state: FileState
    parts: tuple[Part, ...]
    tail: Part | None
    is_continued: bool
    old_tail_load_id: int | None
    can_grow: bool


def is_unchanged(file: FoundFile, known: FileState | None) -> bool:
    """Whether size and time of change (or tag) are those of the last check."""
    if known is None or file.size_bytes < 0 or not (file.modified_ns or file.etag):
        return False
    return (file.size_bytes, file.modified_ns, file.etag) == (
        known.size_bytes,
        known.modified_ns,
        known.etag,
    )


def has_been_read(file: FoundFile, known: FileState | None) -> bool:
    """Whether all of a file has been read, by what its folder says of it."""
    if known is None or not is_unchanged(file, known):
        return False
    if known.tail_load_id is not None:
        return True
    return known.bytes_read == known.size_bytes


def is_quiet(file: FoundFile, now: datetime) -> bool:
    """Whether nothing was written to the file for QUIET; False if its time of change is unknown."""
    if not file.modified_ns:
        return False
    return microseconds(now) - file.modified_ns // 1_000 >= QUIET / timedelta(microseconds=1)


def plan_reading(file: OpenFile, known: FileState | None, *, now: datetime) -> Plan:
    """Compare an open file of polls with what was read of it.

    A last line without an end may be half a line. It waits for its rest until the file is quiet,
    or has not changed since the last check.
    """
    whole = plan_whole(file, known)
    size = whole.state.size_bytes
    if not _can_grow(file) or (whole.is_continued and size > 0):
        return whole
    before = known if known is not None and _begins_as_known(file, size, known) else None
    start = before.bytes_read if before else 0
    end = _end_of_rows(file, size)
    was_tail_read = before is not None and before.tail_load_id and before.size_bytes == size
    has_ended = is_quiet(file.found, now) or is_unchanged(file.found, known) or was_tail_read
    return Plan(
        state=_state(file, size, known, is_continued=before is not None),
        parts=tuple(_portions(file, start, end)),
        tail=Part(end, size) if has_ended and size > end else None,
        is_continued=before is not None,
        old_tail_load_id=before.tail_load_id if before else None,
        can_grow=True,
    )


def plan_whole(file: OpenFile, known: FileState | None) -> Plan:
    """Compare an open file with what was read of it. It is read whole, or not at all."""
    size = file.stream.seek(0, 2)
    is_same = (
        known is not None
        and known.bytes_read == size
        and _has_known_form(file, known)
        and covers_every_byte(known.fingerprint)
        and known.fingerprint == fingerprint(file.stream, size)
    )
    return Plan(
        state=_state(file, size, known, is_continued=is_same),
        parts=() if is_same else (Part(0, size),),
        tail=None,
        is_continued=is_same,
        old_tail_load_id=known.tail_load_id if known and is_same else None,
        can_grow=False,
    )


def read_up_to(state: FileState, file: OpenFile, end: int) -> FileState:
    """The state of the file when its first `end` bytes are read.

    Made before they are read: if they change meanwhile, the next refresh sees it.
    """
    return replace(state, bytes_read=end, fingerprint=fingerprint(file.stream, end))


def _state(file: OpenFile, size: int, known: FileState | None, *, is_continued: bool) -> FileState:
    before = known if is_continued else None
    return FileState(
        load_id=known.load_id if known else None,
        size_bytes=size,
        modified_ns=file.found.modified_ns,
        etag=file.found.etag,
        bytes_read=before.bytes_read if before else 0,
        lines_read=before.lines_read if before else 0,
        fingerprint=before.fingerprint if before else fingerprint(file.stream, 0),
        header=before.header if before else None,
        tail_load_id=None,
    )


def _portions(file: OpenFile, start: int, end: int) -> Iterator[Part]:
    """Whole rows, cut at ends of rows into parts of PORTION_BYTES."""
    while start < end:
        cut = end
        if end - start > PORTION_BYTES:
            cut = _end_of_rows(file, start + PORTION_BYTES)
            cut = cut if cut > start else end
        yield Part(start, cut)
        start = cut


def _end_of_rows(file: OpenFile, size: int) -> int:
    """How many of the first `size` bytes are complete rows."""
    if format_of(file.found.file_path) in JSON:
        return end_of_last_line(file.stream, size)
    return end_of_last_row(file.stream, size, delimiter=file.found.form.delimiter)


def _can_grow(file: OpenFile) -> bool:
    """Whether the file is plain CSV that can be cut at line ends, or JSON lines."""
    file_format = format_of(file.found.file_path)
    return file_format in JSON or (
        file_format is Format.CSV
        and file.found.form.has_ascii_line_ends
        and not has_utf16_mark(file.stream)
    )


def _has_known_form(file: OpenFile, known: FileState) -> bool:
    """Whether the file was read in the form that it is to be read in now."""
    return form_digest(file.found.etag) == form_digest(known.etag)


def _begins_as_known(file: OpenFile, size: int, known: FileState) -> bool:
    """Whether the file is unchanged or only appended to."""
    if not _has_known_form(file, known):
        return False
    if known.header is None and known.bytes_read != size:
        return False  # nothing to go on from
    if size < known.bytes_read or fingerprint(file.stream, known.bytes_read) != known.fingerprint:
        return False
    # Samples show insertions and deletions, which is enough for a file that has grown. At an equal
    # size every byte must be compared.
    return size > known.bytes_read or covers_every_byte(known.fingerprint)
