"""The settings of sources: `sources.toml` in the data folder, read into the form of their files."""

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from storemon_pipeline.business_time.zones import zone_keys_by_folded_name
from storemon_pipeline.domain.sources import SETTINGS_FILE, Source
from storemon_pipeline.files.file_form import NUMBERS, FileForm, is_text_encoding
from storemon_pipeline.files.folders import Folder, Query, open_in_place
from storemon_pipeline.files.form_values import DateFormatError, date_pattern
from storemon_pipeline.files.web.web_file import WebFile
from storemon_pipeline.sources.registry import columns_of

T = TypeVar("T")

_NO_WORDS: Final[tuple[str, ...]] = ()

DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
DAY_NAMES: Final = (
    *((word, str(day)) for day, name in enumerate(DAYS) for word in (name, name[:3], name[:2])),
    *(("tues", "1"), ("weds", "2"), ("thur", "3"), ("thurs", "3")),
)
"""English names of days, long and short, with their numbers."""

_ANY_SOURCE: Final = {"columns", "database", "delimiter", "encoding", "query"}
_SETTINGS: Final = {
    Source.STORE_STATUS: _ANY_SOURCE | {"date_format", "zone", "active", "inactive"},
    Source.BUSINESS_HOURS: _ANY_SOURCE
    | {"date_format", "zone", "weekdays", "first_weekday", "clock"},
    Source.STORE_TIMEZONES: _ANY_SOURCE | {"date_format", "zone"},
    Source.CLOSURES: _ANY_SOURCE | {"date_format", "calendar_url"},
    Source.SPECIAL_HOURS: _ANY_SOURCE | {"date_format", "zone"},
    Source.STORE_EVENTS: _ANY_SOURCE | {"date_format", "zone", "active", "inactive"},
    Source.HOURLY_ORDERS: _ANY_SOURCE | {"date_format", "zone"},
}


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """The form of a source's files, and a query and calendars that count as further files."""

    form: FileForm
    query: Query | None
    calendars: tuple[WebFile, ...] = ()

    @property
    def elsewhere(self) -> tuple[Query | WebFile, ...]:
        """The query and the calendars, as far as there are some."""
        return (*((self.query,) if self.query else ()), *self.calendars)


class SettingsError(Exception):
    """A setting in `sources.toml` that cannot be used; `str()` names its line."""


class _BadValueError(Exception):
    """A bad value of a setting; `str()` is the rest of a sentence that begins with its name."""


def read_source_settings(folder: Folder) -> dict[Source, SourceSettings]:
    """The settings of the sources that have some. Raises SettingsError and UnreachableError."""
    for file in folder.files([SETTINGS_FILE]):
        with open_in_place(file) as stream:
            content = stream.read()
        try:
            return parse_source_settings(content.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise SettingsError(f"{SETTINGS_FILE} is not UTF-8 text") from error
    return {}


def parse_source_settings(text: str) -> dict[Source, SourceSettings]:
    """The settings of the sources that have some. Raises SettingsError."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.fullmatch(r"(.*) \(at line (\d+), column \d+\)", str(error))
        place, what = (f", line {found[2]}", found[1]) if found else ("", str(error))
        raise SettingsError(f"{SETTINGS_FILE}{place}: {what}") from error
    settings = {}
    for name, table in tables.items():
        if name not in set(Source):
            known = ", ".join(f"[{source}]" for source in Source)
            line = _line_of(text, name, None)
            raise SettingsError(f"{SETTINGS_FILE}, line {line}: {name} is none of {known}")
        if not isinstance(table, dict):
            line = _line_of(text, name, None)
            raise SettingsError(f"{SETTINGS_FILE}, line {line}: {name} is a table: [{name}]")
        own = _Table(text, Source(name), table)
        settings[Source(name)] = SourceSettings(own.form(), own.query(), own.calendars())
    return settings


@dataclass(frozen=True, slots=True)
class _Table:
    """The settings of one source, with the text that they stand in."""

    text: str
    source: Source
    settings: Mapping[str, Any]

    def form(self) -> FileForm:
        """The form of the files."""
        allowed = _SETTINGS.get(self.source, _ANY_SOURCE)
        for name in self.settings:
            if name not in allowed:
                what = f"[{self.source}] has no setting {name}; it may have "
                raise self._error(name, what + ", ".join(sorted(allowed)))
        zone = self._read("zone", _zone, "")
        active = self._read("active", _words, _NO_WORDS)
        inactive = self._read("inactive", _words, _NO_WORDS)
        for word in set(active) & set(inactive):
            raise self._error("inactive", f"{word!r} is among the words of active, too")
        return FileForm(
            column_names=self._read("columns", self._columns, ()),
            delimiter=self._read("delimiter", _delimiter, ","),
            encoding=self._read("encoding", _encoding, "utf-8"),
            date_format=self._read("date_format", self._date_format, ""),
            zone=zone,
            statuses=(
                *((word, "active") for word in active),
                *((word, "inactive") for word in inactive),
            ),
            weekdays=self._weekdays(),
            is_12_hour=self._read("clock", _clock, 24) == 12,  # noqa: PLR2004
        )

    def query(self) -> Query | None:
        """The query, if there is one."""
        url, query = (self._read(name, _text, "") for name in ("database", "query"))
        if bool(url) != bool(query):
            raise self._error("database" if url else "query", "database and query need each other")
        return Query(f"{self.source}.query", url, query) if query else None

    def calendars(self) -> tuple[WebFile, ...]:
        """The calendars at addresses."""
        urls = self._read("calendar_url", _urls, _NO_WORDS)
        return tuple(
            WebFile(f"{self.source}.url.{number}.ics", url)
            for number, url in enumerate(urls, start=1)
        )

    def _read(self, name: str, read: Callable[[Any], T], default: T) -> T:
        if name not in self.settings:
            return default
        try:
            return read(self.settings[name])
        except _BadValueError as error:
            raise self._error(name, f"{name} {error}") from error

    def _error(self, name: str, what: str) -> SettingsError:
        line = _line_of(self.text, self.source, name)
        return SettingsError(f"{SETTINGS_FILE}, line {line}: {what}")

    def _columns(self, value: object) -> tuple[tuple[str, str], ...]:
        names = {column.name.lower(): column.name for column in columns_of(self.source)}
        names |= {
            alias: column.name for column in columns_of(self.source) for alias in column.aliases
        }
        if not isinstance(value, dict):
            raise _BadValueError('is a table such as { store_id = "Store" }')
        for name, own in value.items():
            if name.lower() not in names:
                known = ", ".join(column.name for column in columns_of(self.source))
                raise _BadValueError(f"names {name}, which is none of {known}")
            if not isinstance(own, str) or not own.strip():
                raise _BadValueError(f"gives {name} no name in quotes")
        return tuple((names[name.lower()], own.strip()) for name, own in value.items())

    def _date_format(self, value: object) -> str:
        if not isinstance(value, str):
            raise _BadValueError('is a text such as "%d/%m/%Y %H:%M:%S"')
        if value in NUMBERS:
            return value
        try:
            date_pattern(value, needs_time=self.source is not Source.SPECIAL_HOURS)
        except DateFormatError as error:
            words = ", ".join(f'"{name}"' for name in NUMBERS)
            raise _BadValueError(
                f'is "{value}": {error}, as in "%d/%m/%Y %H:%M:%S"; or use {words}'
            ) from error
        return value

    def _weekdays(self) -> tuple[tuple[str, str], ...]:
        first = self._read("first_weekday", _day, 0)
        value = self.settings.get("weekdays", "0-6" if "first_weekday" in self.settings else None)
        if value is None:
            return ()
        if isinstance(value, list):
            names = [str(word).strip().lower().rstrip(".") for word in value]
            if len(set(names)) != len(DAYS) or len(value) != len(DAYS):
                raise self._error("weekdays", "weekdays has not seven names, from Monday to Sunday")
            return tuple((word, str(day)) for day, word in enumerate(names))
        if value == "names":
            return DAY_NAMES
        if value not in {"0-6", "1-7"}:
            what = 'weekdays is "0-6", "1-7", "names" or a list of seven names from Monday on'
            raise self._error("weekdays", what)
        lowest = int(value[0])
        return tuple((str(day + lowest), str((day + first) % 7)) for day in range(7))


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _BadValueError("is a text in quotes")
    return value.strip()


def _urls(value: object) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    urls = tuple(each.strip() if isinstance(each, str) else "" for each in values)
    if not urls or not all(url.startswith(("http://", "https://")) for url in urls):
        raise _BadValueError('is an address such as "https://example.com/holidays.ics", or a list')
    return urls


def _delimiter(value: object) -> str:
    if not isinstance(value, str) or len(value) != 1 or not value.isascii() or value in '"\r\n':
        raise _BadValueError('is one character such as ";" or "\\t"')
    return value


def _encoding(value: object) -> str:
    if not isinstance(value, str) or not is_text_encoding(value):
        raise _BadValueError(f'is {value!r}, which is not an encoding such as "utf-16" or "cp1252"')
    return value.lower()


def _zone(value: object) -> str:
    key = zone_keys_by_folded_name().get(str(value).casefold())
    if key is None:
        raise _BadValueError(
            f'is {value!r}, which is not an IANA time zone such as "Europe/Berlin"'
        )
    return key


def _words(value: object) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    words = tuple(str(word).strip().lower() for word in values)
    if not words or not all(words) or any(isinstance(word, dict | list) for word in values):
        raise _BadValueError('is a list of words such as ["online", "1"]')
    return words


def _day(value: object) -> int:
    if str(value).lower() not in DAYS:
        raise _BadValueError(f'is {value!r}, which is not a day such as "Sunday"')
    return DAYS.index(str(value).lower())


def _clock(value: object) -> int:
    if value not in {12, 24}:
        raise _BadValueError("is 12 or 24")
    return int(str(value))


def _line_of(text: str, table: str, setting: str | None) -> int:
    """The number of the line in which a setting, or else its table, stands."""
    name = re.escape(table)
    begin = re.search(rf"^[ \t]*\[[\s\"']*{name}\b|^[ \t]*{name}\b", text, re.MULTILINE)
    at = begin.start() if begin else 0
    if setting is not None:
        word = rf"[\"']?{re.escape(setting)}[\"']?"
        found = re.compile(
            rf"^[ \t]*(?:{name}\.)?{word}[ \t.]*=|^[ \t]*(?:{name}\.)?{word}\.|\[{name}\.{word}\]"
            rf"|[{{,][ \t]*{word}[ \t]*=",
            re.MULTILINE,
        ).search(text, at)
        at = found.start() if found else at
    return text.count("\n", 0, at) + 1
