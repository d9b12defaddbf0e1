"""The bodies that clients send or get, as Pydantic models with examples. No handler logic."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)

from storemon_api.status import ReportStatus
from storemon_pipeline.uptime.windows import Policy

EXAMPLE_REPORT_ID = "0b9f4c1e-6a53-4c3b-9d0e-2f5a1c7e8d41"
EXAMPLE_CSV = (
    "store_id,uptime_last_hour(in minutes),uptime_last_day(in hours),"
    "uptime_last_week(in hours),downtime_last_hour(in minutes),"
    "downtime_last_day(in hours),downtime_last_week(in hours)\n"
    "7482936150293847561,42.5000,11.2500,80.0000,17.5000,0.7500,4.0000\n"
)
_EXAMPLE_AS_OF = "2023-01-25T18:13:22.479220Z"


def _iso_text(value: object) -> object:
    # Pydantic would take a number in a string for seconds since 1970, and not the suffix ` UTC`
    # that the poll files carry.
    if not isinstance(value, str) or value[4:5] != "-":
        message = "Input should be an ISO 8601 date and time, such as 2023-01-25T18:13:22Z"
        raise ValueError(message)
    return f"{value.removesuffix(' UTC')}Z" if value.endswith(" UTC") else value


def _in_utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("Input should lie in the years 1 to 9999 of UTC") from error


Instant = Annotated[
    datetime,
    BeforeValidator(_iso_text),
    AfterValidator(_in_utc),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


class TriggerRequest(BaseModel):
    """What a report is asked to speak of; every field may be left out or null."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [{}, {"as_of": "2023-01-25T18:13:22Z", "policy": "previous"}]
        },
    )

    as_of: Instant | None = Field(
        default=None,
        description=(
            "The instant that the report speaks of; without an offset it is UTC. "
            "Default: the newest poll in the database. At most 5 minutes in the future."
        ),
    )
    policy: Policy | None = Field(
        default=None,
        description="How the status between two polls is estimated. Default: nearest.",
    )


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)

    report_id: str = Field(examples=[EXAMPLE_REPORT_ID])


class TriggerAnswer(_Answer):
    """The report was accepted; ask for it by its id."""

    status: Literal[ReportStatus.RUNNING] = ReportStatus.RUNNING


class RunningAnswer(_Answer):
    """The report is waiting or being computed."""

    status: Literal[ReportStatus.RUNNING] = ReportStatus.RUNNING


class RunningReport(RunningAnswer):
    """The status resource of a report that is waiting or being computed."""

    requested_at: AwareDatetime = Field(examples=["2023-01-25T18:20:00.000000Z"])


class CompleteReport(_Answer):
    """The status resource of a report that can be downloaded."""

    status: Literal[ReportStatus.COMPLETE] = ReportStatus.COMPLETE
    requested_at: AwareDatetime = Field(examples=["2023-01-25T18:20:00.000000Z"])
    report_url: str = Field(examples=[f"http://127.0.0.1:8000/reports/{EXAMPLE_REPORT_ID}.csv"])
    as_of: AwareDatetime = Field(examples=[_EXAMPLE_AS_OF])
    policy: Policy = Field(examples=["nearest"])
    stores: int = Field(description="Rows of the report.", examples=[14092])
    silent_stores: int = Field(
        description="Stores without a poll in the 192 hours before `as_of`: they have no row.",
        examples=[3],
    )
    completed_at: AwareDatetime = Field(examples=["2023-01-25T18:20:02.500000Z"])


class FailedReport(_Answer):
    """The status resource of a report that will never be made."""

    status: Literal[ReportStatus.FAILED] = ReportStatus.FAILED
    requested_at: AwareDatetime = Field(examples=["2023-01-25T18:20:00.000000Z"])
    error: str = Field(examples=["No poll has been loaded yet, so there is nothing to report on."])


class MessageTriggerAnswer(BaseModel):
    """The report was accepted, in the words of the `/api` clients."""

    model_config = ConfigDict(frozen=True)

    message: Literal["Success"] = "Success"
    error_code: Literal[200] = 200
    report_id: str = Field(examples=[EXAMPLE_REPORT_ID])


class MessageStatusAnswer(BaseModel):
    """Where a report stands that gives no CSV, in the words of the `/api` clients."""

    model_config = ConfigDict(frozen=True)

    message: Literal[ReportStatus.RUNNING, ReportStatus.FAILED]
    error_code: Literal[200] = 200
    status: Literal[ReportStatus.RUNNING, ReportStatus.FAILED]
    report_id: str = Field(examples=[EXAMPLE_REPORT_ID])
    error: str | None = Field(default=None, description="Only when Failed.")


class Health(BaseModel):
    """The process lives."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """Everything that a report needs is there."""

    status: Literal["ready"] = "ready"
    checks: dict[str, str] = Field(
        examples=[{"database": "ok", "schema": "ok", "dagster": "ok", "first_refresh": "ok"}]
    )


class FieldError(BaseModel):
    """One thing that is wrong with a request."""

    field: str = Field(examples=["as_of"])
    message: str


class Problem(BaseModel):
    """An error as RFC 9457 describes it."""

    type: str = Field(examples=["about:blank"])
    title: str
    status: int
    detail: str
    errors: list[FieldError] | None = Field(
        default=None, description="What is wrong, by field; only with status 422."
    )
    checks: dict[str, str] | None = Field(
        default=None, description="What was looked at, by name; only from `/readyz`."
    )
