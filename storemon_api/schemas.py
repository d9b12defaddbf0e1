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


LocalInstant = Annotated[
    datetime,
    # Without an offset, which the format date-time asks for.
    WithJsonSchema({"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+$"}),
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

    report_id: str


class TriggerAnswer(_Answer):
    """The report was accepted; ask for it by its id."""

    status: Literal[ReportStatus.RUNNING] = ReportStatus.RUNNING


class RunningAnswer(_Answer):
    """The report is waiting or being computed."""

    status: Literal[ReportStatus.RUNNING] = ReportStatus.RUNNING


class RunningReport(RunningAnswer):
    """The status resource of a report that is waiting or being computed."""

    requested_at: AwareDatetime


class CompleteReport(_Answer):
    """The status resource of a report that can be downloaded."""

    status: Literal[ReportStatus.COMPLETE] = ReportStatus.COMPLETE
    requested_at: AwareDatetime
    report_url: str
    as_of: AwareDatetime
    policy: Policy
    stores: int = Field(description="Rows of the report.")
    silent_stores: int = Field(
        description="Stores without a poll in the 192 hours before `as_of`: they have no row.",
    )
    completed_at: AwareDatetime
    revision: int = Field(
        description="Which result on this `as_of` and policy it is, from 1: data may come late."
    )


class FailedReport(_Answer):
    """The status resource of a report that will never be made."""

    status: Literal[ReportStatus.FAILED] = ReportStatus.FAILED
    requested_at: AwareDatetime
    error: str


class MessageTriggerAnswer(BaseModel):
    """The report was accepted, in the words of the `/api` clients."""

    model_config = ConfigDict(frozen=True)

    message: Literal["Success"] = "Success"
    error_code: Literal[200] = 200
    report_id: str


class MessageStatusAnswer(BaseModel):
    """Where a report stands that gives no CSV, in the words of the `/api` clients."""

    model_config = ConfigDict(frozen=True)

    message: Literal[ReportStatus.RUNNING, ReportStatus.FAILED]
    error_code: Literal[200] = 200
    status: Literal[ReportStatus.RUNNING, ReportStatus.FAILED]
    report_id: str
    error: str | None = Field(default=None, description="Only when Failed.")


class Health(BaseModel):
    """The process lives."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """Everything that a report needs is there."""

    status: Literal["ready"] = "ready"
    checks: dict[str, str] = Field(description="What was looked at, by name.")
    warnings: dict[str, str] = Field(
        default_factory=dict,
        description="What is wrong and does not keep a report from being made.",
    )


class FieldError(BaseModel):
    """One thing that is wrong with a request."""

    field: str = Field(examples=["as_of"])
    message: str
    index: int | None = Field(
        default=None, description="Which row of the body, from 0; only for rows.", examples=[17]
    )


class Problem(BaseModel):
    """An error as RFC 9457 describes it."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldError] | None = Field(
        default=None, description="What is wrong, by field; only with status 422."
    )
    checks: dict[str, str] | None = Field(
        default=None, description="What was looked at, by name; only from `/readyz`."
    )


class RejectedPushedRow(BaseModel):
    """One row of a pushed body that was not loaded."""

    index: int = Field(description="Which row of the body, from 0.", examples=[17])
    reason: str = Field(examples=["unknown status: 'up'"])
    text: str = Field(examples=["7482936150293847561,2023-01-25T18:13:22Z,up"])


class LoadAnswer(BaseModel):
    """What became of what was pushed: read = loaded + replaced + unchanged + rejected."""

    model_config = ConfigDict(frozen=True)

    load_id: int | None = Field(
        default=None,
        description="By which the load can be undone; none when the body was empty.",
        examples=[42],
    )
    rows_read: int = Field(examples=[14092])
    rows_loaded: int = Field(description="New rows.", examples=[14080])
    rows_replaced: int = Field(description="Rows that changed what was known.", examples=[10])
    rows_unchanged: int = Field(description="Rows that said what was known.", examples=[2])
    rows_rejected: int = Field(description="Rows in quarantine.", examples=[0])
    rejected: list[RejectedPushedRow] | None = Field(
        default=None, description="The first thousand rejected rows; only with `on_error=reject`."
    )


class PollBody(BaseModel):
    """A poll as it is pushed."""

    store_id: str = Field(examples=["7482936150293847561"])
    timestamp_utc: str = Field(examples=["2023-01-25 18:13:22.479220 UTC"])
    status: str = Field(examples=["active"])


_VALID_FROM = Field(
    default="",
    description=(
        "The instant from which this holds, or `always`. Default: always for what is the first of "
        "its store, else from now on."
    ),
    examples=["2023-01-25T18:00:00Z"],
)


class OpeningHours(BaseModel):
    """One weekly interval on the store's clock."""

    model_config = ConfigDict(extra="forbid")

    day_of_week: int = Field(description="0 is Monday.", examples=[0])
    start_time_local: str = Field(examples=["09:00:00"])
    end_time_local: str = Field(examples=["22:00:00"])


class HoursBody(BaseModel):
    """All weekly hours of a store; a weekday without an interval is closed."""

    model_config = ConfigDict(extra="forbid")

    hours: list[OpeningHours] = Field(min_length=1, max_length=1_000)
    valid_from: str = _VALID_FROM


class TimezoneBody(BaseModel):
    """The time zone of a store."""

    model_config = ConfigDict(extra="forbid")

    timezone: str = Field(description="IANA key.", examples=["America/New_York"])
    valid_from: str = _VALID_FROM


class ClosureBody(BaseModel):
    """A planned closure."""

    model_config = ConfigDict(extra="forbid")

    store_id: str = Field(
        description="The store, or `*` for every store.", examples=["7482936150293847561"]
    )
    start_local: str = Field(
        description="On the wall clock of each store.", examples=["2023-12-24 18:00:00"]
    )
    end_local: str | None = Field(
        default=None, description="Default: open.", examples=["2023-12-26 09:00:00"]
    )
    reason: str = Field(default="", max_length=2_000, examples=["Christmas"])


class ClosureAnswer(BaseModel):
    """A closure that holds."""

    model_config = ConfigDict(frozen=True)

    closure_id: int = Field(examples=[7])
    store_id: str = Field(examples=["7482936150293847561"])
    start_local: LocalInstant = Field(examples=["2023-12-24T18:00:00"])
    end_local: LocalInstant | None = Field(default=None, examples=["2023-12-26T09:00:00"])
    reason: str = Field(examples=["Christmas"])
    loaded_at: AwareDatetime = Field(examples=["2023-12-01T08:00:00Z"])


class ClosuresAnswer(BaseModel):
    """Closures that hold, by their ids."""

    model_config = ConfigDict(frozen=True)

    closures: list[ClosureAnswer]
    next_after: int | None = Field(
        default=None, description="Ask again with this as `after`; none at the end.", examples=[7]
    )


class DiffInput(BaseModel):
    """A load between two reports: late polls, hours, zones, closures, or the undoing of a load."""

    load_id: int = Field(examples=[43])
    source: str = Field(examples=["store_status"])
    file_path: str | None = Field(
        default=None, description="None: it was pushed.", examples=["store_status.csv"]
    )
    loaded_at: AwareDatetime = Field(examples=["2023-01-26T07:00:00Z"])
    rows_loaded: int | None = Field(
        default=None, description="No numbers for a key of some stores.", examples=[12]
    )
    rows_replaced: int | None = Field(default=None, examples=[0])
    rows_removed: int | None = Field(
        default=None, description="Polls that an undoing took away.", examples=[0]
    )
    undoes_load_id: int | None = Field(default=None, examples=[41])


class StoreDiff(BaseModel):
    """What two reports say of a store, by figure; `difference` is after minus before."""

    store_id: str = Field(examples=["7482936150293847561"])
    change: Literal["changed", "appeared", "vanished"]
    before: dict[str, float] | None = Field(
        default=None, examples=[{"uptime_last_hour_minutes": 60.0}]
    )
    after: dict[str, float] | None = Field(
        default=None, examples=[{"uptime_last_hour_minutes": 42.5}]
    )
    difference: dict[str, float] | None = Field(
        default=None, examples=[{"uptime_last_hour_minutes": -17.5}]
    )


class DiffAnswer(BaseModel):
    """How a report differs from another one on the same instant."""

    report_id: str
    revision: int = Field(examples=[2])
    against: str
    against_revision: int = Field(examples=[1])
    as_of: AwareDatetime
    policy: Policy
    stores_changed: int = Field(examples=[1])
    stores_appeared: int = Field(examples=[0])
    stores_vanished: int = Field(examples=[0])
    inputs: list[DiffInput] = Field(description="The first thousand loads in between.")
    stores: list[StoreDiff] = Field(description="A page of stores, in the report's order.")
    next_after: str | None = Field(
        default=None, description="Ask again with this as `after`; none at the end."
    )
