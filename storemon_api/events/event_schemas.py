"""Request and response models about events of stores."""

from typing import Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

MOST_EVENTS: Final = 10_000
"""At most this many events are in one request."""


class EventBody(BaseModel):
    """What a source knows of the status of a store from an instant on."""

    model_config = ConfigDict(extra="forbid")

    store_id: str = Field(examples=["7482936150293847561"])
    from_utc: str = Field(examples=["2023-01-25T17:40:00Z"])
    to_utc: str | None = Field(
        default=None,
        description="Default: until the next event of the same store and source.",
        examples=["2023-01-25T18:05:00Z"],
    )
    state: Literal["up", "down"] = Field(examples=["down"])
    reason: str = Field(default="", max_length=2_000, examples=["tablet offline"])
    source: str = Field(default="", max_length=200, examples=["platform"])


class EventsBody(BaseModel):
    """Events to load, all or nothing."""

    model_config = ConfigDict(extra="forbid")

    events: list[EventBody] = Field(min_length=1, max_length=MOST_EVENTS)


class StoredEventResponse(BaseModel):
    """An event in force."""

    model_config = ConfigDict(frozen=True)

    event_id: int = Field(examples=[12])
    store_id: str = Field(examples=["7482936150293847561"])
    from_utc: AwareDatetime = Field(examples=["2023-01-25T17:40:00Z"])
    to_utc: AwareDatetime | None = Field(default=None, examples=["2023-01-25T18:05:00Z"])
    state: Literal["up", "down"] = Field(examples=["down"])
    reason: str = Field(examples=["tablet offline"])
    source: str = Field(examples=["platform"])
    loaded_at: AwareDatetime = Field(examples=["2023-01-25T17:40:12Z"])


class StoredEventsResponse(BaseModel):
    """A page of events in force, sorted by id."""

    model_config = ConfigDict(frozen=True)

    events: list[StoredEventResponse]
    next_after: int | None = Field(
        default=None,
        description="Value of `after` for the next page; none on the last page.",
        examples=[12],
    )
