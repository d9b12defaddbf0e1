"""Whether an objective was met, as far as a likely range tells."""

from decimal import Decimal
from enum import StrEnum

from storemon_pipeline.domain.amounts import UNKNOWN


class Verdict(StrEnum):
    """What a likely range says of an objective."""

    MET = "met"
    MISSED = "missed"
    CANNOT_BE_TOLD = "cannot be told"


def judge(
    likely_lowest_us: int | None,
    likely_highest_us: int | None,
    business_us: int,
    *,
    objective_percent: Decimal,
) -> Verdict:
    """Hold a likely range against an objective, a percentage of the business time.

    It is met when all of the range lies at or above it, and missed when all of it lies below.
    Without a range, or without business time, it cannot be told.

    >>> judge(980, 990, 1000, objective_percent=Decimal("98"))
    <Verdict.MET: 'met'>
    >>> judge(980, 990, 1000, objective_percent=Decimal("99.5"))
    <Verdict.MISSED: 'missed'>
    >>> judge(980, 990, 1000, objective_percent=Decimal("99"))
    <Verdict.CANNOT_BE_TOLD: 'cannot be told'>
    """
    if likely_lowest_us is None or likely_highest_us is None or business_us <= 0:
        return Verdict.CANNOT_BE_TOLD
    if UNKNOWN in (likely_lowest_us, likely_highest_us):
        return Verdict.CANNOT_BE_TOLD
    target = objective_percent * business_us
    if likely_lowest_us * 100 >= target:
        return Verdict.MET
    if likely_highest_us * 100 < target:
        return Verdict.MISSED
    return Verdict.CANNOT_BE_TOLD
