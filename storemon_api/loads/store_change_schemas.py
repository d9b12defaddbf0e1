"""Request and response models about changing one store's hours, closures and corrections."""

from datetime import datetime
from typing import Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictInt, model_validator

from storemon_api.http.schemas import DateOnly, LocalInstant, ResponseBody
from storemon_api.loads.schemas import HoursBody, SpecialHoursBody
from storemon_api.stores.store_schemas import OpenInterval
from storemon_api.stores.time_params import BoundedInstant
from storemon_pipeline.corrections.correction_table import Kind
from storemon_pipeline.domain.windows import Window
from storemon_pipeline.ingestion.store_changes import Totals
from storemon_pipeline.uptime.percentages import share_percent


class ClosurePeriod(BaseModel):
    """The period of a closure of one store."""

    model_config = ConfigDict(extra="forbid")

    start_local: str = Field(examples=["2023-12-24 18:00:00"])
    end_local: str | None = Field(default=None, description="Default: no end.")


class CorrectedTime(BaseModel):
    """Time of a store, and what it counts as."""

    model_config = ConfigDict(extra="forbid")

    from_utc: BoundedInstant = Field(examples=["2023-01-25T17:40:00Z"])
    to_utc: BoundedInstant = Field(description="Exclusive.", examples=["2023-01-25T18:05:00Z"])
    kind: Kind = Field(
        description="`taken_out`: no opening time, as in a closure. `up` or `down`: counts as that."
    )

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.to_utc <= self.from_utc:
            raise ValueError("The correction must end after its start")
        return self


class PreviewBody(BaseModel):
    """A change to preview: one of these fields."""

    model_config = ConfigDict(extra="forbid")

    hours: HoursBody | None = Field(
        default=None, description="As the body of `PUT /stores/{store_id}/hours`."
    )
    closure: ClosurePeriod | None = Field(default=None, description="A closure to add.")
    cancelled_closure: StrictInt | None = Field(
        default=None, ge=1, le=2**31 - 1, description="Id of a closure to cancel."
    )
    withdrawn_load: StrictInt | None = Field(
        default=None, ge=1, le=2**31 - 1, description="Load of pushed hours to take back."
    )
    special_hours: SpecialHoursBody | None = Field(
        default=None, description="As the body of `PUT /stores/{store_id}/special-hours`."
    )
    withdrawn_date: DateOnly | None = Field(
        default=None, description="Date whose special hours are taken back."
    )
    correction: CorrectedTime | None = Field(default=None, description="A correction to enter.")
    cancelled_correction: StrictInt | None = Field(
        default=None, ge=1, le=2**31 - 1, description="Id of a correction to take back."
    )

    @model_validator(mode="after")
    def _is_one_change(self) -> Self:
        if len(self.model_fields_set) != 1 or None in (
            getattr(self, name) for name in self.model_fields_set
        ):
            raise ValueError(f"Give one of {', '.join(type(self).model_fields)}")
        return self


class TotalsResponse(ResponseBody):
    """Opening time and its parts."""

    business_us: int = Field(description="Business time, in microseconds.")
    uptime_us: int
    downtime_us: int
    uptime_percent: float | None = Field(
        description="Of the time that is known; null when there is none."
    )

    @classmethod
    def of(cls, totals: Totals) -> Self:
        """Return the response for these totals."""
        return cls(
            business_us=totals.business_us,
            uptime_us=totals.uptime_us,
            downtime_us=totals.downtime_us,
            uptime_percent=share_percent(totals.uptime_us, totals.uptime_us + totals.downtime_us),
        )


class ChangedFigures(ResponseBody):
    """Figures as they are, and as they would be."""

    before: TotalsResponse
    after: TotalsResponse


class ChangedDayResponse(ChangedFigures):
    """A local day that the change concerns."""

    begin_local: LocalInstant = Field(examples=["2023-01-24T00:00:00"])


class PreviewResponse(ResponseBody):
    """What a change would do to past figures."""

    store_id: str = Field(examples=["7482936150293847561"])
    as_of: AwareDatetime = Field(description="The newest poll.")
    figures: dict[Window, ChangedFigures] | None = Field(
        description="The newest figures; null for a store without a poll in the last 8 days."
    )
    days_changed: int = Field(description="How many local days have other figures.")
    days: list[ChangedDayResponse] = Field(
        description="The latest of them, at most 60, the earliest first."
    )


class HoursVersionResponse(ResponseBody):
    """Weekly hours of a store as one load wrote them."""

    load_id: int = Field(examples=[42])
    valid_from: AwareDatetime | None = Field(description="Null: they hold always.")
    loaded_at: AwareDatetime
    is_pushed: bool = Field(
        description="True: sent by a request, so `DELETE` takes them back. False: from a file."
    )
    hours: list[OpenInterval]


class HoursVersionsResponse(ResponseBody):
    """All versions of a store's weekly hours, the last loaded first."""

    versions: list[HoursVersionResponse]


class ChangeResponse(ResponseBody):
    """A change of a store's hours, zone, closures or corrections."""

    at: datetime
    action: str = Field(examples=["hours.put"])
    by: str | None = Field(description="Name of the key; null when no key was needed.")
    client: str | None = Field(description="Address of the client.")
    closure_id: int | None = Field(description="The closure that was cancelled.")
    correction_id: int | None = Field(description="The correction that was taken back.")


class ChangesResponse(ResponseBody):
    """The newest changes, the last first."""

    changes: list[ChangeResponse]
