"""Response models about stores, their history and incidents."""

from datetime import date as Date  # noqa: N812  (a field is called date)
from enum import StrEnum
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, create_model

from storemon_api.http.schemas import LocalInstant, ResponseBody
from storemon_api.sales.sales_schemas import Sales, SalesLost
from storemon_pipeline.business_time.local_periods import Period
from storemon_pipeline.corrections.correction_table import Kind
from storemon_pipeline.domain.amounts import AMOUNTS, WITH_PERCENT
from storemon_pipeline.domain.channels import ChannelRule
from storemon_pipeline.domain.windows import Policy, Window
from storemon_pipeline.likelihood.verdict import Verdict
from storemon_pipeline.uptime.store_state import StoreState
from storemon_pipeline.views.compared_incidents import PeerKind

_STORE_ID = "7482936150293847561"
PERCENT = "Rounded down to two decimals; null when the divisor is zero."


def with_amounts(base: type[ResponseBody]) -> type[ResponseBody]:
    """Return `base` with more fields: one for each amount of a report.

    An amount is null where it is unknown: in older reports, and in sums of what has no sum.
    """
    fields: dict[str, Any] = {}
    for amount in AMOUNTS:
        if amount.is_additive and not amount.is_optional:
            fields[amount.field] = (int, Field(description=amount.description))
        else:
            fields[amount.field] = (int | None, Field(default=None, description=amount.description))
    return create_model(f"{base.__name__}WithAmounts", __base__=base, **fields)


def with_percents(base: type[ResponseBody]) -> type[ResponseBody]:
    """Return `base` with more fields: the percentage of each amount that has one."""
    fields: dict[str, Any] = {
        amount.percent_field: (float | None, Field(description=PERCENT, examples=[99.12]))
        for amount in WITH_PERCENT
    }
    return create_model(f"{base.__name__}WithPercents", __base__=base, **fields)


VERDICT = (
    "Only with `objective`: whether all of the likely range lies at or above it (met), or below it "
    "(missed)."
)


class WindowFigures(with_percents(with_amounts(ResponseBody))):  # type: ignore[misc] # by the list
    """Figures of one window, in microseconds of business time."""

    verdict: Verdict | None = Field(default=None, description=VERDICT)


class StoreSummary(ResponseBody):
    """A store at the newest poll. Unknown values are null."""

    store_id: str = Field(examples=[_STORE_ID])
    name: str | None = Field(examples=["Market Street"])
    group: str | None = Field(examples=["Bay Area"])
    region: str | None = Field(examples=["West"])
    timezone: str = Field(examples=["America/Los_Angeles"])
    has_timezone: bool = Field(
        description="False: no time zone was loaded; the default zone applies."
    )
    has_hours: bool = Field(
        description="False: no hours were loaded; the store counts as always open."
    )
    hours_rejected: bool = Field(
        description="True: it has no hours because all their rows were rejected."
    )
    standing: StoreState
    channels_down: list[str] = Field(
        description="Channels of its storefronts that are down, whatever the store is; ids of "
        "those without a channel.",
        examples=[[]],
    )
    last_poll_at: AwareDatetime | None
    down_since: AwareDatetime | None = Field(
        description="Estimated start of the open incident; null without one."
    )
    last_active_poll_at: AwareDatetime | None = Field(
        description="The last active poll before the open incident; null without one, and where "
        "an event says when it began."
    )
    first_inactive_poll_at: AwareDatetime | None = Field(
        description="The first inactive poll of the open incident; null where an event says when "
        "it began."
    )
    lost_us: int = Field(description="Business time lost in the open incident so far.")
    sales_lost: SalesLost | None = Field(
        default=None,
        description="Sales lost in the open incident so far; null without one or without demand.",
    )
    sales: dict[Window, Sales] | None = Field(
        default=None, description="Null for a silent store, and for one without demand."
    )
    figures: dict[Window, WindowFigures] | None = Field(
        description="Null for a silent store (no poll in 192 hours)."
    )
    likely_flags: list[str] = Field(
        description="Why the likely ranges are not to be trusted; empty if nothing speaks against.",
        examples=[["switched_off"]],
    )


class StoresPage(ResponseBody):
    """A page of stores."""

    as_of: AwareDatetime | None = Field(description="The newest poll; null while there is none.")
    total: int = Field(description="Stores that match the filters, on all pages.")
    offset: int
    limit: int
    next: str | None = Field(description="Path of the next page; null on the last page.")
    stores: list[StoreSummary]


class OpenInterval(ResponseBody):
    """A weekly opening interval, less than a day long or a whole day from 00:00 to 24:00.

    It may end after midnight of its day: 26:00 is 02:00 of the next day.
    """

    day_of_week: int = Field(description="0 is Monday.")
    start: str = Field(examples=["09:00:00"])
    end: str = Field(description="Up to 48:00:00.", examples=["24:00:00"])


class OpenTime(BaseModel):
    """An interval of a date on the store's clock."""

    model_config = ConfigDict(extra="forbid")

    start_time_local: str = Field(description="Before 24:00.", examples=["09:00:00"])
    end_time_local: str = Field(
        description="Up to 48:00: 26:00 is 02:00 of the next day.", examples=["14:00:00"]
    )


class SpecialHoursResponse(ResponseBody):
    """The hours of a date that are in force; without any the store is closed."""

    date: Date = Field(examples=["2026-12-24"])
    hours: list[OpenTime]
    loaded_at: AwareDatetime = Field(examples=["2026-12-01T08:00:00Z"])
    is_pushed: bool = Field(description="Whether they were sent by a request.")


class PeersResponse(ResponseBody):
    """The other stores of one set during an incident; usual numbers are of as many stores.

    Of the kind `channel`, these are other storefronts with the same channel as one of the store's
    that was down; without storefronts there is none of this kind.
    """

    kind: PeerKind
    name: str
    stores: int = Field(
        description="Other stores that were open at one moment: when most were down, in the "
        "incident's first hour."
    )
    down: int = Field(description="How many of them were down.")
    usually_down: float
    stores_at_start: int = Field(
        description="Other stores that were open around the incident's start, and not down "
        "all the time."
    )
    went_down: int = Field(description="How many of them went down within an hour of it.")
    usually_went_down: float
    widespread_outage_until: AwareDatetime | None = Field(
        description="When the widespread outage of this set ended; null if there was none."
    )


class EventSaid(ResponseBody):
    """Source and reason of an event; either may be empty."""

    source: str = Field(examples=["platform"])
    reason: str = Field(examples=["tablet offline"])


class IncidentReason(EventSaid):
    """A part of an incident that an event covers."""

    start: AwareDatetime
    end: AwareDatetime
    lost_us: int = Field(description="Business time lost in this part.")


class ReasonTotal(EventSaid):
    """Business time that incidents lost for one reason."""

    incidents: int
    lost_us: int


class IncidentResponse(ResponseBody):
    """A period of estimated downtime that includes business time.

    It began between the last active and the first inactive poll, and ended between the last
    inactive and the next active one. A missing poll is null, as is one in whose place an event
    says when the status changed; then `start` or `end` is exact.
    """

    store_id: str = Field(examples=[_STORE_ID])
    name: str | None
    ending: Literal["open", "ended", "no longer polled"]
    start: AwareDatetime = Field(description="Estimated.")
    end: AwareDatetime = Field(description="Estimated; for an open incident the newest poll.")
    last_active_poll: AwareDatetime | None
    first_inactive_poll: AwareDatetime | None
    last_inactive_poll: AwareDatetime | None
    next_active_poll: AwareDatetime | None
    polls: int = Field(description="Number of inactive polls.")
    lost_us: int = Field(description="Business time lost.")
    reasons: list[IncidentReason] = Field(
        default=[], description="What events say of it, in order of time; empty without events."
    )
    sales: SalesLost | None = Field(
        default=None, description="Sales lost; null for a store without demand."
    )
    mark: Literal["alone", "with others"] | None = Field(
        description="Whether many other stores of its group, region or time zone, or storefronts "
        "of its channels, went down together with it. Null if it was not compared: no active poll "
        "came before it, or it began more than 28 days before the newest poll."
    )
    with_others_us: int | None = Field(
        description="The part of `lost_us` in which a widespread outage lasted; null as above."
    )
    peers: list[PeersResponse] = Field(description="Empty if it was not compared.")


class IncidentsSummary(ResponseBody):
    """Counts and sums of incidents; durations are business time."""

    count: int
    open: int
    lost_us: int
    longest_us: int
    mean_to_recovery_us: int | None = Field(
        description="Mean business time lost per ended incident (MTTR); null without one."
    )
    compared_us: int = Field(
        description="Business time lost in incidents that were compared with other stores."
    )
    with_others_us: int = Field(description="The part of `compared_us` lost in widespread outages.")
    sales_lost: list[SalesLost] = Field(
        default=[], description="Sales lost in each currency; empty without demand."
    )
    reasons: list[ReasonTotal] = Field(
        default=[],
        description="The parts of `lost_us` that events cover, by source and reason, the largest "
        "first; empty without events.",
    )


class IncidentsPage(ResponseBody):
    """A page of incidents: open ones first, then the newest first."""

    as_of: AwareDatetime | None
    total: int
    offset: int
    limit: int
    next: str | None
    summary: IncidentsSummary
    incidents: list[IncidentResponse]


class StorefrontResponse(ResponseBody):
    """A storefront of a store at the newest poll of all stores."""

    channel: str = Field(
        description="Empty for polls of the store's own id, if no row of channels names it.",
        examples=["uber"],
    )
    channel_store_id: str = Field(examples=["uber-1182"])
    standing: StoreState
    last_poll_at: AwareDatetime | None
    figures: dict[Window, WindowFigures] | None = Field(
        description="Null for a silent storefront (no poll in 192 hours). Without likely ranges."
    )


class StoreResponse(StoreSummary):
    """A store with its weekly hours and number of polls."""

    as_of: AwareDatetime
    hours: list[OpenInterval]
    special_hours: list[SpecialHoursResponse] = Field(
        description="From a week before `as_of` to 60 days after it."
    )
    first_poll_at: AwareDatetime | None
    polls: int
    channel_rule: ChannelRule | None = Field(
        description="When the store is up; null for a store without channels."
    )
    channels: list[StorefrontResponse] = Field(
        description="Its storefronts; empty for a store without channels."
    )
    objectives: dict[Literal["week", "month"], float] = Field(
        description="The stored objectives that hold for the store in this week and month.",
        examples=[{"month": 98.5}],
    )
    open_incident: IncidentResponse | None


class HistoryAmounts(ResponseBody):
    """Business time and its parts: business = up + down + unknown."""

    business_us: int
    uptime_us: int
    downtime_us: int
    unknown_us: int = Field(
        description="Business time before the first poll, or more than 192 hours from any poll."
    )
    uncertain_us: int = Field(
        description="Business time between status runs, where up or down is an estimate."
    )
    lowest_uptime_us: int
    highest_uptime_us: int
    likely_lowest_uptime_us: int | None = Field(
        default=None, description="Lower end of the likely range; null where it is unknown."
    )
    likely_highest_uptime_us: int | None = Field(
        default=None, description="Upper end of the likely range."
    )
    uptime_percent: float | None = Field(
        description=f"Uptime as a share of uptime plus downtime. {PERCENT}", examples=[98.43]
    )


class HistoryRow(HistoryAmounts):
    """One local hour, day, week or month of a store."""

    begin_local: LocalInstant = Field(
        description="Start of the period on the store's clock.",
        examples=["2023-01-24T00:00:00"],
    )
    start: AwareDatetime
    end: AwareDatetime
    incidents: int | None = Field(
        default=None, description="Incidents that lost business time on this day; only by day."
    )
    sales: Sales | None = Field(default=None, description="Null without demand.")


class HistoryPage(ResponseBody):
    """A store's history by local periods, up to the newest poll."""

    store_id: str
    timezone: str
    by: Period
    start: AwareDatetime
    end: AwareDatetime
    total: int
    offset: int
    limit: int
    next: str | None
    sum: HistoryAmounts
    sales: Sales | None = Field(
        default=None, description="Sales of all periods; null without demand."
    )
    periods: list[HistoryRow]


class SegmentKind(StrEnum):
    """State of the store in a segment of the timeline."""

    UP = "up"
    DOWN = "down"
    UNKNOWN = "unknown"
    CLOSED = "closed"
    CLOSURE = "closure"


class Segment(ResponseBody):
    """A segment of a timeline. Segments are contiguous."""

    start: AwareDatetime
    end: AwareDatetime
    kind: SegmentKind
    is_certain: bool = Field(
        description="True between two polls of the same status run, and where an event covers it."
    )
    event: EventSaid | None = Field(
        default=None, description="The event that covers it; null without one."
    )


class TimelinePoll(ResponseBody):
    """One poll."""

    at: AwareDatetime
    is_active: bool


class OffsetSpan(ResponseBody):
    """The store's offset from UTC from this instant on."""

    start: AwareDatetime
    offset_seconds: int


class TimelineResponse(ResponseBody):
    """A store's segments and polls in a period."""

    store_id: str
    timezone: str
    start: AwareDatetime
    end: AwareDatetime
    offsets: list[OffsetSpan]
    segments: list[Segment]
    polls: list[TimelinePoll]


class LedgerEntry(ResponseBody):
    """One interval of a window. Only business time is counted."""

    start: AwareDatetime
    end: AwareDatetime
    kind: SegmentKind
    is_certain: bool
    counted_us: int
    storefronts: int = Field(
        description="More than 1 where the interval counts by the share of storefronts up.",
        examples=[1],
    )
    storefronts_up: int = Field(description="How many of them are up.", examples=[1])
    run_first_poll: AwareDatetime | None = Field(
        description="First poll of the status run that decides the state."
    )
    run_last_poll: AwareDatetime | None
    run_polls: int | None
    reason: str = Field(examples=["between online checks"])


class CorrectionResponse(ResponseBody):
    """A correction in force: time that counts otherwise than polls, events and hours say."""

    correction_id: int = Field(examples=[12])
    store_id: str = Field(examples=[_STORE_ID])
    from_utc: AwareDatetime = Field(examples=["2023-01-25T17:40:00Z"])
    to_utc: AwareDatetime = Field(examples=["2023-01-25T18:05:00Z"])
    kind: Kind
    reason: str = Field(examples=["power cut in the street, ticket 4711"])
    author: str | None = Field(
        description="Name of the key or account; null without either.", examples=["operations"]
    )
    recorded_at: AwareDatetime = Field(examples=["2023-02-01T08:00:00Z"])


class LedgerResponse(ResponseBody):
    """The intervals that sum to a report's figure, to the microsecond."""

    store_id: str
    timezone: str
    as_of: AwareDatetime
    policy: Policy
    window: Window
    start: AwareDatetime
    business_us: int
    uptime_us: int
    downtime_us: int
    lowest_uptime_us: int
    highest_uptime_us: int
    likely_lowest_uptime_us: int | None = Field(
        description="Lower end of the likely range; null without a status model."
    )
    likely_highest_uptime_us: int | None
    likely_flags: list[str] = Field(description="Why the likely range is not to be trusted.")
    status_model: int | None = Field(
        description="Version of the status model that the likely range comes from."
    )
    entries: list[LedgerEntry]
    corrections: list[CorrectionResponse] = Field(
        description="The corrections in the window; the figures follow them."
    )
