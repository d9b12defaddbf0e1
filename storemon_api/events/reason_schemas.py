"""Response models about the reasons of downtime."""

from pydantic import AwareDatetime, Field

from storemon_api.http.schemas import ResponseBody
from storemon_api.stores.store_schemas import EventSaid


class FleetReason(EventSaid):
    """Business time lost for one reason."""

    stores: int = Field(description="Stores that lost business time for this reason.")
    lost_us: int


class FleetReasons(ResponseBody):
    """A page of the reasons of downtime on some days, the largest first."""

    as_of: AwareDatetime | None = Field(description="The newest poll that the days include.")
    total: int
    offset: int
    limit: int
    next: str | None
    lost_us: int = Field(description="Business time lost for all reasons, also of other pages.")
    reasons: list[FleetReason]
