"""Response models of sales."""

from pydantic import Field

from storemon_api.http.schemas import ResponseBody


class SalesLost(ResponseBody):
    """Sales lost, in units of the currency, rounded half-even to two decimals."""

    currency: str = Field(examples=["USD"])
    lost: float = Field(description="Expected sales of the estimated downtime.", examples=[40.0])
    lowest: float | None = Field(
        description="Lower end of the range: of an incident by its polls, otherwise the likely "
        "range. Null where it is unknown.",
        examples=[20.0],
    )
    highest: float | None = Field(description="Upper end of the range.", examples=[80.0])


class Sales(SalesLost):
    """Expected sales of opening time, and the part of them that was lost."""

    expected: float = Field(description="Expected sales of uptime and downtime.", examples=[960.0])
    uptime_percent: float | None = Field(
        description="Uptime weighted by demand: the share of the expected sales that was not lost. "
        "Rounded down to two decimals; null when none were expected.",
        examples=[95.83],
    )
