"""Request and response models about entering corrections."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from storemon_api.http.schemas import ResponseBody
from storemon_api.stores.store_schemas import CorrectionResponse
from storemon_api.stores.time_params import BoundedInstant
from storemon_pipeline.corrections.correction_table import Kind


class CorrectionBody(BaseModel):
    """Time of a store that counts otherwise than polls, events and hours say."""

    model_config = ConfigDict(extra="forbid")

    store_id: str = Field(pattern=r"^[^\x00]+$", examples=["7482936150293847561"])
    from_utc: BoundedInstant = Field(examples=["2023-01-25T17:40:00Z"])
    to_utc: BoundedInstant = Field(description="Exclusive.", examples=["2023-01-25T18:05:00Z"])
    kind: Kind = Field(
        description="`taken_out`: no opening time, as in a closure. `up` or `down`: counts as that."
    )
    reason: Annotated[
        str,
        StringConstraints(
            strip_whitespace=True, min_length=1, max_length=2_000, pattern=r"^[^\x00]+$"
        ),
    ] = Field(examples=["power cut in the street, ticket 4711"])

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.to_utc <= self.from_utc:
            raise ValueError("The correction must end after its start")
        return self


class CorrectionsResponse(ResponseBody):
    """A page of corrections in force, sorted by id."""

    corrections: list[CorrectionResponse]
    next_after: int | None = Field(
        default=None,
        description="Value of `after` for the next page; none on the last page.",
        examples=[12],
    )
