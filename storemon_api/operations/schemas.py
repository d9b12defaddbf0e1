"""Response models: liveness, readiness, data quality."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, Field

from storemon_api.http.schemas import ResponseBody


class Health(BaseModel):
    """The process is alive."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """Everything that a report needs is available."""

    status: Literal["ready"] = "ready"
    checks: dict[str, str] = Field(description="Results of the checks by name.")
    warnings: dict[str, str] = Field(
        default_factory=dict,
        description="Problems that do not prevent reports.",
    )


class SourceStatus(ResponseBody):
    """A source of data."""

    source: str = Field(examples=["store_status"])
    last_loaded_at: AwareDatetime = Field(description="Time of the last load.")
    last_looked_at: AwareDatetime | None = Field(
        description="When its files were last checked; null if rows are only pushed."
    )
    last_file: str | None = Field(description="Null if the rows were pushed.")
    loads: int | None = Field(
        description="Null, like all counts, for a key that is limited to some stores."
    )
    last_rows_read: int | None
    last_rows_rejected: int | None
    rows_loaded: int | None = Field(description="Sum over all loads.")
    rows_replaced: int | None


class UnreadFileResponse(ResponseBody):
    """A file of the data folder that is not read."""

    file: str = Field(
        description="Its path in the data folder.", examples=["store_status/january.csv"]
    )
    source: str | None = Field(
        description="Null if its name is that of no source.", examples=["store_status"]
    )
    reason: str = Field(examples=["no column status; found: store_id, timestamp_utc"])
    is_refused: bool = Field(
        description="True: it cannot be used. False: it is passed over because of its name."
    )
    since: AwareDatetime = Field(description="When it was first found so.")


class RejectedRowExample(ResponseBody):
    """A rejected row as it is in its file."""

    file: str | None
    line: int
    text: str


class RejectedRows(ResponseBody):
    """Rows of a source that were rejected for the same reason and are not corrected yet."""

    source: str
    reason: str = Field(examples=["unknown time zone"])
    rows: int
    examples: list[RejectedRowExample]


class RejectedRow(RejectedRowExample):
    """A rejected row with its source and the reason."""

    source: str
    reason: str = Field(examples=["unknown time zone"])


class RejectedRowsPage(ResponseBody):
    """A page of rejected rows, the newest first."""

    total: int
    offset: int
    limit: int
    next: str | None = Field(description="Path of the next page; null on the last page.")
    rows: list[RejectedRow]


class StoreNames(ResponseBody):
    """Number of stores, with ids and names of the first ones."""

    total: int
    store_ids: list[str]
    names: list[str | None] = Field(description="Their names in the same order.")


class ContradictionResponse(ResponseBody):
    """Opening hours that the polls contradict."""

    store_id: str
    name: str | None
    timezone: str
    kind: Literal["shifted", "opens later", "closes earlier", "opens earlier", "closes later"] = (
        Field(description="`shifted` is likely a wrong time zone.")
    )
    hours: float = Field(
        description="Size of the difference; for `shifted`, positive when listed too early."
    )


class ContradictingPoll(ResponseBody):
    """A poll that says otherwise than the event that covers it."""

    store_id: str
    name: str | None
    timezone: str
    polled_at: AwareDatetime
    poll: Literal["active", "inactive"]
    event: Literal["up", "down"]


class DataHealth(ResponseBody):
    """Data quality."""

    as_of: AwareDatetime | None
    refreshed_at: AwareDatetime | None = Field(description="Time of the last successful refresh.")
    dagster_url: str | None = Field(description="Null for a key that is limited to some stores.")
    sources: list[SourceStatus]
    unread_files: list[UnreadFileResponse] = Field(
        description="The first 100 files that are not read. Empty for a key that is limited to "
        "some stores."
    )
    unread_files_total: int
    rejected: list[RejectedRows]
    stores: int
    silent: StoreNames
    without_hours: StoreNames = Field(description="Stores that count as always open.")
    without_timezone: StoreNames = Field(description="Stores that use the default time zone.")
    only_rejected_hours: StoreNames = Field(
        description="Stores without hours because all their rows were rejected."
    )
    contradictions: list[ContradictionResponse]
    contradictions_total: int
    contradicting_polls: list[ContradictingPoll] = Field(
        description="The newest 100 polls of the last 28 days that contradict an event."
    )
    contradicting_polls_total: int
