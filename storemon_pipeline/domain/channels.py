"""The rule by which the storefronts of a store decide whether the store is up."""

from enum import StrEnum


class ChannelRule(StrEnum):
    """When a store with several storefronts counts as up."""

    ANY_UP = "any_up"
    """While one of its storefronts is up."""
    ALL_UP = "all_up"
    """While all of its storefronts are up."""
