"""Response models about alerts."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from storemon_api.http.schemas import Instant, ResponseBody
from storemon_pipeline.alerts.alert_lists import Action
from storemon_pipeline.alerts.conditions import Kind


class DeliveryResponse(ResponseBody):
    """A notification about an alert to one target."""

    change: Literal["opened", "closed"] = Field(description="The change that it reports.")
    target: str = Field(
        description="The service, and its host where that is not secret; never the full URL.",
        examples=["json://hooks.example.com"],
    )
    title: str = Field(examples=["Offline: Market Street (7482936150293847561)"])
    state: Literal["waiting", "sending", "sent", "failed"]
    is_held: bool = Field(description="Held back until the store's business time.")
    tries: int
    next_try_at: AwareDatetime | None = Field(description="Null unless it is waiting.")
    sent_at: AwareDatetime | None
    error: str | None = Field(
        description="Error of the last try.",
        examples=["Failed to send JSON POST notification: error=503."],
    )


class AlertActionBody(BaseModel):
    """What to do about an alert."""

    model_config = ConfigDict(extra="forbid")

    action: Action
    until: Instant | None = Field(
        default=None,
        description="End of the silence; only with `silence`.",
        examples=["2023-01-26T08:00:00Z"],
    )
    note: str = Field(default="", max_length=2_000, examples=["The line is being repaired."])


class AlertActionResponse(ResponseBody):
    """What somebody did about an alert."""

    action: Action
    note: str
    until: AwareDatetime | None = Field(description="End of the silence; null otherwise.")
    by: str | None = Field(description="Name of the key; null without a key.")
    at: AwareDatetime


class AlertResponse(ResponseBody):
    """An alert with its start and end."""

    alert_id: int
    kind: Kind
    state: Literal["open", "closed"]
    subject: str = Field(
        description=(
            "The id of a store (`down`, `silent`); `timezone:…` or `group:…` (`platform`); the "
            "name of a source, or `silent_stores` (`source`); `file:…` or "
            "`rejected_hours` (`data`)."
        ),
        examples=["7482936150293847561"],
    )
    store_id: str | None = Field(
        description="Null unless the alert is about one store.", examples=["7482936150293847561"]
    )
    name: str | None = Field(description="Name of the store.", examples=["Market Street"])
    timezone: str | None = Field(
        description="Zone of the store; null unless the alert is about one store.",
        examples=["America/Los_Angeles"],
    )
    what: str = Field(
        description="Subject of the alert in words.",
        examples=["Market Street (7482936150293847561)"],
    )
    since: AwareDatetime = Field(
        description=(
            "When the condition began: the estimated start of the incident, the last poll, the "
            "last check of the source, or the first refusal of the file."
        )
    )
    opened_at: AwareDatetime = Field(
        description="The newest poll when it opened; for a source or file, the server's time."
    )
    closed_at: AwareDatetime | None = Field(
        description="Like `opened_at`; null while the alert is open."
    )
    ending: str | None = Field(description="Null while the alert is open.", examples=["up again"])
    lost_us: int = Field(description="Business time down or without polls so far, in microseconds.")
    stores: int | None = Field(description="Number of stores down or silent at the same time.")
    of_stores: int | None = Field(description="Number of open stores that `stores` is a part of.")
    is_told: bool = Field(description="False: recorded without any notification.")
    acknowledged_at: AwareDatetime | None = Field(description="Null: nobody has acknowledged it.")
    silenced_until: AwareDatetime | None = Field(
        description="No message is sent before; null unless it is silenced now."
    )
    actions: list[AlertActionResponse] = Field(description="What was done about it, oldest first.")
    deliveries: list[DeliveryResponse] = Field(
        description="Notifications. Empty for keys that are limited to some stores."
    )


class AlertsPage(ResponseBody):
    """A page of alerts: open ones first, then the newest first."""

    total: int = Field(description="Alerts that match the filters, on all pages.")
    offset: int
    limit: int
    next: str | None = Field(description="Path of the next page; null on the last page.")
    open: dict[Kind, int] | None = Field(
        description="Open alerts by kind, ignoring filters. Null for keys limited to some stores."
    )
    alerts: list[AlertResponse]
