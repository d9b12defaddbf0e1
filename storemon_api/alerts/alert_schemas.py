"""The bodies of answers about alerts, with examples."""

from typing import Literal

from pydantic import AwareDatetime, Field

from storemon_api.http.schemas import ResponseBody
from storemon_pipeline.alerts.conditions import Kind


class DeliveryResponse(ResponseBody):
    """A message about an alert to one address."""

    change: Literal["opened", "closed"] = Field(description="What it tells of.")
    target: str = Field(
        description="The service, and its host where that is no secret; never the address.",
        examples=["json://hooks.example.com"],
    )
    title: str = Field(examples=["Down: Market Street (7482936150293847561)"])
    state: Literal["waiting", "sending", "sent", "failed"]
    is_held: bool = Field(description="It waits for the store's business time.")
    tries: int
    next_try_at: AwareDatetime | None = Field(description="Null unless it waits.")
    sent_at: AwareDatetime | None
    error: str | None = Field(
        description="Of the last try.",
        examples=["Failed to send JSON POST notification: error=503."],
    )


class AlertResponse(ResponseBody):
    """Something that was wrong, from when to when."""

    alert_id: int
    kind: Kind
    state: Literal["open", "closed"]
    subject: str = Field(
        description=(
            "The id of a store (`down`, `silent`); `timezone:…` or `group:…` (`platform`); the "
            "name of a source, or `silent_stores` (`source`)."
        ),
        examples=["7482936150293847561"],
    )
    store_id: str | None = Field(
        description="Null unless it is about one store.", examples=["7482936150293847561"]
    )
    name: str | None = Field(description="Of the store.", examples=["Market Street"])
    what: str = Field(
        description="What it is about, in words.", examples=["Market Street (7482936150293847561)"]
    )
    since: AwareDatetime = Field(
        description=(
            "When that began which it tells of: the estimated start of the incident, the last "
            "poll, the last look at the source."
        )
    )
    opened_at: AwareDatetime = Field(
        description="The newest poll when it was opened; of a source the clock."
    )
    closed_at: AwareDatetime | None = Field(description="As `opened_at`; null while it is open.")
    ending: str | None = Field(description="Null while it is open.", examples=["up again"])
    lost_us: int = Field(
        description="Business time that the store was down, or not polled, so far; microseconds."
    )
    stores: int | None = Field(description="Stores that are down, or silent, at once.")
    of_stores: int | None = Field(description="Of so many open ones.")
    is_told: bool = Field(description="False: recorded without any message.")
    deliveries: list[DeliveryResponse] = Field(
        description="The messages about it. Not told to keys of some stores."
    )


class AlertsPage(ResponseBody):
    """A page of alerts: open ones first, then the newest first."""

    total: int = Field(description="Alerts that the filters leave, on all pages.")
    offset: int
    limit: int
    next: str | None = Field(description="The address of the next page; null on the last one.")
    open: dict[Kind, int] | None = Field(
        description="Open alerts of each kind, whatever the filters. Null for keys of some stores."
    )
    alerts: list[AlertResponse]
