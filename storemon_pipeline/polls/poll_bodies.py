"""Parsing the body of a push of polls: a JSON object, a JSON array, NDJSON or CSV.

Values are parsed by `poll_rows`. Content encoding and size limits belong to the API.
"""

import csv
import io
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from storemon_pipeline.domain.rejections import Reason, RejectedRow, UnusableFileError, Verdict
from storemon_pipeline.files.csv_text import open_text_file
from storemon_pipeline.files.json_lines import field_text, is_encodable
from storemon_pipeline.polls.poll_rows import COLUMNS, Polls, join_polls, parse_polls

HEADER: Final = ",".join(column.name for column in COLUMNS)
"""The CSV header for replaying rejected rows of a JSON body."""

_NAMES: Final = tuple(column.name for column in COLUMNS)


class BodyFormat(StrEnum):
    """The format of a body."""

    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"


class UnusableBodyError(Exception):
    """A body that cannot be parsed at all; `str()` says why."""


class TooManyRowsError(Exception):
    """A body with more rows than one push may have."""


@dataclass(frozen=True, slots=True)
class PushedPolls:
    """The rows of a body. The `line` of a poll or a rejected row is its index in the body, from 0.

    `header` is the CSV header for replaying rejected rows.
    """

    polls: Polls
    rejected: tuple[RejectedRow, ...]
    header: str

    @property
    def rows(self) -> int:
        """All rows of the body."""
        return len(self.polls.line) + len(self.rejected)


def parse_poll_body(
    body: bytes, body_format: BodyFormat, *, max_rows: int, now_us: int, kept_from_us: int | None
) -> PushedPolls:
    """Parse the polls of a body, by the same rules as for files.

    Raises UnusableBodyError, and TooManyRowsError for more than `max_rows`.
    """
    if body_format is BodyFormat.CSV:
        return _parse_csv(body, max_rows=max_rows, now_us=now_us, kept_from_us=kept_from_us)
    rows = _json_lines(body) if body_format is BodyFormat.NDJSON else _json_array(body)
    if len(rows) > max_rows:
        raise TooManyRowsError
    texts, broken = _texts(rows)
    index = np.array([at for at in range(len(rows)) if at not in broken], np.int64)
    store_id, timestamp, status = (
        pa.array([row[place] for row in texts], pa.string()) for place in range(len(_NAMES))
    )
    polls, verdict = parse_polls(
        store_id, timestamp, status, index, now_us=now_us, kept_from_us=kept_from_us
    )
    rejected = [
        RejectedRow.of(at, _as_bytes(rows[at]), reason) for at, reason in broken.items()
    ] + _rejected(verdict, index, lambda place: _as_csv(texts[place]))
    return PushedPolls(polls, tuple(sorted(rejected, key=lambda row: row.line)), HEADER)


def _rejected(
    verdict: Verdict, index: npt.NDArray[np.int64], text: Callable[[int], bytes]
) -> list[RejectedRow]:
    return [
        RejectedRow.of(int(index[place]), text(place), reason)
        for place, reason in verdict.findings()
    ]


def _parse_csv(body: bytes, *, max_rows: int, now_us: int, kept_from_us: int | None) -> PushedPolls:
    """Parse a CSV body with the file reader, which needs a path."""
    parts: list[Polls] = []
    rejected: list[RejectedRow] = []
    with tempfile.NamedTemporaryFile(suffix=".csv") as file:
        file.write(body)
        file.flush()
        try:
            with open_text_file(
                Path(file.name), COLUMNS, block_bytes=max(len(body), 1 << 16)
            ) as text:
                for block in text.blocks:
                    store_id, timestamp, status = (block.columns[name] for name in _NAMES)
                    polls, verdict = parse_polls(
                        store_id,
                        timestamp,
                        status,
                        block.line,
                        now_us=now_us,
                        kept_from_us=kept_from_us,
                    )
                    parts.append(polls)
                    rejected += block.collect_rejected(verdict)
                header = text.header
        except UnusableFileError as error:
            raise UnusableBodyError(error.plain_reason) from error
    polls = join_polls(parts)
    lines = np.sort(np.concatenate([polls.line, [row.line for row in rejected]])).astype(np.int64)
    if len(lines) > max_rows:
        raise TooManyRowsError
    return PushedPolls(
        Polls(
            polls.store_ids,
            polls.store,
            polls.polled_at_us,
            polls.is_active,
            np.searchsorted(lines, polls.line),
        ),
        tuple(
            RejectedRow(int(np.searchsorted(lines, row.line)), row.text, row.reason, row.original)
            for row in rejected
        ),
        header,
    )


def _json_array(body: bytes) -> Sequence[object]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UnusableBodyError("it is not JSON") from error
    if isinstance(value, dict):
        return [value]
    if isinstance(value, list):
        return value
    raise UnusableBodyError("it is neither a JSON object nor an array of objects")


def _json_lines(body: bytes) -> Sequence[object]:
    """One value for each non-blank line: the JSON object, or the line itself otherwise."""
    rows: list[object] = []
    for line in body.splitlines():
        if line.strip():
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):
                value = line
            rows.append(value if isinstance(value, dict) else line)
    return rows


def _texts(rows: Sequence[object]) -> tuple[list[tuple[str, ...]], dict[int, Reason]]:
    """The three fields of each valid row, and the reasons for the other rows by index."""
    texts: list[tuple[str, ...]] = []
    broken: dict[int, Reason] = {}
    for index, row in enumerate(rows):
        if not isinstance(row, dict):
            broken[index] = Reason.NOT_JSON
            continue
        fields = tuple(field_text(row.get(name)) for name in _NAMES)
        joined = "".join(fields)
        if "\0" in joined:
            broken[index] = Reason.NUL_BYTE
        elif not joined.isascii() and not is_encodable(joined):
            broken[index] = Reason.NOT_UTF8
        else:
            texts.append(fields)
    return texts, broken


def _as_bytes(row: object) -> bytes:
    """An invalid row: the original line, or the value as ASCII JSON."""
    if isinstance(row, bytes):
        return row
    try:
        return json.dumps(row).encode()
    except RecursionError:  # writing nests a little deeper than reading
        return b"nested too deeply to be kept"


def _as_csv(fields: Sequence[str]) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(fields)
    return line.getvalue().encode()
