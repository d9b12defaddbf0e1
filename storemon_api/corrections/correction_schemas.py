"""Request and response models about entering corrections."""

from typing import Annotated

from pydantic import Field, StringConstraints

from storemon_api.http.schemas import ResponseBody
from storemon_api.loads.store_change_schemas import CorrectedTime
from storemon_api.stores.store_schemas import CorrectionResponse


class CorrectionBody(CorrectedTime):
    """Time of a store that counts otherwise than polls, events and hours say."""

    store_id: str = Field(pattern=r"^[^\x00]+$", examples=["7482936150293847561"])
    reason: Annotated[
        str,
        StringConstraints(
            strip_whitespace=True, min_length=1, max_length=2_000, pattern=r"^[^\x00]+$"
        ),
    ] = Field(examples=["power cut in the street, ticket 4711"])


class CorrectionsResponse(ResponseBody):
    """A page of corrections in force, sorted by id."""

    corrections: list[CorrectionResponse]
    next_after: int | None = Field(
        default=None,
        description="Value of `after` for the next page; none on the last page.",
        examples=[12],
    )
