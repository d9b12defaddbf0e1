"""The rows of a report as compressed columns."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from storemon_pipeline.domain.amounts import EXACT_COLUMNS, ROUNDED_COLUMNS
from storemon_pipeline.reports.columns import (
    decode_figures,
    decode_rows,
    decode_store_ids,
    encode_rows,
    no_rows,
)

MINUTE, HOUR = 60_000_000, 3_600_000_000
WINDOW_US = {"hour": HOUR, "day": 24 * HOUR, "week": 168 * HOUR}


def rows(count: int, seed: int) -> pa.Table:
    """Rows in which uptime and downtime are the business time, and all else is any number."""
    random = np.random.default_rng(seed)
    columns = {
        name: random.integers(0, WINDOW_US[name.split("_")[-2]], count) for name in EXACT_COLUMNS
    }
    for window in WINDOW_US:
        whole, up = (columns[f"{name}_last_{window}_us"] for name in ("business", "uptime"))
        columns[f"downtime_last_{window}_us"] = whole - up
    ids = pa.array([f"store {number:05} é" for number in range(count)])
    return pa.table({"store_id": ids} | columns)


@given(st.integers(0, 50), st.integers(0, 2**32))
def test_every_amount_comes_back_to_the_microsecond(count: int, seed: int) -> None:
    made = rows(count, seed)
    # Only the downtime that is not negative can be rounded.
    is_real = np.ones(count, np.bool_)
    for window in WINDOW_US:
        is_real &= made[f"downtime_last_{window}_us"].to_numpy() >= 0
    made = made.filter(pa.array(is_real))
    content = encode_rows(made)
    assert decode_rows(content).select(["store_id", *EXACT_COLUMNS]) == made
    assert decode_store_ids(content) == made["store_id"]
    assert decode_figures(content) == decode_rows(content).select(["store_id", *ROUNDED_COLUMNS])


def test_figures_are_rounded_from_the_amounts() -> None:
    made = rows(1, 1).to_pydict() | {
        "business_last_hour_us": [45 * MINUTE],
        "uptime_last_hour_us": [44 * MINUTE + 57_000_000],
        "downtime_last_hour_us": [3_000_000],
    }
    (row,) = decode_figures(encode_rows(pa.table(made))).to_pylist()
    assert str(row["uptime_last_hour_minutes"]) == "44.9500"
    assert str(row["downtime_last_hour_minutes"]) == "0.0500"


def test_an_amount_that_reports_did_not_have_is_null() -> None:
    older = rows(3, 1).drop_columns([f"observed_last_{window}_us" for window in WINDOW_US])
    read = decode_rows(encode_rows(older))
    assert read["observed_last_week_us"].to_pylist() == [None] * 3
    assert read.drop_columns([name for name in read.column_names if "observed" in name]).equals(
        decode_rows(encode_rows(rows(3, 1))).drop_columns(
            [name for name in read.column_names if "observed" in name]
        )
    )


def test_other_columns_are_kept_after_the_amounts_and_null_where_they_are_missing() -> None:
    marks = pa.array(["switched off", None, "silent"])
    newer = decode_rows(encode_rows(rows(3, 1).append_column("mark", marks)))
    older = decode_rows(encode_rows(rows(2, 2)))
    assert newer.column_names == [*older.column_names, "mark"]
    both = pa.concat_tables([older, newer], promote_options="default")
    assert both["mark"].to_pylist() == [None, None, "switched off", None, "silent"]


def test_a_report_of_no_stores_has_all_columns() -> None:
    assert no_rows().column_names == ["store_id", *ROUNDED_COLUMNS, *EXACT_COLUMNS]
    assert no_rows().num_rows == 0


def test_any_reader_of_parquet_finds_what_is_kept_by_name() -> None:
    made = rows(2, 1)
    kept = pq.read_table(io.BytesIO(encode_rows(made)))
    assert kept["business_minus_uptime_last_day_us"] == made["downtime_last_day_us"]
    assert not [name for name in kept.column_names if name.startswith("downtime")]
