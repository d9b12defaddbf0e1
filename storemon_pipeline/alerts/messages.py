"""The words in which people are told of an alert. Whom they are sent to is `targets`'."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import assert_never
from urllib.parse import quote
from zoneinfo import ZoneInfo

from storemon_pipeline.alerts.conditions import (
    GROUP_PREFIX,
    MANY_SILENT,
    ZONE_PREFIX,
    Key,
    Kind,
)
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.domain.windows import DAY_US, HOUR_US, MINUTE_US


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent; plain text."""

    title: str
    body: str


@dataclass(frozen=True, slots=True)
class StoreName:
    """What a store is called, and the IANA zone whose clock its people read."""

    store_id: str
    name: str | None
    timezone: str

    def __str__(self) -> str:
        return f"{self.name} ({self.store_id})" if self.name else f"store {self.store_id}"

    def clock(self, at: datetime) -> str:
        """The store's wall clock."""
        return local(at, self.timezone)

    def link(self, pages: str | None) -> str:
        """A line with the address of the store's page; nothing without `pages`, their root."""
        if not pages:
            return ""
        encoded = quote(self.store_id, safe="")
        # Clients resolve dot segments, so these two ids go into the query.
        address = f"-?store_id={encoded}" if encoded in {".", ".."} else encoded
        return f"\n{pages.rstrip('/')}/store/{address}"


@dataclass(frozen=True, slots=True)
class Recovery:
    """How a store's incident ended; `ended_at` is None where it was lost sight of.

    None instead of a recovery: by what the polls say now there was no such incident.
    """

    began_at: datetime
    ended_at: datetime | None
    lost_us: int


def local(at: datetime, timezone: str) -> str:
    """An instant on the clock of a zone, with the zone's name.

    >>> local(datetime(2023, 1, 25, 18, 5, tzinfo=UTC), "America/Chicago")
    'Wed 25 Jan 2023 12:05 (America/Chicago)'
    """
    return f"{at.astimezone(ZoneInfo(timezone)):%a %d %b %Y %H:%M} ({timezone})"


def amount(amount_us: int) -> str:
    """An amount of time in words, rounded down to the minute.

    >>> amount(96 * 60_000_000 + 59_999_999), amount(150 * 60_000_000)
    ('96 minutes', '2 h 30 min')
    """
    minutes = amount_us // MINUTE_US
    if amount_us < 2 * HOUR_US:
        return "1 minute" if minutes == 1 else f"{minutes} minutes"
    if amount_us < 2 * DAY_US:
        return f"{minutes // 60} h" + (f" {minutes % 60} min" if minutes % 60 else "")
    return f"{minutes // 1440} days" + (f" {minutes % 1440 // 60} h" if minutes % 1440 > 59 else "")  # noqa: PLR2004


def place(subject: str) -> str:
    """The time zone or group that an alert about many stores is about.

    >>> place("group:Bay Area"), place("timezone:Asia/Tokyo")
    ('group Bay Area', 'time zone Asia/Tokyo')
    """
    if subject.startswith(GROUP_PREFIX):
        return f"group {subject.removeprefix(GROUP_PREFIX)}"
    return f"time zone {subject.removeprefix(ZONE_PREFIX)}"


def down_opened(store: StoreName, since: datetime, lost_us: int, pages: str | None) -> Message:
    """A store is down."""
    return Message(
        f"Down: {store}",
        f"{_upper(store)} has been down since {store.clock(since)}. {_upper(amount(lost_us))} of "
        f"business time are lost so far.{store.link(pages)}",
    )


def down_closed(store: StoreName, recovery: Recovery | None, pages: str | None) -> Message:
    """A store is down no more, or nobody can tell any longer."""
    if recovery is None:
        return Message(
            f"Taken back: {store}",
            f"{_upper(store)} was reported as down. By what the polls say now it was not, or for "
            f"less long.{store.link(pages)}",
        )
    lost = f"{_upper(amount(recovery.lost_us))} of business time were lost."
    since = store.clock(recovery.began_at)
    if recovery.ended_at is None:
        return Message(
            f"Lost sight of: {store}",
            f"{_upper(store)} was down from {since} on and has not been polled for eight days. "
            f"{lost}{store.link(pages)}",
        )
    return Message(
        f"Up again: {store}",
        f"{_upper(store)} was down from {since} to {store.clock(recovery.ended_at)}. "
        f"{lost}{store.link(pages)}",
    )


def silent_opened(store: StoreName, since: datetime, silent_us: int, pages: str | None) -> Message:
    """A store is silent."""
    return Message(
        f"Silent: {store}",
        f"{_upper(store)} has not been polled since {store.clock(since)}, for "
        f"{amount(silent_us)} of business time.{store.link(pages)}",
    )


def silent_closed(store: StoreName, polled_at: datetime, pages: str | None) -> Message:
    """A store is silent no more."""
    return Message(
        f"Polled again: {store}",
        f"{_upper(store)} was silent; its last poll is of {store.clock(polled_at)}."
        f"{store.link(pages)}",
    )


def many_opened(key: Key, at: datetime, stores: int, of_stores: int, pages: str | None) -> Message:
    """Many stores are down, or silent, at once."""
    share = f"{stores} of {of_stores} open stores ({100 * stores // max(of_stores, 1)} %)"
    if key == MANY_SILENT:
        return Message(
            "Polls are missing",
            f"{share} have not been polled for long, as of {_utc(at)}. Silent stores get no "
            f"messages of their own while this lasts.{_root(pages)}",
        )
    return Message(
        f"Many stores down: {place(key.subject)}",
        f"{share} are down at once, as of {_time_of_place(key, at)}. They get no messages of their "
        f"own while this lasts.{_root(pages)}",
    )


def many_closed(key: Key, at: datetime, pages: str | None) -> Message:
    """Not so many stores are down, or silent, at once any more."""
    if key == MANY_SILENT:
        return Message(
            "Polls arrive again",
            f"As of {_utc(at)} most open stores are polled again.{_root(pages)}",
        )
    return Message(
        f"Over: many stores down in {place(key.subject)}",
        f"As of {_time_of_place(key, at)} most open stores are up again. Stores that stay down get "
        f"messages of their own.{_root(pages)}",
    )


def source_opened(key: Key, refreshed_at: datetime, now: datetime, pages: str | None) -> Message:
    """A source does not arrive."""
    late_us = (now - refreshed_at) // (now.resolution)
    return Message(
        f"Not refreshed: {Source(key.subject).label}",
        f"Nothing has come of the source {Source(key.subject).label} since {_utc(refreshed_at)}, "
        f"for {amount(late_us)}.{_root(pages, 'pages/data')}",
    )


def source_closed(key: Key, now: datetime, pages: str | None) -> Message:
    """A source arrives again."""
    return Message(
        f"Refreshed again: {Source(key.subject).label}",
        f"As of {_utc(now)} the source {Source(key.subject).label} arrives again."
        f"{_root(pages, 'pages/data')}",
    )


def trial(now: datetime, pages: str | None) -> Message:
    """A message that somebody has asked for."""
    return Message(
        "Test of storemon's alerts",
        f"This message was asked for on {_utc(now)} with `storemon alerts test`.{_root(pages)}",
    )


def describe(key: Key, store: StoreName | None) -> str:
    """What an alert is about, in a few words."""
    match key.kind:
        case Kind.DOWN | Kind.SILENT:
            return str(store or f"store {key.subject}")
        case Kind.PLATFORM:
            return place(key.subject)
        case Kind.SOURCE:
            return "polls of many stores" if key == MANY_SILENT else Source(key.subject).label
        case _:
            assert_never(key.kind)


def _time_of_place(key: Key, at: datetime) -> str:
    if key.subject.startswith(ZONE_PREFIX):
        return local(at, key.subject.removeprefix(ZONE_PREFIX))
    return _utc(at)


def _utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%a %d %b %Y %H:%M} UTC"


def _root(pages: str | None, path: str = "") -> str:
    return f"\n{pages.rstrip('/')}/{path}" if pages else ""


def _upper(words: object) -> str:
    """The words as the beginning of a sentence."""
    text = str(words)
    return text[:1].upper() + text[1:]
