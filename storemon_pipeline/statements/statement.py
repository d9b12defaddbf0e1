"""What a statement says: plain values that can be written as JSON and read again. No I/O."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

from storemon_pipeline.corrections.correction_table import Kind
from storemon_pipeline.likelihood.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Scope:
    """The stores of a statement: one store, a group, a region, or all with None everywhere."""

    store_id: str | None = None
    group: str | None = None
    region: str | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """Amounts of a store or of all stores of a statement, in whole microseconds.

    `opening_us == up_us + down_us + unknown_us`. The likely range is that of the uptime while the
    status was known; None without a status model, and for a store that was not polled for days.
    `compared_us` is the downtime in incidents that were compared with those of other stores, and
    `with_others_us` the part of it in widespread outages. `sales_lost` is an amount for
    each currency, such as `30.00 EUR, 350.00 USD`; None without demand.
    """

    opening_us: int
    up_us: int
    down_us: int
    unknown_us: int
    uptime_percent: float | None
    likely_lowest_us: int | None
    likely_highest_us: int | None
    objective_percent: float | None
    verdict: Verdict | None
    incidents: int
    compared_us: int
    with_others_us: int
    sales_lost: str | None = None


@dataclass(frozen=True, slots=True)
class StoreLine:
    """One store; `[start, end)` is its period up to the newest poll."""

    store_id: str
    name: str | None
    group: str | None
    region: str | None
    timezone: str
    start: datetime
    end: datetime
    summary: Summary


@dataclass(frozen=True, slots=True)
class StatementReason:
    """A reason that events or corrections give for an outage, and the opening time that it cost.

    The source of a correction is `correction`; reason and source may be empty.
    """

    source: str
    reason: str
    lost_us: int


@dataclass(frozen=True, slots=True)
class ReasonTotal(StatementReason):
    """A reason with the number of outages that have it, and the opening time over all of them."""

    incidents: int


@dataclass(frozen=True, slots=True)
class StatementIncident:
    """An incident; `lost_us` is the opening time that it cost inside of the period.

    Times without a zone are those of the store's clock. `mark` is None when the incident was not
    compared with those of other stores; `widespread_outages` are the sets with whose stores or
    storefronts it went down together. `reasons` are about parts of `lost_us`.
    """

    store_id: str
    start: datetime
    end: datetime
    start_local: datetime
    end_local: datetime
    is_open: bool
    lost_us: int
    mark: Literal["alone", "with others"] | None
    sales_lost: str | None = None
    reasons: list[StatementReason] = field(default_factory=list)
    widespread_outages: str = ""


@dataclass(frozen=True, slots=True)
class StatementClosure:
    """A closure that touches the period; `store_id` `*` means every store."""

    store_id: str
    start_local: datetime
    end_local: datetime | None
    reason: str


@dataclass(frozen=True, slots=True)
class StatementSpecialHours:
    """The hours of a store on one date in place of its weekly ones, in words."""

    store_id: str
    local_date: date
    hours: str


@dataclass(frozen=True, slots=True)
class StatementCorrection:
    """A correction that touches the period: what its time counts as, why, and who entered it.

    Times without a zone are those of the store's clock.
    """

    store_id: str
    start: datetime
    end: datetime
    start_local: datetime
    end_local: datetime
    kind: Kind
    reason: str
    author: str | None


@dataclass(frozen=True, slots=True)
class Statement:
    """What is known of some stores in the local dates `[begin, end)`.

    `total` holds the sums over `stores`; a store's downtime is the sum over its `incidents`.
    """

    scope: Scope
    period: str
    begin: date
    end: date
    as_of: datetime
    is_complete: bool
    total: Summary
    stores: list[StoreLine]
    incidents: list[StatementIncident]
    closures: list[StatementClosure]
    corrections: list[StatementCorrection] = field(default_factory=list)
    """Empty in statements that were sent by versions without corrections."""
    reasons: list[ReasonTotal] | None = None
    """The sums over the incidents by reason, the largest first; None in statements that were sent
    by versions without reasons."""
    special_hours: list[StatementSpecialHours] = field(default_factory=list)
    """By date; empty in statements that were sent by versions without them."""
