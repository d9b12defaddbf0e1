"""Figures as rows of the tables `store_uptime` and `uptime_report`."""

import numpy as np
import pyarrow as pa

from storemon_pipeline.domain.windows import HOUR_US, MINUTE_US, IntArray, Window
from storemon_pipeline.uptime.figures import Figures
from storemon_pipeline.uptime.rounding import DECIMALS, round_half_even

FIGURE_TYPE = pa.decimal128(12, DECIMALS)

_UNITS = {
    Window.HOUR: ("minutes", MINUTE_US),
    Window.DAY: ("hours", HOUR_US),
    Window.WEEK: ("hours", HOUR_US),
}


def decimals(ten_thousandths: IntArray) -> pa.Array:
    """Ten-thousandths, shape `(n,)`, as decimals with four places."""
    # The cast from integers gives whole numbers of the larger precision; the scale is then moved.
    whole = np.asarray(ten_thousandths, np.int64)
    low_high = np.empty((len(whole), 2), np.int64)
    low_high[:, 0] = whole
    low_high[:, 1] = whole >> 63
    return pa.Array.from_buffers(FIGURE_TYPE, len(whole), [None, pa.py_buffer(low_high.tobytes())])


def report_figures(figures: Figures) -> dict[str, pa.Array]:
    """The six rounded figures by column name, in the report's order."""
    amounts = {"uptime": figures.uptime_us, "downtime": figures.downtime_us}
    return {
        f"{kind}_last_{window}_{unit}": decimals(round_half_even(amount[:, column], unit_us))
        for kind, amount in amounts.items()
        for column, (window, (unit, unit_us)) in enumerate(_UNITS.items())
    }


def figure_rows(store_keys: IntArray, figures: Figures) -> pa.Table:
    """One row per store of `figures`; `store_keys` gives the key of every position."""
    exact = {
        "business": figures.business_us,
        "uptime": figures.uptime_us,
        "downtime": figures.downtime_us,
        "lowest_uptime": figures.lowest_uptime_us,
        "highest_uptime": figures.highest_uptime_us,
        "observed": figures.observed_us,
    }
    return pa.table(
        {"store_key": store_keys[figures.store].astype(np.int32)}
        | report_figures(figures)
        | {
            f"{amount}_last_{window}_us": np.ascontiguousarray(values[:, column])
            for amount, values in exact.items()
            for column, window in enumerate(Window)
        }
    )
