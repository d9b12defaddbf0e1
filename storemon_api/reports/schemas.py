"""Request and response models about reports."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictInt

from storemon_api.http.schemas import Instant, ResponseBody
from storemon_api.reports.report_status import ReportStatus
from storemon_api.stores.store_schemas import WindowFigures
from storemon_pipeline.domain.windows import Policy, Window


class TriggerRequest(BaseModel):
    """Parameters of a report; every field may be omitted or null."""

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
            "The instant of the report; UTC unless it has an offset. Default: the newest poll. "
            "At most 5 minutes in the future."
        ),
    )
    policy: Policy | None = Field(
        default=None,
        description="How the status between two polls is estimated. Default: nearest.",
    )
    status_model: StrictInt | None = Field(
        default=None,
        ge=1,
        le=2**31 - 1,
        description=(
            "Version of the status model for the likely ranges. Default: the newest. With that of "
            "an earlier report, unchanged data gives the same rows again."
        ),
    )


class _ReportBody(ResponseBody):
    report_id: str


class TriggerResponse(_ReportBody):
    """The request was accepted; the id identifies the report."""

    status: Literal[ReportStatus.RUNNING] = ReportStatus.RUNNING


class RunningResponse(_ReportBody):
    """The report is waiting or being computed."""

    status: Literal[ReportStatus.RUNNING] = ReportStatus.RUNNING


class RunningReport(RunningResponse):
    """The status of a report that is waiting or being computed."""

    requested_at: AwareDatetime


class CompleteReport(_ReportBody):
    """The status of a report that can be downloaded."""

    status: Literal[ReportStatus.COMPLETE] = ReportStatus.COMPLETE
    requested_at: AwareDatetime
    report_url: str
    as_of: AwareDatetime
    policy: Policy
    stores: int = Field(description="Number of rows.")
    silent_stores: int = Field(
        description="Stores without a poll in the 192 hours before `as_of`, which have no row.",
    )
    completed_at: AwareDatetime
    revision: int = Field(
        description="Number of this result for its `as_of` and policy, from 1; late data adds more."
    )
    stores_with_rejected_hours: int | None = Field(
        default=None,
        description="Stores that count as always open because all rows of their hours were "
        "rejected; none in reports of older versions.",
    )
    zone_rules: str | None = Field(
        default=None,
        description="Release of the time zones' rules (tzdata); none in reports of older versions.",
    )
    status_model: int | None = Field(
        default=None,
        description="Version of the status model of the likely ranges; none in reports without.",
    )


class FailedReport(_ReportBody):
    """The status of a report that failed."""

    status: Literal[ReportStatus.FAILED] = ReportStatus.FAILED
    requested_at: AwareDatetime
    error: str


class MessageTriggerResponse(BaseModel):
    """The request was accepted, in the format of `/api` clients."""

    model_config = ConfigDict(frozen=True)

    message: Literal["Success"] = "Success"
    error_code: Literal[200] = 200
    report_id: str


class MessageStatusResponse(BaseModel):
    """The status of a report without a CSV, in the format of `/api` clients."""

    model_config = ConfigDict(frozen=True)

    message: Literal[ReportStatus.RUNNING, ReportStatus.FAILED]
    error_code: Literal[200] = 200
    status: Literal[ReportStatus.RUNNING, ReportStatus.FAILED]
    report_id: str
    error: str | None = Field(default=None, description="Only when Failed.")


class DiffInput(BaseModel):
    """A load between two reports: late polls, hours, zones, closures, or an undone load."""

    load_id: int = Field(examples=[43])
    source: str = Field(examples=["store_status"])
    file_path: str | None = Field(
        default=None, description="None if it was pushed.", examples=["store_status.csv"]
    )
    loaded_at: AwareDatetime = Field(examples=["2023-01-26T07:00:00Z"])
    rows_loaded: int | None = Field(
        default=None, description="None for a key that is limited to some stores.", examples=[12]
    )
    rows_replaced: int | None = Field(default=None, examples=[0])
    rows_removed: int | None = Field(
        default=None, description="Polls that undoing a load removed.", examples=[0]
    )
    undoes_load_id: int | None = Field(default=None, examples=[41])


class StoreDiff(BaseModel):
    """A store's figures in two reports; `difference` is after minus before."""

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


class DiffResponse(BaseModel):
    """The difference of a report from another one of the same instant."""

    report_id: str
    revision: int = Field(examples=[2])
    against: str
    against_revision: int = Field(examples=[1])
    zone_rules: str | None = Field(
        default=None, description="As in the report's status.", examples=["2026f"]
    )
    against_zone_rules: str | None = Field(
        default=None,
        description="Where it differs from `zone_rules`, figures may differ without a load.",
        examples=["2026f"],
    )
    as_of: AwareDatetime
    policy: Policy
    stores_changed: int = Field(examples=[1])
    stores_appeared: int = Field(examples=[0])
    stores_vanished: int = Field(examples=[0])
    inputs: list[DiffInput] = Field(description="The first 1,000 loads in between.")
    stores: list[StoreDiff] = Field(description="A page of stores in the report's order.")
    next_after: str | None = Field(
        default=None, description="Value of `after` for the next page; none on the last page."
    )


class ReportTotalsRow(ResponseBody):
    """Sums of a report's rows of one group or region, or of all."""

    name: str | None = Field(description="Null for the stores without one, and without `split`.")
    stores: int = Field(description="Stores with a row in the report.")
    windows: dict[Window, WindowFigures]
    likely_flags: list[str] = Field(description="Why the likely ranges are not to be trusted.")


class ReportTotalsResponse(ResponseBody):
    """Sums of a report's rows."""

    report_id: str
    as_of: AwareDatetime
    policy: Policy
    split: Literal["group", "region"] | None
    totals: list[ReportTotalsRow]


class ReportEntry(ResponseBody):
    """A requested report."""

    report_id: str
    status: Literal["Running", "Complete", "Failed", "Expired"]
    requested_at: AwareDatetime
    as_of: AwareDatetime | None
    policy: Policy
    stores: int | None
    silent_stores: int | None
    completed_at: AwareDatetime | None
    seconds: float | None = Field(description="Seconds from the request to the result.")
    error: str | None


class ReportsPage(ResponseBody):
    """A page of reports, newest request first."""

    total: int
    offset: int
    limit: int
    next: str | None
    reports: list[ReportEntry]
