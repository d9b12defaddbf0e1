"""The response model of a poll plan."""

from pydantic import AwareDatetime, Field

from storemon_api.http.schemas import ResponseBody


class PlannedPoll(ResponseBody):
    """One poll to come."""

    store_id: str = Field(examples=["7482936150293847561"])
    poll_at: AwareDatetime = Field(examples=["2023-01-25T18:20:05Z"])


class PollPlanResponse(ResponseBody):
    """Which stores to poll when, from `start` until `end`."""

    as_of: AwareDatetime | None = Field(
        description="The newest poll that the plan takes into account; null without any."
    )
    start: AwareDatetime | None = Field(
        description="Null when there is no poll yet and the request names no `start`."
    )
    end: AwareDatetime | None = Field(description="An hour after `start`; exclusive.")
    polls_per_hour: int = Field(description="The budget.", examples=[14092])
    total: int = Field(description="Planned polls: at most `polls_per_hour`.", examples=[13980])
    polls: list[PlannedPoll] = Field(description="In order of time, then of store id.")
