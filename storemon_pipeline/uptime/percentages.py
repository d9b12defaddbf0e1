"""Percentages of time."""


def share_percent(part_us: int, whole_us: int) -> float | None:
    """A part of an amount in percent, rounded down to two decimals; None when the amount is 0.

    The result is 100 only when the part is the whole.

    >>> share_percent(999_999, 1_000_000), share_percent(1, 1), share_percent(0, 0)
    (99.99, 100.0, None)
    """
    return None if whole_us == 0 else part_us * 10_000 // whole_us / 100
