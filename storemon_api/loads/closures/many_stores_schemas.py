"""Request and response models about closing many stores in one step."""

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from storemon_api.http.schemas import ResponseBody
from storemon_pipeline.ingestion.close_stores import PREVIEW_DAYS


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
        description="`storemon undo-load` with this number takes all closures back.", examples=[7]
    )
    stores: int
    closures_added: int = Field(
        description="Without those that existed already. For all stores there is a single one."
    )


class ClosingPreviewResponse(ResponseBody):
    """What a closing would take out of the stores' opening time."""

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
