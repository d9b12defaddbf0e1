"""Request and response models about schedules and deliveries of statements."""

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    WithJsonSchema,
)

from storemon_api.http.schemas import ResponseBody
from storemon_api.stores.store_filters import Percentage
from storemon_pipeline.domain.windows import DEFAULT_ZONE
from storemon_pipeline.sent_statements.delivery_table import (
    ADDRESS,
    LONGEST_ADDRESS,
    MOST_ADDRESSES,
    Delivery,
    FileFormat,
    Schedule,
    is_address,
)
from storemon_pipeline.sent_statements.schedule import Every, next_due


def _addresses(value: object) -> list[str]:
    """Return one address or several as a list, without repeated ones."""
    given = value if isinstance(value, list) else [value]
    for text in given:
        if not isinstance(text, str) or not is_address(text):
            raise ValueError(f"{text} is not an email address.")
    texts = list(dict.fromkeys(given))
    if not 0 < len(texts) <= MOST_ADDRESSES:
        raise ValueError(f"Give 1 to {MOST_ADDRESSES} email addresses.")
    return texts


_ADDRESS_SCHEMA: Final = {"type": "string", "pattern": ADDRESS, "maxLength": LONGEST_ADDRESS}
Addresses = Annotated[
    list[str],
    PlainValidator(_addresses),
    WithJsonSchema(
        {
            "description": "An email address, or several. Each gets a mail of its own.",
            "anyOf": [
                _ADDRESS_SCHEMA,
                {
                    "type": "array",
                    "items": _ADDRESS_SCHEMA,
                    "minItems": 1,
                    "maxItems": MOST_ADDRESSES,
                },
            ],
            "examples": [["owner@example.com", "office@example.com"]],
        }
    ),
]


class ScheduleBody(BaseModel):
    """A statement to send every week or month."""

    model_config = ConfigDict(extra="forbid")

    store_id: str | None = None
    group: str | None = None
    region: str | None = None
    objective: Percentage | None = None
    every: Every = Field(
        description="A weekday: the statement of the last whole week. `month`: on the first day of "
        "each month, that of the month before."
    )
    at: str = Field(
        default="08:00", pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", description="Local time."
    )
    timezone: str = Field(default=DEFAULT_ZONE, description="The zone of `at`: an IANA key.")
    to: Addresses
    format: FileFormat = FileFormat.PDF


class ScheduleResponse(ResponseBody):
    """An active schedule."""

    schedule_id: int = Field(examples=[3])
    store_id: str | None
    group: str | None
    region: str | None
    objective_percent: float | None
    every: Every
    at: str = Field(examples=["08:00"])
    timezone: str
    to: list[str] = Field(examples=[["owner@example.com"]])
    format: FileFormat
    next_due_at: AwareDatetime
    created_at: AwareDatetime
    created_by: str | None = Field(description="Name of the key.")


class SchedulesResponse(ResponseBody):
    """All active schedules, by id."""

    schedules: list[ScheduleResponse]


class DeliveryResponse(ResponseBody):
    """A statement by mail."""

    delivery_id: int
    schedule_id: int | None = Field(description="Null: somebody sent it.")
    statement_id: int | None = Field(description="Null: its figures are not kept yet.")
    store_id: str | None
    group: str | None
    region: str | None
    period: str
    to: str
    format: FileFormat
    due_at: AwareDatetime
    state: Literal["waiting", "sending", "sent", "failed"]
    tries: int
    next_try_at: AwareDatetime | None = Field(description="Null unless it waits.")
    is_repeated: bool = Field(
        description="Whether a try was interrupted, so that the mail may arrive twice."
    )
    sent_at: AwareDatetime | None
    error: str | None = Field(description="Of the last try.")


class DeliveriesResponse(ResponseBody):
    """A page of deliveries, the newest first."""

    deliveries: list[DeliveryResponse]
    next_offset: int | None = Field(description="Null on the last page.")


def schedule_response(schedule: Schedule, now: datetime) -> ScheduleResponse:
    """Return a schedule as a body."""
    request, timetable = schedule.new.request, schedule.new.timetable
    objective = request.objective_percent
    return ScheduleResponse(
        schedule_id=schedule.schedule_id,
        store_id=request.scope.store_id,
        group=request.scope.group,
        region=request.scope.region,
        objective_percent=None if objective is None else float(objective),
        every=timetable.every,
        at=f"{timetable.at:%H:%M}",
        timezone=timetable.timezone,
        to=list(schedule.new.addresses),
        format=schedule.new.file_format,
        next_due_at=next_due(timetable, now),
        created_at=schedule.created_at,
        created_by=schedule.new.created_by,
    )


def delivery_response(delivery: Delivery) -> DeliveryResponse:
    """Return a delivery as a body."""
    scope = delivery.request.scope
    return DeliveryResponse.model_validate(
        {
            "delivery_id": delivery.delivery_id,
            "schedule_id": delivery.schedule_id,
            "statement_id": delivery.statement_id,
            "store_id": scope.store_id,
            "group": scope.group,
            "region": scope.region,
            "period": delivery.request.period,
            "to": delivery.target.address,
            "format": delivery.target.file_format,
            "due_at": delivery.due_at,
            "state": delivery.state,
            "tries": delivery.tries,
            "next_try_at": delivery.next_try_at if delivery.state == "waiting" else None,
            "is_repeated": delivery.is_repeated,
            "sent_at": delivery.sent_at,
            "error": delivery.error,
        }
    )
