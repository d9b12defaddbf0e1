"""The bodies of answers about stores, their history and their incidents, with examples."""

from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from storemon_api.schemas import LocalInstant
from storemon_pipeline.uptime.local_periods import Period
from storemon_pipeline.uptime.standing import Standing
from storemon_pipeline.uptime.windows import Policy, Window

_STORE_ID = "7482936150293847561"
_PERCENT = "Rounded down to two decimals; null where there is nothing to divide by."


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class WindowFigures(_Answer):
    """One window of the newest figures, in microseconds of business time."""

    business_us: int
    uptime_us: int
    downtime_us: int
    lowest_uptime_us: int
    highest_uptime_us: int
    observed_us: int
    uptime_percent: float | None = Field(description=_PERCENT, examples=[99.12])
    observed_percent: float | None = Field(description=_PERCENT, examples=[97.5])


class StoreSummary(_Answer):
    """A store at the newest poll. What is unknown is null."""

    store_id: str = Field(examples=[_STORE_ID])
    name: str | None = Field(examples=["Market Street"])
    group: str | None = Field(examples=["Bay Area"])
    region: str | None = Field(examples=["West"])
    timezone: str = Field(examples=["America/Los_Angeles"])
    has_timezone: bool = Field(description="False: none was loaded, the default zone counts.")
    has_hours: bool = Field(description="False: no hours were loaded, the store is always open.")
    standing: Standing
    last_poll_at: AwareDatetime | None
    down_since: AwareDatetime | None = Field(
        description="When the open incident is estimated to have begun; null without one."
    )
    last_active_poll_at: AwareDatetime | None = Field(
        description="The active poll before the open incident; null when it began before any."
    )
    first_inactive_poll_at: AwareDatetime | None = Field(
        description="The first inactive poll of the open incident."
    )
    lost_us: int = Field(description="Business time that the open incident has cost so far.")
    figures: dict[Window, WindowFigures] | None = Field(
        description="Null for a silent store: no poll in 192 hours."
    )


class StoresPage(_Answer):
    """A page of stores."""

    as_of: AwareDatetime | None = Field(description="The newest poll; null while there is none.")
    total: int = Field(description="Stores that the filters leave, on all pages.")
    offset: int
    limit: int
    next: str | None = Field(description="The address of the next page; null on the last one.")
    stores: list[StoreSummary]


class OpenInterval(_Answer):
    """A weekly open interval; it may end at 24:00, or lie behind midnight of its day."""

    day_of_week: int = Field(description="0 is Monday.")
    start: str = Field(examples=["09:00:00"])
    end: str = Field(examples=["24:00:00"])


class IncidentAnswer(_Answer):
    """A stretch of estimated downtime that cost business time.

    It began between the last active and the first inactive poll, and ended between the last
    inactive and the next active one; a missing side of a bracket is null.
    """

    store_id: str = Field(examples=[_STORE_ID])
    name: str | None
    ending: Literal["open", "ended", "lost sight of"]
    start: AwareDatetime = Field(description="Estimated.")
    end: AwareDatetime = Field(description="Estimated; of an open incident the newest poll.")
    last_active_poll: AwareDatetime | None
    first_inactive_poll: AwareDatetime
    last_inactive_poll: AwareDatetime
    next_active_poll: AwareDatetime | None
    polls: int = Field(description="Inactive polls.")
    lost_us: int = Field(description="Business time lost.")


class IncidentsSummary(_Answer):
    """Incidents in numbers; times are business time."""

    count: int
    open: int
    lost_us: int
    longest_us: int
    mean_to_recovery_us: int | None = Field(
        description="Lost by an incident that ended, on average (MTTR); null without one."
    )


class IncidentsPage(_Answer):
    """A page of incidents: open ones first, then the newest first."""

    as_of: AwareDatetime | None
    total: int
    offset: int
    limit: int
    next: str | None
    summary: IncidentsSummary
    incidents: list[IncidentAnswer]


class StoreAnswer(StoreSummary):
    """A store with its week and its polls in numbers."""

    as_of: AwareDatetime
    hours: list[OpenInterval]
    first_poll_at: AwareDatetime | None
    polls: int
    open_incident: IncidentAnswer | None


class HistoryAmounts(_Answer):
    """Business time and its parts: business = up + down + unknown."""

    business_us: int
    uptime_us: int
    downtime_us: int
    unknown_us: int = Field(description="More than 192 hours from any poll.")
    uncertain_us: int = Field(description="Estimated up or down outside of any status run.")
    lowest_uptime_us: int
    highest_uptime_us: int
    uptime_percent: float | None = Field(
        description=f"Of the time that is up or down. {_PERCENT}", examples=[98.43]
    )


class HistoryRow(HistoryAmounts):
    """One local hour, day, week or month of a store."""

    begin_local: LocalInstant = Field(
        description="Where the period begins on the store's clock.",
        examples=["2023-01-24T00:00:00"],
    )
    start: AwareDatetime
    end: AwareDatetime
    incidents: int | None = Field(
        default=None, description="That cost time on this day; only by day."
    )


class HistoryPage(_Answer):
    """A store's history by local periods; ends with the newest poll."""

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
    periods: list[HistoryRow]


class SegmentKind(StrEnum):
    """What a stretch of a timeline is."""

    UP = "up"
    DOWN = "down"
    UNKNOWN = "unknown"
    CLOSED = "closed"
    CLOSURE = "closure"


class Segment(_Answer):
    """A stretch of a timeline; those of an answer lie end to end."""

    start: AwareDatetime
    end: AwareDatetime
    kind: SegmentKind
    is_certain: bool = Field(description="The status run's own polls lie on both sides.")


class Tick(_Answer):
    """One poll."""

    at: AwareDatetime
    is_active: bool


class OffsetSpan(_Answer):
    """From when on the store's clock is so far from UTC."""

    start: AwareDatetime
    offset_seconds: int


class TimelineAnswer(_Answer):
    """What happened at a store, minute by minute."""

    store_id: str
    timezone: str
    start: AwareDatetime
    end: AwareDatetime
    offsets: list[OffsetSpan]
    segments: list[Segment]
    polls: list[Tick]


class LedgerEntry(_Answer):
    """One interval of a window. What is not business time counts nothing."""

    start: AwareDatetime
    end: AwareDatetime
    kind: SegmentKind
    is_certain: bool
    counted_us: int
    run_first_poll: AwareDatetime | None = Field(description="Of the status run that decides.")
    run_last_poll: AwareDatetime | None
    run_polls: int | None
    reason: str = Field(examples=["between two active polls"])


class LedgerAnswer(_Answer):
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
    entries: list[LedgerEntry]


class ShareOfWindow(_Answer):
    """Summed business time of many stores in one window."""

    stores: int
    business_us: int
    uptime_us: int
    downtime_us: int
    lowest_uptime_us: int
    highest_uptime_us: int
    observed_us: int
    uptime_percent: float | None = Field(description=_PERCENT)
    previous_percent: float | None = Field(
        description="Of the window before; null where polls do not reach back to its beginning."
    )


class Totals(_Answer):
    """Many stores in numbers: sums, never means of percentages."""

    stores: int
    standing: dict[Standing, int]
    open_incidents: int
    lost_us: int = Field(description="By the open incidents, so far.")
    windows: dict[Window, ShareOfWindow]


class GroupTotals(Totals):
    """The stores of a group, region or zone in numbers."""

    name: str | None = Field(description="Null: the stores without one.")


class FleetNow(Totals):
    """The stores that were asked for, at the newest poll."""

    as_of: AwareDatetime | None
    computed_at: AwareDatetime
    groups: list[GroupTotals]
    regions: list[GroupTotals]
    timezones: list[GroupTotals]


class FleetHistoryRow(HistoryAmounts):
    """One period of all stores, or of those of one group."""

    begin_local: LocalInstant = Field(description="On the clock of each store; by hour: in UTC.")
    group: str | None
    stores: int
    incidents: int | None = Field(default=None, description="Not by hour.")


class FleetHistory(_Answer):
    """The fleet's history; sums over stores, each by its own clock."""

    as_of: AwareDatetime | None
    by: Period
    total: int
    offset: int
    limit: int
    next: str | None
    periods: list[FleetHistoryRow]


class SourceStatus(_Answer):
    """One source of data."""

    source: str = Field(examples=["store_status"])
    last_loaded_at: AwareDatetime = Field(description="When its last change was loaded.")
    last_looked_at: AwareDatetime | None = Field(
        description="When its files were last looked at, changed or not; null: only ever pushed."
    )
    last_file: str | None = Field(description="Null: the rows were pushed.")
    loads: int | None = Field(description="Null, as all numbers, for a key of some stores.")
    last_rows_read: int | None
    last_rows_rejected: int | None
    rows_loaded: int | None = Field(description="In all loads.")
    rows_replaced: int | None


class RejectedRowExample(_Answer):
    """A rejected row as it stood in its file."""

    file: str | None
    line: int
    text: str


class RejectedRows(_Answer):
    """Rows of a source that were rejected for one reason and still wait."""

    source: str
    reason: str = Field(examples=["unknown time zone"])
    rows: int
    examples: list[RejectedRowExample]


class StoreNames(_Answer):
    """So many stores, the first of them by name."""

    total: int
    store_ids: list[str]
    names: list[str | None] = Field(description="What they are called, in the same order.")


class ContradictionAnswer(_Answer):
    """Listed hours that the polls contradict."""

    store_id: str
    name: str | None
    timezone: str
    kind: Literal["shifted", "opens later", "closes earlier", "opens earlier", "closes later"] = (
        Field(description="`shifted`: likely a wrong time zone.")
    )
    hours: float = Field(description="By how much; shifted: positive when listed too early.")


class DataHealth(_Answer):
    """Can the figures be believed."""

    as_of: AwareDatetime | None
    refreshed_at: AwareDatetime | None = Field(description="The last refresh that succeeded.")
    dagster_url: str | None = Field(description="Null for a key of some stores.")
    sources: list[SourceStatus]
    rejected: list[RejectedRows]
    stores: int
    silent: StoreNames
    without_hours: StoreNames = Field(description="They count as always open.")
    without_timezone: StoreNames = Field(description="The default zone counts for them.")
    only_rejected_hours: StoreNames = Field(
        description="Without hours because each of their rows was rejected."
    )
    contradictions: list[ContradictionAnswer]
    contradictions_total: int


class ReportTotalsRow(_Answer):
    """The sums of a report's rows of one group or region, or of all."""

    name: str | None = Field(description="Null: those without one, or all without `split`.")
    stores: int = Field(description="With a row in the report.")
    windows: dict[Window, WindowFigures]


class ReportTotalsAnswer(_Answer):
    """What a report's rows sum to."""

    report_id: str
    as_of: AwareDatetime
    policy: Policy
    split: Literal["group", "region"] | None
    totals: list[ReportTotalsRow]


class ReportEntry(_Answer):
    """A report that was asked for."""

    report_id: str
    status: Literal["Running", "Complete", "Failed", "Expired"]
    requested_at: AwareDatetime
    as_of: AwareDatetime | None
    policy: Policy
    stores: int | None
    silent_stores: int | None
    completed_at: AwareDatetime | None
    seconds: float | None = Field(description="From the request to the result.")
    error: str | None


class ReportsPage(_Answer):
    """A page of reports, the newest request first."""

    total: int
    offset: int
    limit: int
    next: str | None
    reports: list[ReportEntry]
