"""Bodies of requests and responses about reports, with examples."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from storemon_api.http.schemas import Instant, ResponseBody
from storemon_api.reports.report_status import ReportStatus
from storemon_api.stores.store_schemas import WindowFigures
from storemon_pipeline.domain.windows import Policy, Window


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


class _ReportBody(ResponseBody):
    report_id: str


class TriggerResponse(_ReportBody):
    """The report was accepted; ask for it by its id."""

    status: Literal[ReportStatus.RUNNING] = ReportStatus.RUNNING


class RunningResponse(_ReportBody):
    """The report is waiting or being computed."""

    status: Literal[ReportStatus.RUNNING] = ReportStatus.RUNNING


class RunningReport(RunningResponse):
    """The status resource of a report that is waiting or being computed."""

    requested_at: AwareDatetime


class CompleteReport(_ReportBody):
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


class FailedReport(_ReportBody):
    """The status resource of a report that will never be made."""

    status: Literal[ReportStatus.FAILED] = ReportStatus.FAILED
    requested_at: AwareDatetime
    error: str


class MessageTriggerResponse(BaseModel):
    """The report was accepted, in the words of the `/api` clients."""

    model_config = ConfigDict(frozen=True)

    message: Literal["Success"] = "Success"
    error_code: Literal[200] = 200
    report_id: str


class MessageStatusResponse(BaseModel):
    """Where a report stands that gives no CSV, in the words of the `/api` clients."""

    model_config = ConfigDict(frozen=True)

    message: Literal[ReportStatus.RUNNING, ReportStatus.FAILED]
    error_code: Literal[200] = 200
    status: Literal[ReportStatus.RUNNING, ReportStatus.FAILED]
    report_id: str
    error: str | None = Field(default=None, description="Only when Failed.")


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


class DiffResponse(BaseModel):
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


class ReportTotalsRow(ResponseBody):
    """The sums of a report's rows of one group or region, or of all."""

    name: str | None = Field(description="Null: those without one, or all without `split`.")
    stores: int = Field(description="With a row in the report.")
    windows: dict[Window, WindowFigures]


class ReportTotalsResponse(ResponseBody):
    """What a report's rows sum to."""

    report_id: str
    as_of: AwareDatetime
    policy: Policy
    split: Literal["group", "region"] | None
    totals: list[ReportTotalsRow]


class ReportEntry(ResponseBody):
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


class ReportsPage(ResponseBody):
    """A page of reports, the newest request first."""

    total: int
    offset: int
    limit: int
    next: str | None
    reports: list[ReportEntry]
