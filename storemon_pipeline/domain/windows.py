"""Units of time, report windows and policies, as constants and enums."""

from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

SECOND_US: Final = 1_000_000
MINUTE_US: Final = 60 * SECOND_US
HOUR_US: Final = 60 * MINUTE_US
DAY_US: Final = 24 * HOUR_US
WEEK_US: Final = 7 * DAY_US

LOOKBACK_US: Final = 192 * HOUR_US
"""Only polls in `(as_of - LOOKBACK_US, as_of]` count for a report."""

DEFAULT_MAX_GAP_US: Final = 3 * HOUR_US
"""Neighbouring polls further apart than this never share a status run."""

DEFAULT_ZONE: Final = "America/Chicago"
"""The zone of stores for which no valid zone was ever loaded."""


class Policy(StrEnum):
    """How the status of an instant between two polls is estimated."""

    NEAREST = "nearest"
    PREVIOUS = "previous"


class Window(StrEnum):
    """The report's windows, in the order of every `(n, 3)` array."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"


WINDOW_US: Final[dict[Window, int]] = {
    Window.HOUR: HOUR_US,
    Window.DAY: DAY_US,
    Window.WEEK: WEEK_US,
}
"""Elapsed length of each window; each ends at `as_of`."""
