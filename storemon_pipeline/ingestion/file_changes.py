"""What of a file is to be read: nothing, what was appended, or all of it.

Reading it, and the tables, are the matter of ingest_files.py.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import BinaryIO, Final

from storemon_pipeline.database.instants import microseconds
from storemon_pipeline.files.csv_text import end_of_last_line
from storemon_pipeline.files.fingerprints import covers_every_byte, fingerprint
from storemon_pipeline.files.folders import FoundFile
from storemon_pipeline.files.formats import Format, Part, format_of
from storemon_pipeline.loads.file_states import FileState

QUIET: Final = timedelta(seconds=60)
"""A file that was not written to for this long is not in the middle of being written."""


PORTION_BYTES: Final = 512 << 20
"""So much of a file is one load: up to 13 million polls, with which 2 GB of memory are in use."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be read of a file that is open, and how the file is known afterwards.

    `whole_lines` are the lines that have an end, `tail` is the last one without; both are None
    where there is nothing to read. A form that can only be read whole has a `whole_lines` from its
    first byte to its last. `is_continued`: what was read before is still there, unchanged.
    """

    size_bytes: int
    whole_lines: Part | None
    tail: Part | None
    bytes_read: int
    fingerprint: str
    is_continued: bool


def looks_as_known(file: FoundFile, known: FileState | None) -> bool:
    """Tell whether size and time of change (or tag) are those of the last look."""
    if known is None or file.size_bytes < 0 or not (file.modified_ns or file.etag):
        return False
    return (file.size_bytes, file.modified_ns, file.etag) == (
        known.size_bytes,
        known.modified_ns,
        known.etag,
    )


def has_been_read(file: FoundFile, known: FileState | None) -> bool:
    """Tell, without opening it, whether all of a file was read as it is."""
    if known is None or not looks_as_known(file, known):
        return False
    if known.tail_load_id is not None:
        return True
    return known.bytes_read == known.size_bytes and known.size_bytes > 0


def is_quiet(file: FoundFile, now: datetime) -> bool:
    """Tell whether the file was left alone for QUIET; no, where the time of change is unknown."""
    if not file.modified_ns:
        return False
    return microseconds(now) - file.modified_ns // 1_000 >= QUIET / timedelta(microseconds=1)


def plan_reading(
    file: FoundFile, stream: BinaryIO, known: FileState | None, *, now: datetime
) -> Plan:
    """Compare an open file with what was read of it.

    A last line without an end may be half a line. It waits for its rest until the file is quiet,
    or has stayed as it was at the last look.
    """
    whole = plan_whole(stream, known)
    size = whole.size_bytes
    if format_of(file.file_path) is not Format.CSV or (whole.is_continued and size > 0):
        return whole
    cut = end_of_last_line(stream, size)
    is_continued = known is not None and _begins_as_known(stream, size, known)
    if known is not None and is_continued:
        start, first_line, header = known.bytes_read, known.lines_read + 1, known.header
    else:
        start, first_line, header = 0, 1, None
    was_tail_read = (
        known is not None
        and is_continued
        and known.tail_load_id is not None
        and known.size_bytes == size
    )
    has_ended = is_quiet(file, now) or looks_as_known(file, known) or was_tail_read
    tail = None
    if has_ended and (size > cut or size == 0):
        # Lines before the tail move its number and give its header: the reader of them says so.
        tail = Part(cut, size, first_line, header)
    return Plan(
        size_bytes=size,
        whole_lines=Part(start, cut, first_line, header) if cut > start else None,
        tail=tail,
        bytes_read=cut,
        fingerprint=fingerprint(stream, cut),
        is_continued=is_continued,
    )


def portions(file: FoundFile, stream: BinaryIO, plan: Plan) -> Iterator[Part]:
    """The whole lines that are to be read, cut at ends of lines into parts of PORTION_BYTES.

    Of all parts but the first only the bytes are known, not yet the number of the first line. What
    can only be read whole is one part.
    """
    part = plan.whole_lines
    while part is not None:
        end = part.end
        if format_of(file.file_path) is Format.CSV and end - part.start > PORTION_BYTES:
            cut = end_of_last_line(stream, part.start + PORTION_BYTES)
            end = cut if cut > part.start else end
        yield replace(part, end=end)
        part = replace(part, start=end) if end < part.end else None


def plan_whole(stream: BinaryIO, known: FileState | None) -> Plan:
    """Compare an open file, which is read whole if at all, with what was read of it."""
    size = stream.seek(0, 2)
    digest = fingerprint(stream, size)
    is_same = (
        known is not None
        and (known.bytes_read, known.fingerprint) == (size, digest)
        and covers_every_byte(digest)
    )
    return Plan(
        size_bytes=size,
        whole_lines=None if is_same else Part(0, size),
        tail=None,
        bytes_read=size,
        fingerprint=digest,
        is_continued=is_same,
    )


def _begins_as_known(stream: BinaryIO, size: int, known: FileState) -> bool:
    """Tell whether the file goes on from what was read of it, or is still that."""
    if known.header is None and known.bytes_read != size:
        return False  # nothing to go on from
    if size < known.bytes_read or fingerprint(stream, known.bytes_read) != known.fingerprint:
        return False
    # Samples show what was put in or left out, and so vouch for a file that has grown. One of the
    # same size must be proved to be the same.
    return size > known.bytes_read or covers_every_byte(known.fingerprint)
