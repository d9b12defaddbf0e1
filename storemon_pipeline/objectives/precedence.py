"""Which objective holds for a store: versions, and the most particular one. Pure computation."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum, unique
from typing import Final

import numpy as np

from storemon_pipeline.business_time.local_periods import Period
from storemon_pipeline.domain.windows import BoolArray, IntArray

PERIODS: Final = (Period.WEEK, Period.MONTH)
"""The periods that an objective can be for."""

NO_OBJECTIVE: Final = -1
"""Stands for the parts per million where no objective holds."""

PPM_PER_PERCENT: Final = 10_000
"""Objectives have four decimals, so parts per million are exact."""


@unique
class AppliesTo(StrEnum):
    """Which stores an objective is for, the most particular first."""

    STORE = "store"
    GROUP = "group"
    REGION = "region"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an objective; later versions of equal `valid_from_us` come later in lists.

    `key` is the store's key, the name of the group or region, or empty for all stores. Without a
    percentage there is no such objective from `valid_from_us` on.
    """

    applies_to: AppliesTo
    key: int | str
    period: Period
    valid_from_us: int
    objective_percent: Decimal | None


def parts_per_million(objective_percent: Decimal) -> int:
    """The exact objective as an integer.

    >>> parts_per_million(Decimal("98.5"))
    985000
    """
    return int(objective_percent * PPM_PER_PERCENT)


def percentage(objective_ppm: int) -> Decimal:
    """The objective as a percentage.

    >>> percentage(985000)
    Decimal('98.5')
    """
    return Decimal(objective_ppm) / PPM_PER_PERCENT


def covered(
    versions: Iterable[Version],
    *,
    store_keys: IntArray,
    groups: Sequence[str | None],
    regions: Sequence[str | None],
) -> BoolArray:
    """Which stores any of the versions is for, at whatever time; shape `(n,)`.

    >>> north = Version(AppliesTo.REGION, "North", Period.MONTH, 0, Decimal(99))
    >>> covered([north], store_keys=np.array([7, 8]), groups=["A", "A"], regions=[None, "North"])
    array([False,  True])
    """
    keys = {(version.applies_to, version.key) for version in versions}
    if (AppliesTo.ALL, "") in keys:
        return np.ones(len(store_keys), np.bool_)
    rows = zip(store_keys.tolist(), groups, regions, strict=True)
    found = [
        not keys.isdisjoint(
            (
                (AppliesTo.STORE, store_key),
                (AppliesTo.GROUP, group or ""),
                (AppliesTo.REGION, region or ""),
            )
        )
        for store_key, group, region in rows
    ]
    return np.array(found, np.bool_)


def objectives_of(
    versions: Iterable[Version],
    *,
    period: Period,
    store_keys: IntArray,
    groups: Sequence[str | None],
    regions: Sequence[str | None],
    end_us: IntArray,
) -> IntArray:
    """The objective of each store for its week or month that ends at `end_us`, shape `(n,)`.

    In parts per million, or NO_OBJECTIVE. It is the version in force when the period ends. The
    store's own objective comes before its group's, that before its region's, and that before the
    one of all stores.

    >>> north = Version(AppliesTo.REGION, "North", Period.MONTH, 0, Decimal(99))
    >>> every = Version(AppliesTo.ALL, "", Period.MONTH, 0, Decimal(98))
    >>> objectives_of(
    ...     [every, north],
    ...     period=Period.MONTH,
    ...     store_keys=np.array([7, 8]),
    ...     groups=[None, None],
    ...     regions=["North", None],
    ...     end_us=np.array([10, 10]),
    ... ).tolist()
    [990000, 980000]
    """
    history: dict[tuple[AppliesTo, int | str], list[Version]] = {}
    for version in versions:
        if version.period is period:
            history.setdefault((version.applies_to, version.key), []).append(version)
    found = np.full(len(store_keys), NO_OBJECTIVE)
    if not history:
        return found
    # Sorting is stable: of equal starts the later version stays last.
    ordered = {
        key: sorted(rows, key=lambda version: version.valid_from_us)
        for key, rows in history.items()
    }
    for position, store_key in enumerate(store_keys.tolist()):
        for key in (
            (AppliesTo.STORE, store_key),
            (AppliesTo.GROUP, groups[position] or ""),
            (AppliesTo.REGION, regions[position] or ""),
            (AppliesTo.ALL, ""),
        ):
            rows = ordered.get(key, [])
            before = bisect_left(rows, end_us[position], key=lambda version: version.valid_from_us)
            percent = rows[before - 1].objective_percent if before else None
            if percent is not None:
                found[position] = parts_per_million(percent)
                break
    return found
