"""Reading a JSON document of stores into their entries of hours, with their lines.

What an entry says belongs to `schema_org` and `google_profile`.
"""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import BinaryIO, Final

from storemon_pipeline.domain.rejections import EmptyFileError, UnusableFileError
from storemon_pipeline.files.json_lines import field_text, is_encodable
from storemon_pipeline.hours_formats.schema_org import is_dated

MOST_BYTES: Final = 64 << 20

ID_KEYS: Final = ("store_id", "storeCode", "branchCode", "identifier")
"""The first of these keys that a store has holds its id."""

_LISTS: Final = ("locations", "@graph", "stores")
"""The keys of a document under which the stores are."""

_KEYS: Final = (
    "openingHoursSpecification",
    "specialOpeningHoursSpecification",
    "regularHours",
    "specialHours",
)
_HAS_HOURS: Final = re.compile(rb'"(?:' + "|".join(_KEYS).encode() + rb')"\s*:')
_SPACE: Final = re.compile(r"[\s,]*")
_BEGIN_BYTES: Final = 1 << 20


class EntryKind(Enum):
    """The format of an entry, and whether it is of dates."""

    SPECIFICATION = auto()
    DATED_SPECIFICATION = auto()
    PERIOD = auto()
    SPECIAL_PERIOD = auto()

    @property
    def is_dated(self) -> bool:
        """Whether it is of dates, not of a week."""
        return self in {EntryKind.DATED_SPECIFICATION, EntryKind.SPECIAL_PERIOD}


@dataclass(frozen=True, slots=True)
class JsonEntry:
    """An entry of hours; `line` is the one on which its store begins, `text` is a CSV row."""

    line: int
    store_id: str
    kind: EntryKind
    value: object

    @property
    def text(self) -> bytes:
        """The store id and the entry, as a row that can be shown."""
        row = io.StringIO()
        fields = [self.store_id, json.dumps(self.value)]
        csv.writer(row, lineterminator="").writerow(fields)
        return row.getvalue().encode()


def holds_hours(stream: BinaryIO) -> bool:
    """Whether a JSON document has hours in its first MiB."""
    return _HAS_HOURS.search(stream.read(_BEGIN_BYTES)) is not None


def read_entries(name: Path | str, stream: BinaryIO, *, size: int) -> list[JsonEntry]:
    """The entries of all stores. Raises UnusableFileError."""
    if size > MOST_BYTES:
        raise UnusableFileError(name, f"the JSON has more than {MOST_BYTES >> 20} MiB")
    content = stream.read()
    if not content.strip():
        raise EmptyFileError(name)
    try:
        text = content.decode("utf-8-sig")
        document = json.loads(text)
    except UnicodeDecodeError as error:
        raise UnusableFileError(name, "the JSON is not in UTF-8") from error
    except ValueError as error:
        raise UnusableFileError(name, f"the JSON cannot be read ({error})") from error
    except RecursionError as error:
        raise UnusableFileError(name, "the JSON is nested too deep") from error
    return [
        entry
        for line, store in _stores(document, text)
        if isinstance(store, Mapping)
        for entry in _entries(line, store)
    ]


def _stores(document: object, text: str) -> Iterator[tuple[int, object]]:
    """Each store with the line on which it begins."""
    if isinstance(document, list):
        stores, start = document, text.index("[") + 1
    elif isinstance(document, Mapping):
        key = next((key for key in _LISTS if isinstance(document.get(key), list)), None)
        if key is None:
            yield 1, document
            return
        stores = document[key]
        found = re.search(rf'"{key}"\s*:\s*\[', text)
        start = found.end() if found else len(text)
    else:
        return
    yield from zip(_lines(text, start, stores), stores, strict=True)


def _lines(text: str, at: int, stores: Sequence[object]) -> list[int]:
    """The lines on which the values of a list begin; 1 for all where the list was mistaken."""
    decoder = json.JSONDecoder()
    line = 1 + text.count("\n", 0, at)
    lines = []
    for store in stores:
        space = _SPACE.match(text, at)
        begin = space.end() if space else at
        line += text.count("\n", at, begin)
        try:
            value, end = decoder.raw_decode(text, begin)
        except ValueError:
            return [1] * len(stores)
        if value != store:
            return [1] * len(stores)
        lines.append(line)
        line += text.count("\n", begin, end)
        at = end
    return lines


def _entries(line: int, store: Mapping[str, object]) -> Iterator[JsonEntry]:
    store_id = _store_id(store)
    for value in _as_list(store.get("openingHoursSpecification")):
        dated = is_dated(value)
        kind = EntryKind.DATED_SPECIFICATION if dated else EntryKind.SPECIFICATION
        yield JsonEntry(line, store_id, kind, value)
    for value in _as_list(store.get("specialOpeningHoursSpecification")):
        yield JsonEntry(line, store_id, EntryKind.DATED_SPECIFICATION, value)
    for value in _periods(store.get("regularHours"), "periods"):
        yield JsonEntry(line, store_id, EntryKind.PERIOD, value)
    for value in _periods(store.get("specialHours"), "specialHourPeriods"):
        yield JsonEntry(line, store_id, EntryKind.SPECIAL_PERIOD, value)


def _periods(hours: object, key: str) -> list[object]:
    """The periods; where there is no list of them, what is there instead."""
    if hours is None or hours == {}:
        return []
    return _as_list(hours.get(key, hours)) if isinstance(hours, Mapping) else [hours]


def _as_list(value: object) -> list[object]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _store_id(store: Mapping[str, object]) -> str:
    value = next((store[key] for key in ID_KEYS if store.get(key)), "")
    if isinstance(value, Mapping):
        value = value.get("value", "")
    text = field_text(value).strip()
    return text if is_encodable(text) and "\0" not in text else ""
