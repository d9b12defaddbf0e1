"""Request and response models about pushed rows."""

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictInt

from storemon_api.http.schemas import DateOnly, LocalInstant
from storemon_api.stores.store_schemas import OpenTime, SpecialHoursResponse


class RejectedPushedRow(BaseModel):
    """A row of a pushed body that was rejected."""

    index: int = Field(description="Index of the row in the body, from 0.", examples=[17])
    reason: str = Field(examples=["unknown status: 'up'"])
    text: str = Field(examples=["7482936150293847561,2023-01-25T18:13:22Z,up"])


class LoadResponse(BaseModel):
    """Row counts of a pushed load: read = loaded + replaced + unchanged + rejected."""

    model_config = ConfigDict(frozen=True)

    load_id: int | None = Field(
        default=None,
        description="Id to undo the load with; none when the body was empty.",
        examples=[42],
    )
    rows_read: int = Field(examples=[14092])
    rows_loaded: int = Field(description="New rows.", examples=[14080])
    rows_replaced: int = Field(description="Rows that replaced existing ones.", examples=[10])
    rows_unchanged: int = Field(description="Rows that were loaded before.", examples=[2])
    rows_rejected: int = Field(description="Rejected rows.", examples=[0])
    rejected: list[RejectedPushedRow] | None = Field(
        default=None, description="The first 1,000 rejected rows; only with `on_error=reject`."
    )


class PollBody(BaseModel):
    """A pushed poll."""

    store_id: str = Field(examples=["7482936150293847561"])
    timestamp_utc: str = Field(examples=["2023-01-25 18:13:22.479220 UTC"])
    status: str = Field(examples=["active"])


VALID_FROM = Field(
    default="",
    description=(
        "The instant from which this applies, or `always`. Default: `always` for the first value "
        "of a store, otherwise now."
    ),
    examples=["2023-01-25T18:00:00Z"],
)


class OpeningHours(BaseModel):
    """A weekly interval on the store's clock."""

    model_config = ConfigDict(extra="forbid")

    day_of_week: StrictInt = Field(description="0 is Monday.", examples=[0])
    start_time_local: str = Field(
        description="`H:MM[:SS[.f]]`, up to 48:00. From 24:00 on it is on the next day.",
        examples=["09:00:00"],
    )
    end_time_local: str = Field(
        description="As the start: 26:00 is 02:00 of the next day.", examples=["22:00:00"]
    )


class HoursBody(BaseModel):
    """All weekly hours of a store; it is closed on weekdays without an interval."""

    model_config = ConfigDict(extra="forbid")

    hours: list[OpeningHours] = Field(min_length=1, max_length=1_000)
    valid_from: str = VALID_FROM


class SpecialHoursBody(BaseModel):
    """All hours of a store on one date, in place of its weekly ones; none: it is closed."""

    model_config = ConfigDict(extra="forbid")

    date: DateOnly = Field(description="On the store's clock.", examples=["2026-12-24"])
    hours: list[OpenTime] = Field(max_length=100)
    valid_from: str = Field(
        default="",
        description=(
            "The instant from which this is known, or `always`: then it takes the place of all "
            "hours of the date. Default: as if always known for the first hours of a store and "
            "date, otherwise now."
        ),
        examples=["always"],
    )


class SpecialHoursListResponse(BaseModel):
    """The special hours of a store, by date."""

    model_config = ConfigDict(frozen=True)

    special_hours: list[SpecialHoursResponse]


class TimezoneBody(BaseModel):
    """The time zone of a store."""

    model_config = ConfigDict(extra="forbid")

    timezone: str = Field(description="IANA time zone name.", examples=["America/New_York"])
    valid_from: str = VALID_FROM


class ClosureBody(BaseModel):
    """A planned closure."""

    model_config = ConfigDict(extra="forbid")

    store_id: str = Field(
        description="The store, or `*` for every store.", examples=["7482936150293847561"]
    )
    start_local: str = Field(
        description="On the clock of each store.", examples=["2023-12-24 18:00:00"]
    )
    end_local: str | None = Field(
        default=None, description="Default: no end.", examples=["2023-12-26 09:00:00"]
    )
    reason: str = Field(default="", max_length=2_000, examples=["Christmas"])


class ClosureResponse(BaseModel):
    """A planned closure."""

    model_config = ConfigDict(frozen=True)

    closure_id: int = Field(examples=[7])
    store_id: str = Field(examples=["7482936150293847561"])
    start_local: LocalInstant = Field(examples=["2023-12-24T18:00:00"])
    end_local: LocalInstant | None = Field(default=None, examples=["2023-12-26T09:00:00"])
    reason: str = Field(examples=["Christmas"])
    author: str | None = Field(
        default=None,
        description="Name of the key or account that entered it by a request; none of files.",
        examples=["Ann"],
    )
    loaded_at: AwareDatetime = Field(examples=["2023-12-01T08:00:00Z"])


class ClosuresResponse(BaseModel):
    """A page of planned closures, sorted by id."""

    model_config = ConfigDict(frozen=True)

    closures: list[ClosureResponse]
    next_after: int | None = Field(
        default=None,
        description="Value of `after` for the next page; none on the last page.",
        examples=[7],
    )
