"""The report as CSV."""

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from storemon_pipeline.domain.amounts import ROUNDED
from storemon_pipeline.domain.rounding import DECIMALS
from storemon_pipeline.domain.windows import IntArray, Window

HEADER: Final = ",".join(
    ["store_id", *(amount.csv_column(window) for amount in ROUNDED for window in Window)]
)

_RUNNABLE: Final = r"^[=+\-@\t\r]"
_PLAIN_INTEGER: Final = r"^[+-]?[0-9]+$"
_NEEDS_QUOTES: Final = r'[",\r\n]'

_SCALE: Final = 10**DECIMALS
_WHOLE: Final = 1_000
"""More than any figure: a week has 168 hours."""


def header_line() -> bytes:
    """The first line, with its line feed."""
    return f"{HEADER}\n".encode()


def report_lines(store_ids: pa.Array, figures: dict[str, pa.Array]) -> bytes:
    """One line per store, each with a line feed at its end.

    `store_ids` (strings) and the `figures` (decimals with four places, in the header's order)
    have shape `(n,)`, in the report's order.
    """
    if len(store_ids) == 0:
        return b""
    safe = spreadsheet_safe(store_ids)
    # Only store ids can hold characters that need quotes.
    needs_quotes = pc.match_substring_regex(safe, _NEEDS_QUOTES)
    if pc.any(needs_quotes).as_py():
        quoted = pc.binary_join_element_wise(
            '"', pc.replace_substring(safe, pattern='"', replacement='""'), '"', ""
        )
        safe = pc.if_else(needs_quotes, quoted, safe)
    texts = [text for values in figures.values() for text in _texts(values)]
    lines = pc.binary_join_element_wise(safe, *texts, "\n", "")
    # The last buffer of a string array has all texts, one after the other.
    offset = np.frombuffer(lines.buffers()[1], np.int32)[lines.offset :][: len(lines) + 1]
    text: bytes = lines.buffers()[2][int(offset[0]) : int(offset[-1])].to_pybytes()
    return text


def _texts(values: pa.Array) -> tuple[pa.Array, ...]:
    """A comma and the values as texts, in parts to be joined.

    Looking up whole and fraction in lists of all texts takes a third of the time of a cast.
    """
    amount = _ten_thousandths(values)
    if amount.min() < 0 or amount.max() >= _WHOLE * _SCALE:
        return (pa.scalar(","), values.cast(pa.string()))
    whole = amount // _SCALE
    wholes = pa.array([f",{number}." for number in range(int(whole.max()) + 1)])
    return wholes.take(pa.array(whole)), _FRACTIONS.take(pa.array(amount - whole * _SCALE))


_FRACTIONS: Final = pa.array([f"{number:0{DECIMALS}}" for number in range(_SCALE)])


def _ten_thousandths(values: pa.Array) -> IntArray:
    """Decimals with four places, as integers in ten-thousandths."""
    both_halves = np.frombuffer(values.buffers()[1], np.int64)
    low: IntArray = both_halves[2 * values.offset :: 2][: len(values)]
    return low


def spreadsheet_safe(store_ids: pa.Array) -> pa.Array:
    """The ids, with an apostrophe before those that a spreadsheet would run as a formula."""
    is_runnable = pc.match_substring_regex(store_ids, _RUNNABLE)
    if not pc.any(is_runnable).as_py():
        return store_ids
    is_runnable = pc.and_not(is_runnable, pc.match_substring_regex(store_ids, _PLAIN_INTEGER))
    return pc.if_else(is_runnable, pc.binary_join_element_wise("'", store_ids, ""), store_ids)
