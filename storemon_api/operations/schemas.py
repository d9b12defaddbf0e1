"""Bodies of responses for operators: health, readiness, data health."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, Field

from storemon_api.http.schemas import ResponseBody


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


class SourceStatus(ResponseBody):
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


class RejectedRowExample(ResponseBody):
    """A rejected row as it stood in its file."""

    file: str | None
    line: int
    text: str


class RejectedRows(ResponseBody):
    """Rows of a source that were rejected for one reason and still wait."""

    source: str
    reason: str = Field(examples=["unknown time zone"])
    rows: int
    examples: list[RejectedRowExample]


class StoreNames(ResponseBody):
    """So many stores, the first of them by name."""

    total: int
    store_ids: list[str]
    names: list[str | None] = Field(description="What they are called, in the same order.")


class ContradictionResponse(ResponseBody):
    """Listed hours that the polls contradict."""

    store_id: str
    name: str | None
    timezone: str
    kind: Literal["shifted", "opens later", "closes earlier", "opens earlier", "closes later"] = (
        Field(description="`shifted`: likely a wrong time zone.")
    )
    hours: float = Field(description="By how much; shifted: positive when listed too early.")


class DataHealth(ResponseBody):
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
    contradictions: list[ContradictionResponse]
    contradictions_total: int
