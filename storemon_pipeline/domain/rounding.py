"""Rounding of amounts of time. Nothing else rounds them."""

from typing import Final

from storemon_pipeline.domain.windows import IntArray

DECIMALS: Final = 4
_SCALE: Final = 10**DECIMALS


def round_half_even(amount_us: IntArray, unit_us: int) -> IntArray:
    """Round amounts of time to ten-thousandths of a unit, half to even.

    `amount_us` holds microseconds, at least 0, in any shape; the result has the same shape. The
    division is between integers, so that binary fractions cannot break ties. Raises ValueError
    for a unit that is not a multiple of ten thousand microseconds.

    >>> import numpy as np
    >>> round_half_even(np.array([3_600_000_000, 180_000, 540_000]), 3_600_000_000)
    array([10000,     0,     2])
    """
    # A ten-thousandth of a minute or an hour is a whole number of microseconds.
    step_us, remainder = divmod(unit_us, _SCALE)
    if remainder:
        raise ValueError(f"a unit of {unit_us} microseconds has no whole ten-thousandth")
    quotient = amount_us // step_us
    twice_remainder = 2 * (amount_us - quotient * step_us)
    is_up = (twice_remainder > step_us) | ((twice_remainder == step_us) & (quotient % 2 == 1))
    rounded: IntArray = quotient + is_up
    return rounded
