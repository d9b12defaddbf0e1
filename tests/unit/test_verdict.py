"""Whether an objective was met, missed, or cannot be told from a likely range."""

from decimal import Decimal

import pytest

from storemon_pipeline.domain.amounts import UNKNOWN
from storemon_pipeline.likelihood.verdict import Verdict, judge

WEEK = 604_800_000_000


@pytest.mark.parametrize(
    ("lowest", "highest", "business", "objective", "verdict"),
    [
        (990, 1000, 1000, "99", Verdict.MET),
        (989, 1000, 1000, "99", Verdict.CANNOT_BE_TOLD),
        (980, 990, 1000, "99", Verdict.CANNOT_BE_TOLD),
        (980, 989, 1000, "99", Verdict.MISSED),
        (0, 0, 1000, "0", Verdict.MET),
        (0, 999, 1000, "100", Verdict.MISSED),
        (1000, 1000, 1000, "100", Verdict.MET),
        # 99.9999 % of a week are 604,799,395,200 microseconds: one less is missed.
        (0, 604_799_395_199, WEEK, "99.9999", Verdict.MISSED),
        (604_799_395_200, WEEK, WEEK, "99.9999", Verdict.MET),
        # Totals of a large fleet exceed 64 bits in millionths.
        (14_000_000 * WEEK, 14_000_000 * WEEK, 14_000_000 * WEEK, "99.9999", Verdict.MET),
        (0, 0, 0, "0", Verdict.CANNOT_BE_TOLD),
        (None, None, 1000, "50", Verdict.CANNOT_BE_TOLD),
        (UNKNOWN, UNKNOWN, 1000, "50", Verdict.CANNOT_BE_TOLD),
    ],
)
def test_a_range_is_held_against_an_objective(
    lowest: int | None, highest: int | None, business: int, objective: str, verdict: Verdict
) -> None:
    assert judge(lowest, highest, business, objective_percent=Decimal(objective)) is verdict
