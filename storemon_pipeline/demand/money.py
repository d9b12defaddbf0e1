"""Exact amounts of money. They are rounded only where they leave the program."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import Self

import numpy as np

from storemon_pipeline.domain.windows import HOUR_US, BoolArray, IntArray


@dataclass(frozen=True, slots=True)
class Money:
    """Amounts of `whole + part / HOUR_US` hundredths of a currency unit; the arrays share a shape.

    `part` is in `[0, HOUR_US)`: a rate is in whole hundredths per hour, and time in whole
    microseconds, so an amount is exact. 64 bits would not hold `whole * HOUR_US`.
    """

    whole: IntArray
    part: IntArray

    @classmethod
    def of(cls, whole: IntArray, part: IntArray) -> Self:
        """Amounts with any `part`.

        >>> amount = Money.of(np.array([5]), np.array([-1]))
        >>> amount.whole.tolist(), amount.part.tolist()
        ([4], [3599999999])
        """
        carry, rest = np.divmod(part, HOUR_US)
        return cls(whole + carry, rest)

    def __sub__(self, other: Self) -> Self:
        return self.of(self.whole - other.whole, self.part - other.part)

    def __add__(self, other: Self) -> Self:
        return self.of(self.whole + other.whole, self.part + other.part)

    def take(self, which: IntArray | BoolArray | slice) -> Self:
        """The amounts at these positions, or of this mask."""
        return type(self)(self.whole[which], self.part[which])

    def where(self, is_kept: BoolArray) -> Self:
        """The amounts of this mask, and 0 elsewhere."""
        return type(self)(self.whole * is_kept, self.part * is_kept)

    def exact(self) -> list[int]:
        """Each amount in hundredths of a currency unit times microseconds per hour."""
        pairs = zip(self.whole.ravel().tolist(), self.part.ravel().tolist(), strict=True)
        return [whole * HOUR_US + part for whole, part in pairs]

    def at(self, position: int) -> int:
        """One amount, in the unit of `exact`."""
        return int(self.whole[position]) * HOUR_US + int(self.part[position])

    def total(self) -> int:
        """The sum of all amounts, in the unit of `exact`."""
        return int(self.whole.sum()) * HOUR_US + int(self.part.sum())

    def until(self) -> Self:
        """The sum of the amounts before each one; shape `(n,)`."""
        return self.of(
            np.cumsum(self.whole) - self.whole,
            np.cumsum(self.part) - self.part,
        )


def earned(rate: IntArray, time_us: IntArray) -> Money:
    """A rate of hundredths per hour over a time of at most an hour.

    >>> earned(np.array([1_000_000_000_000]), np.array([1_800_000_000])).exact()
    [1800000000000000000000]
    """
    # In two steps, because the product may not fit into 64 bits.
    thousands, rest = np.divmod(rate, 1000)
    whole, part = np.divmod(thousands * time_us, HOUR_US)
    return Money.of(whole * 1000, part * 1000 + rest * time_us)


def rounded(exact: int) -> float:
    """An amount of the unit of `Money.exact` in currency units, rounded half-even to hundredths.

    >>> rounded(5 * HOUR_US // 2), rounded(12345 * HOUR_US)
    (0.02, 123.45)
    """
    with localcontext(prec=60):
        hundredths = (Decimal(exact) / HOUR_US).quantize(Decimal(1), ROUND_HALF_EVEN)
    return int(hundredths) / 100


def amounts_text(amounts: Mapping[str, int]) -> str:
    """Amounts of the unit of `Money.exact` by currency, as text.

    >>> amounts_text({"EUR": 5 * HOUR_US, "USD": 12345600 * HOUR_US})
    '0.05 EUR, 123,456.00 USD'
    """
    return ", ".join(f"{rounded(exact):,.2f} {currency}" for currency, exact in amounts.items())


def share_of(amount: int, part_us: int, whole_us: int) -> int:
    """An amount times a share of time; 0 where the whole is 0.

    >>> share_of(100, 1, 3), share_of(100, 1, 0)
    (33, 0)
    """
    return amount * part_us // whole_us if whole_us else 0


def by_currency(amounts: Sequence[int], currencies: Sequence[str | None]) -> dict[str, int]:
    """The sum of the amounts in each currency; amounts without one are left out.

    >>> by_currency([1, 2, 4, 8], ["USD", None, "EUR", "USD"])
    {'EUR': 4, 'USD': 9}
    """
    sums = dict.fromkeys(sorted({one for one in currencies if one is not None}), 0)
    for amount, currency in zip(amounts, currencies, strict=True):
        if currency is not None:
            sums[currency] += amount
    return sums
