"""The amounts of a report, in one list.

Columns, response schemas, files and checks are made from it. A new amount is an entry here and a
field of `uptime.figures.Figures`, where it is computed; the tables need a migration.
"""

from dataclasses import dataclass
from typing import Final

from storemon_pipeline.domain.windows import HOUR_US, MINUTE_US, Window

UNIT_US: Final = {"minutes": MINUTE_US, "hours": HOUR_US}

WINDOW_UNIT: Final = {Window.HOUR: "minutes", Window.DAY: "hours", Window.WEEK: "hours"}
"""The unit of the rounded figures of each window."""


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount of business time that every row of a report has for each window.

    `description` goes into the API's schema. `at_most` names an amount that this one never
    exceeds. An amount with `has_percent` is shown as a percentage of business time as well.
    """

    name: str
    description: str
    at_most: str | None = None
    has_percent: bool = False
    is_rounded: bool = False
    """In the CSV, and in the rounded columns of other formats."""
    is_additive: bool = True
    """The sum over stores means something; if not, totals have none."""
    is_optional: bool = False
    """NULL in reports that were made before storemon had this amount."""

    @property
    def field(self) -> str:
        """The name of its field in `Figures` and in JSON."""
        return f"{self.name}_us"

    @property
    def percent_field(self) -> str:
        """The name of its percentage in JSON."""
        return f"{self.name}_percent"

    def column(self, window: Window) -> str:
        """The column of its microseconds."""
        return f"{self.name}_last_{window}_us"

    def rounded_column(self, window: Window) -> str:
        """The column of its rounded figure."""
        return f"{self.name}_last_{window}_{WINDOW_UNIT[window]}"

    def percent_column(self, window: Window) -> str:
        """The column of its percentage."""
        return f"{self.percent_field}_last_{window}"

    def csv_column(self, window: Window) -> str:
        """The column of its rounded figure in the CSV."""
        return f"{self.name}_last_{window}(in {WINDOW_UNIT[window]})"


BUSINESS: Final = Amount("business", "Business time.")
UPTIME: Final = Amount(
    "uptime",
    "Estimated time up.",
    at_most="highest_uptime",
    has_percent=True,
    is_rounded=True,
)
DOWNTIME: Final = Amount(
    "downtime", "Estimated time down: business time without uptime.", is_rounded=True
)
LIKELY_LOWEST: Final = Amount(
    "likely_lowest_uptime",
    "Lower end of the likely range: nine in ten ranges hold the true uptime. Null without one.",
    at_most="uptime",
    is_additive=False,
    is_optional=True,
)
LIKELY_HIGHEST: Final = Amount(
    "likely_highest_uptime",
    "Upper end of the likely range. Null without one.",
    at_most="business",
    is_additive=False,
    is_optional=True,
)

AMOUNTS: Final = (
    BUSINESS,
    UPTIME,
    DOWNTIME,
    Amount("lowest_uptime", "Time that status runs show as up.", at_most="uptime"),
    Amount("highest_uptime", "Business time that no status run shows as down."),
    Amount("observed", "Time near a status run.", at_most="business", has_percent=True),
    LIKELY_LOWEST,
    LIKELY_HIGHEST,
)
"""All amounts, in the order of columns and JSON fields."""

UNKNOWN: Final = -1
"""Stands for an optional amount that is not known, in arrays of whole numbers."""

ROUNDED: Final = tuple(amount for amount in AMOUNTS if amount.is_rounded)
WITH_PERCENT: Final = tuple(amount for amount in AMOUNTS if amount.has_percent)

ROUNDED_COLUMNS: Final = tuple(
    amount.rounded_column(window) for amount in ROUNDED for window in Window
)
"""The columns of the rounded figures, in the order of the CSV."""

EXACT_COLUMNS: Final = tuple(amount.column(window) for amount in AMOUNTS for window in Window)
"""The columns in microseconds."""

DOUBT_COLUMN: Final = "likely_doubt"
"""Why the likely range of a store is not to be trusted, as a sum of reasons."""

SPREAD: Final = ("apart", "deviation", "reach")
"""What the likely range of a total is made of, of each store and window; see `Figures`."""


def spread_column(name: str, window: Window) -> str:
    """The column of one of `SPREAD`."""
    return f"likely_{name}_last_{window}_s"


SPREAD_COLUMNS: Final = tuple(spread_column(name, window) for name in SPREAD for window in Window)
