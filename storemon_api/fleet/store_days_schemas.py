"""Response models about the days of chosen stores."""

from datetime import date

from pydantic import AwareDatetime, Field

from storemon_api.http.schemas import ResponseBody
from storemon_api.stores.store_schemas import HistoryAmounts


class StoreDay(HistoryAmounts):
    """A local day of a store."""

    store_id: str
    name: str | None
    group: str | None
    local_date: date
    incidents: int = Field(description="Incidents that cost time on this day.")


class StoreDays(ResponseBody):
    """A page of the days of some stores."""

    as_of: AwareDatetime | None = Field(description="The newest poll that the days include.")
    total: int
    offset: int
    limit: int
    next: str | None
    days: list[StoreDay]
