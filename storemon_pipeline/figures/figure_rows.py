"""Figures as columns: in microseconds, and rounded as in the report."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from storemon_pipeline.domain.amounts import (
    AMOUNTS,
    DOUBT_COLUMN,
    ROUNDED,
    SPREAD,
    UNIT_US,
    UNKNOWN,
    WINDOW_UNIT,
    spread_column,
)
from storemon_pipeline.domain.rounding import DECIMALS, round_half_even
from storemon_pipeline.domain.windows import IntArray, Window
from storemon_pipeline.uptime.figures import Figures

FIGURE_TYPE = pa.decimal128(12, DECIMALS)


def decimals(ten_thousandths: IntArray) -> pa.Array:
    """Ten-thousandths, shape `(n,)`, as decimals with four places."""
    # Arrow stores a decimal as a 128-bit integer, low half first. Building it takes no cast.
    whole = np.asarray(ten_thousandths, np.int64)
    low_high = np.empty((len(whole), 2), np.int64)
    low_high[:, 0] = whole
    low_high[:, 1] = whole >> 63
    return pa.Array.from_buffers(FIGURE_TYPE, len(whole), [None, pa.py_buffer(low_high.tobytes())])


def exact_figures(figures: Figures) -> dict[str, pa.Array]:
    """The amounts in microseconds by column name; unknown ones are null."""
    return {
        amount.column(window): _whole_numbers(
            getattr(figures, amount.field)[:, column], is_optional=amount.is_optional
        )
        for amount in AMOUNTS
        for column, window in enumerate(Window)
    }


def spread_columns(figures: Figures) -> dict[str, pa.Array]:
    """What the likely ranges of totals are made of, in seconds, and the doubts, by column name.

    Nothing without likely ranges.
    """
    if not figures.has_ranges:
        return {}
    spread = {
        spread_column(name, window): pa.array(
            np.ascontiguousarray(getattr(figures, f"likely_{name}_s")[:, column])
        )
        for name in SPREAD
        for column, window in enumerate(Window)
    }
    return spread | {DOUBT_COLUMN: pa.array(figures.doubt.astype(np.int16))}


def _whole_numbers(values: IntArray, *, is_optional: bool) -> pa.Array:
    whole = np.ascontiguousarray(values)
    return pa.array(whole, mask=whole == UNKNOWN) if is_optional else pa.array(whole)


def rounded_figures(exact: Mapping[str, pa.Array | pa.ChunkedArray]) -> dict[str, pa.Array]:
    """The rounded figures by column name, in the report's order, from those in microseconds."""
    return {
        amount.rounded_column(window): decimals(
            round_half_even(exact[amount.column(window)].to_numpy(), UNIT_US[WINDOW_UNIT[window]])
        )
        for amount in ROUNDED
        for window in Window
    }


def figure_rows(store_keys: IntArray, figures: Figures) -> pa.Table:
    """One row per store of `figures`; `store_keys` gives the key of every position."""
    exact = exact_figures(figures)
    return pa.table(
        {"store_key": store_keys[figures.store].astype(np.int32)}
        | rounded_figures(exact)
        | exact
        | {DOUBT_COLUMN: pa.array(figures.doubt.astype(np.int16))}
    )
