"""Request and response models about stored objectives."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictFloat

from storemon_api.http.schemas import ResponseBody
from storemon_api.loads.schemas import VALID_FROM
from storemon_pipeline.likelihood.verdict import Verdict
from storemon_pipeline.objectives.precedence import AppliesTo


class ObjectiveBody(BaseModel):
    """An objective from `valid_from` on."""

    model_config = ConfigDict(extra="forbid")

    applies_to: AppliesTo
    name: str = Field(
        default="",
        description="The id of the store, or the name of the group or region; none with `all`.",
        examples=["Bay Area"],
    )
    objective: StrictFloat | None = Field(
        description="The percentage of opening time in which a store is to be up, with up to four "
        "decimals. Null: there is no such objective from `valid_from` on.",
        examples=[98.5],
    )
    by: Literal["week", "month"] = "month"
    valid_from: str = VALID_FROM


class StoredObjectiveResponse(ResponseBody):
    """A version of an objective."""

    objective_id: int = Field(examples=[3])
    applies_to: AppliesTo
    name: str = Field(
        description="The id of the store, or the name of the group or region; empty with `all`."
    )
    objective: float | None = Field(
        description="Null: there is no such objective from `valid_from` on.", examples=[98.5]
    )
    by: Literal["week", "month"]
    valid_from: AwareDatetime | None = Field(description="Null: always.")
    loaded_at: AwareDatetime


class ObjectiveCountsResponse(ResponseBody):
    """Stores with an objective in a week or month."""

    verdicts: dict[Verdict, int]
    spent: int = Field(description="Stores that spent more than their budget has.")


class ObjectivePreviewResponse(ResponseBody):
    """What an objective would do to the week or month of the newest poll."""

    as_of: AwareDatetime = Field(description="The newest poll.")
    by: Literal["week", "month"]
    stores_changed: int = Field(
        description="Stores that would get another objective, or none any more."
    )
    before: ObjectiveCountsResponse
    after: ObjectiveCountsResponse


class ObjectivesResponse(ResponseBody):
    """A page of versions of objectives, sorted by id."""

    objectives: list[StoredObjectiveResponse]
    next_after: int | None = Field(
        description="Value of `after` for the next page; null on the last page."
    )
