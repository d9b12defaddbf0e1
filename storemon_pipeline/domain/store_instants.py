"""Matching rows of two tables by store and instant."""

import numpy as np

from storemon_pipeline.domain.windows import IntArray


def sort_key(store: IntArray, at_us: IntArray) -> IntArray:
    """One integer for each store and instant, which ascends by store, then by instant."""
    first_us, last_us = (int(at_us.min()), int(at_us.max())) if len(store) else (0, 0)
    length = last_us - first_us + 1
    if (int(store.max(initial=0)) + 1) * length < 2**63:
        key: IntArray = store * length + (at_us - first_us)
        return key
    order = np.lexsort((at_us, store))
    is_next = (np.diff(store[order]) != 0) | (np.diff(at_us[order]) != 0)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.append(0, np.cumsum(is_next))
    return rank


def sort_keys(
    store: IntArray, at_us: IntArray, other_store: IntArray, other_at_us: IntArray
) -> tuple[IntArray, IntArray]:
    """Keys as `sort_key` gives them for two sets of stores and instants together."""
    key = sort_key(np.concatenate([store, other_store]), np.concatenate([at_us, other_at_us]))
    return key[: len(store)], key[len(store) :]


def pairs(key: IntArray, other: IntArray) -> tuple[IntArray, IntArray]:
    """The positions of equal keys in two ascending arrays, which have each key once."""
    if len(key) == 0 or len(other) == 0:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    place = np.minimum(np.searchsorted(key, other), len(key) - 1)
    of_other = np.flatnonzero(key[place] == other)
    return place[of_other], of_other
