"""The rule that makes the figures of a store from those of its storefronts."""

from enum import StrEnum
from typing import Final

MOST_STOREFRONTS: Final = 32_766
"""Of one store, besides its own id: so many can be counted in 15 bits."""


class ChannelRule(StrEnum):
    """How much of the time a store with several storefronts counts as up."""

    ANY_UP = "any_up"
    """While one of its storefronts is up."""
    ALL_UP = "all_up"
    """While all of its storefronts are up."""
    SHARE = "share"
    """The share of its storefronts that are up. Where it must be up or down, it is as `ANY_UP`."""
