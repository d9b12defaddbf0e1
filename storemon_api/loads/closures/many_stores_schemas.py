"""Request and response models about closing many stores in one step."""

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from storemon_api.http.schemas import LocalInstant, ResponseBody
from storemon_pipeline.ingestion.closings.closing_preview import PREVIEW_DAYS


class ClosingBody(BaseModel):
    """A closure of all stores of a group and region; without both, of all stores."""

    model_config = ConfigDict(extra="forbid")

    group: str | None = Field(default=None, examples=["Golden Griddle"])
    region: str | None = Field(default=None, examples=["Gulf Coast"])
    start_local: str = Field(
        description="On the clock of each store.", examples=["2023-08-29 12:00:00"]
    )
    end_local: str | None = Field(
        default=None, description="Default: no end.", examples=["2023-08-31 06:00:00"]
    )
    reason: str = Field(default="", max_length=2_000, examples=["hurricane"])


class ClosedStoresResponse(ResponseBody):
    """Stores that were closed."""

    load_id: int | None = Field(
        description="`DELETE /fleet/closures/{load_id}` takes all closures back.", examples=[7]
    )
    stores: int
    closures_added: int = Field(
        description="Without those that existed already. For all stores there is a single one."
    )


class ClosingResponse(ResponseBody):
    """A closing of several stores in one step, or of every store, of which some is in force."""

    load_id: int = Field(examples=[7])
    loaded_at: AwareDatetime = Field(description="When it was entered.")
    author: str | None = Field(
        description="Name of the key or account that entered it; null when nobody had signed in.",
        examples=["Ann"],
    )
    reason: str = Field(examples=["hurricane"])
    start_local: LocalInstant = Field(description="On the clock of each store.")
    end_local: LocalInstant | None = Field(description="Null: no end.")
    closure_id: int | None = Field(
        description="Of every store: its only closure, which `DELETE /closures/{closure_id}` "
        "cancels, too. Null: it has one closure for each of several stores."
    )
    closures: int = Field(description="Closures in force, one for each store.", examples=[42])
    cancelled: int = Field(description="Closures of it that were cancelled one by one.")


class ClosingsResponse(ResponseBody):
    """Closings of many stores, the newest first."""

    closings: list[ClosingResponse]


class ClosingPreviewResponse(ResponseBody):
    """What a closing would take out of the stores' opening time, or bring back."""

    as_of: AwareDatetime = Field(description="The newest poll.")
    stores: int
    business_us: int = Field(
        description=f"Opening time before the newest poll, from {PREVIEW_DAYS} days before it on."
    )
    uptime_us: int = Field(description="Uptime in it.")
    downtime_us: int = Field(description="Downtime in it.")
    coming_us: int = Field(
        description=f"Opening time after the newest poll, up to {PREVIEW_DAYS} days after it."
    )
