"""The sources of data that storemon reads."""

from enum import StrEnum, unique


@unique
class Source(StrEnum):
    """What a file tells: polls, or one of the snapshots around them."""

    STORE_STATUS = "store_status"
    BUSINESS_HOURS = "business_hours"
    STORE_TIMEZONES = "store_timezones"
    CLOSURES = "closures"
    STORE_DETAILS = "store_details"
