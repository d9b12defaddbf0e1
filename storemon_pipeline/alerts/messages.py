"""The words in which people are told of an alert. Whom they are sent to is `targets`'."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import assert_never
from urllib.parse import quote

from storemon_pipeline.alerts.conditions import (
    FILE_PREFIX,
    GROUP_PREFIX,
    MANY_SILENT,
    REJECTED_HOURS,
    ZONE_PREFIX,
    Key,
    Kind,
)
from storemon_pipeline.business_time.local_periods import Period
from storemon_pipeline.business_time.zones import zone_of
from storemon_pipeline.domain.counts import counted
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.domain.text_directions import with_visible_directions
from storemon_pipeline.domain.windows import MINUTE_US
from storemon_pipeline.objectives.budgets import Budget
from storemon_pipeline.objectives.precedence import percentage


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
        text = f"{self.name} ({self.store_id})" if self.name else f"store {self.store_id}"
        return _one_line(text)

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
    """How a store's incident ended; `ended_at` is None when it is no longer polled.

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
    return f"{at.astimezone(zone_of(timezone)):%a %d %b %Y %H:%M} ({timezone})"


def amount(amount_us: int) -> str:
    """A length of time in hours and minutes, rounded down to the minute.

    >>> amount(96 * 60_000_000 + 59_999_999), amount(50 * 3_600_000_000), amount(0)
    ('1 h 36 min', '50 h', '0 min')
    """
    hours, minutes = divmod(amount_us // MINUTE_US, 60)
    if hours == 0:
        return f"{minutes} min"
    return f"{hours} h" + (f" {minutes} min" if minutes else "")


def place(subject: str) -> str:
    """The time zone or group that an alert about many stores is about.

    >>> place("group:Bay Area"), place("timezone:Asia/Tokyo")
    ('group Bay Area', 'time zone Asia/Tokyo')
    """
    if subject.startswith(GROUP_PREFIX):
        return _one_line(f"group {subject.removeprefix(GROUP_PREFIX)}")
    return f"time zone {subject.removeprefix(ZONE_PREFIX)}"


def down_opened(store: StoreName, since: datetime, lost_us: int, pages: str | None) -> Message:
    """A store is down."""
    return Message(
        f"Offline: {store}",
        f"{_upper(store)} has been offline since {store.clock(since)}. Opening hours lost so far: "
        f"{amount(lost_us)}.{store.link(pages)}",
    )


def down_closed(store: StoreName, recovery: Recovery | None, pages: str | None) -> Message:
    """A store is down no more, or nobody can tell any longer."""
    if recovery is None:
        return Message(
            f"Correction: {store}",
            f"{_upper(store)} was reported as offline. Newer data says that it was online, or was "
            f"offline for less time.{store.link(pages)}",
        )
    lost = f"Opening hours lost: {amount(recovery.lost_us)}."
    since = store.clock(recovery.began_at)
    if recovery.ended_at is None:
        return Message(
            f"No data any more: {store}",
            f"{_upper(store)} was offline from {since} on. Nothing was received for 8 days. "
            f"{lost}{store.link(pages)}",
        )
    return Message(
        f"Back online: {store}",
        f"{_upper(store)} was offline from {since} to {store.clock(recovery.ended_at)}. "
        f"{lost}{store.link(pages)}",
    )


def taken_back(store: StoreName) -> Message:
    """An alert was about data that is no longer there."""
    return Message(
        f"Correction: {store}",
        f"The data behind the alert about {store} was removed.",
    )


def silent_opened(store: StoreName, since: datetime, silent_us: int, pages: str | None) -> Message:
    """A store is silent."""
    return Message(
        f"No data: {store}",
        f"Nothing was received from {store} since {store.clock(since)}. Opening hours without "
        f"data: {amount(silent_us)}.{store.link(pages)}",
    )


def silent_closed(store: StoreName, polled_at: datetime, pages: str | None) -> Message:
    """A store is silent no more."""
    return Message(
        f"Data again: {store}",
        f"Data from {store} is received again. Last check: {store.clock(polled_at)}."
        f"{store.link(pages)}",
    )


def many_opened(key: Key, at: datetime, stores: int, of_stores: int, pages: str | None) -> Message:
    """Many stores are down, or silent, at once."""
    share = f"{stores} of {of_stores} open stores ({100 * stores // max(of_stores, 1)} %)"
    if key == MANY_SILENT:
        return Message(
            "Data feed late: checks of many stores",
            f"{share} had no check for a long time at {_utc(at)}. Single stores without data get "
            f"no alerts of their own until this is over.{_root(pages)}",
        )
    return Message(
        f"Widespread outage: {place(key.subject)}",
        f"{share} were offline at {_time_of_place(key, at)}. They get no alerts of their own "
        f"until this is over.{_root(pages)}",
    )


def many_closed(key: Key, at: datetime, pages: str | None) -> Message:
    """Most stores are no longer down, or silent, at once."""
    if key == MANY_SILENT:
        return Message(
            "Data feed back: checks of many stores",
            f"Most open stores had new checks at {_utc(at)}.{_root(pages)}",
        )
    return Message(
        f"Widespread outage is over: {place(key.subject)}",
        f"Most open stores were online again at {_time_of_place(key, at)}. Stores that stay "
        f"offline get alerts of their own.{_root(pages)}",
    )


def burn_opened(store: StoreName, budget: Budget, period: Period, pages: str | None) -> Message:
    """A store spends its budget fast."""
    day = budget.burns[0]
    end = (
        f"the {period} ends before it is used up"
        if budget.runs_out_us is None
        else f"it is used up on {store.clock(_instant(budget.runs_out_us))}"
    )
    return Message(
        f"Time offline used fast: {store}",
        f"In the last 24 hours {store} was offline for {amount(day.downtime_us)}, "
        f"{day.rate or 0:.1f} times as long as its objective of {_percent(budget)} per {period} "
        f"allows. {amount(budget.left_us)} are left. At the pace of the last three days "
        f"{end}.{store.link(pages)}",
    )


def burn_closed(store: StoreName, pages: str | None) -> Message:
    """A store spends its budget no faster than its objective allows, or has no objective."""
    return Message(
        f"Time offline no longer used fast: {store}",
        f"Over the last three days {store} was not offline for longer than its objective allows."
        f"{store.link(pages)}",
    )


def exhausted_opened(
    store: StoreName, budget: Budget, period: Period, pages: str | None
) -> Message:
    """A store has spent its budget."""
    since = (
        "" if budget.runs_out_us is None else f" since {store.clock(_instant(budget.runs_out_us))}"
    )
    return Message(
        f"Time offline used up: {store}",
        f"{_upper(store)} has been offline for {amount(budget.spent_us)} of this {period}. Its "
        f"objective of {_percent(budget)} allows {amount(budget.budget_us)}, which are used up"
        f"{since}.{store.link(pages)}",
    )


def exhausted_closed(store: StoreName, pages: str | None) -> Message:
    """A store is within its budget, because the next week or month began or something changed."""
    return Message(
        f"Within its objective again: {store}",
        f"{_upper(store)} has not used up the time offline that its objective allows: a new week "
        f"or month has begun, or its data or objective has changed.{store.link(pages)}",
    )


def source_opened(key: Key, refreshed_at: datetime, now: datetime, pages: str | None) -> Message:
    """A source does not arrive."""
    late_us = (now - refreshed_at) // (now.resolution)
    return Message(
        f"Data feed late: {Source(key.subject).label}",
        f"No {Source(key.subject).label} were received since {_utc(refreshed_at)}, for "
        f"{amount(late_us)}.{_root(pages, 'pages/data')}",
    )


def source_closed(key: Key, now: datetime, pages: str | None) -> Message:
    """A source arrives again."""
    return Message(
        f"Data feed back: {Source(key.subject).label}",
        f"New {Source(key.subject).label} were received by {_utc(now)}."
        f"{_root(pages, 'pages/data')}",
    )


def file_refused(key: Key, since: datetime, reason: str, pages: str | None) -> Message:
    """A file of the data folder cannot be used."""
    name = key.subject.removeprefix(FILE_PREFIX)
    return Message(
        f"File refused: {name}",
        f"{name} cannot be used since {_utc(since)}: {reason}. Its new rows are in no figure until "
        f"it is corrected or removed.{_root(pages, 'pages/data')}",
    )


def hours_rejected(stores: int, pages: str | None) -> Message:
    """All rows of the hours of some stores were rejected."""
    number = counted(stores, "store")
    return Message(
        f"Opening hours rejected: {number}",
        f"No row of the opening hours of {number} can be read. They count as open 24/7 until a row "
        f"is corrected.{_root(pages, 'pages/data')}",
    )


def data_corrected(key: Key, now: datetime, pages: str | None) -> Message:
    """A refused file was corrected or removed, or rejected hours were."""
    if key == REJECTED_HOURS:
        return Message(
            "Opening hours can be read again",
            f"No store counts as open 24/7 because of rejected opening hours at {_utc(now)}."
            f"{_root(pages, 'pages/data')}",
        )
    name = key.subject.removeprefix(FILE_PREFIX)
    return Message(
        f"File no longer refused: {name}",
        f"{name} was corrected or removed by {_utc(now)}.{_root(pages, 'pages/data')}",
    )


def trial(now: datetime, pages: str | None) -> Message:
    """A message that somebody has asked for."""
    return Message(
        "Test of storemon's alerts",
        f"This message was requested on {_utc(now)} with `storemon alerts test`.{_root(pages)}",
    )


def describe(key: Key, store: StoreName | None) -> str:
    """What an alert is about, in a few words."""
    match key.kind:
        case Kind.DOWN | Kind.SILENT | Kind.BURN | Kind.EXHAUSTED:
            return str(store or f"store {key.subject}")
        case Kind.PLATFORM:
            return place(key.subject)
        case Kind.SOURCE:
            return "checks of many stores" if key == MANY_SILENT else Source(key.subject).label
        case Kind.DATA if key == REJECTED_HOURS:
            return "rejected opening hours"
        case Kind.DATA:
            return f"file {key.subject.removeprefix(FILE_PREFIX)}"
        case _:
            assert_never(key.kind)


def _instant(at_us: int) -> datetime:
    return datetime.fromtimestamp(at_us // 1_000_000, UTC)


def _percent(budget: Budget) -> str:
    return f"{percentage(budget.objective_ppm).normalize():f} %"


def _time_of_place(key: Key, at: datetime) -> str:
    if key.subject.startswith(ZONE_PREFIX):
        return local(at, key.subject.removeprefix(ZONE_PREFIX))
    return _utc(at)


def _utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%a %d %b %Y %H:%M} UTC"


def _root(pages: str | None, path: str = "") -> str:
    return f"\n{pages.rstrip('/')}/{path}" if pages else ""


def _one_line(text: str) -> str:
    """The text for titles: names may have line breaks, and change the direction of text."""
    return with_visible_directions(" ".join(text.split()))


def _upper(words: object) -> str:
    """The words as the beginning of a sentence."""
    text = str(words)
    return text[:1].upper() + text[1:]
