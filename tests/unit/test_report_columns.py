"""The rows of a report as compressed columns."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storemon_pipeline.domain.amounts import (
    EXACT_COLUMNS,
    ROUNDED_COLUMNS,
    SPREAD_COLUMNS,
)
from storemon_pipeline.reports.columns import (
    LostStoreError,
    Part,
    decode_figures,
    decode_rows,
    encode_rows,
    no_rows,
)

SECOND, MINUTE, HOUR = 1_000_000, 60_000_000, 3_600_000_000
WINDOW_US = {"hour": HOUR, "day": 24 * HOUR, "week": 168 * HOUR}


def rows(count: int, seed: int, *, unit_us: int = 1) -> pa.Table:
    """Rows in which uptime and downtime are the business time, and all else is any number."""
    random = np.random.default_rng(seed)
    columns = {
        name: random.integers(0, WINDOW_US[name.split("_")[-2]], count) // unit_us * unit_us
        for name in EXACT_COLUMNS
    }
    for window in WINDOW_US:
        whole, up = (columns[f"{name}_last_{window}_us"] for name in ("business", "uptime"))
        # Only a downtime that is not negative can be rounded.
        np.minimum(whole, up, out=up)
        columns[f"downtime_last_{window}_us"] = whole - up
    keys = pa.array(1 + random.permutation(count), pa.int32())
    return pa.table({"store_key": keys} | columns)


def store_ids(made: pa.Table) -> list[str]:
    return [f"store {key:05} é" for key in made["store_key"].to_pylist()]


def part_of(made: pa.Table) -> Part:
    """The rows, kept and found again, among other stores that are known."""
    others = [99_998, *made["store_key"].to_pylist(), 99_999]
    ids = ["another", *store_ids(made), "one more"]
    return Part.of(encode_rows(made), pa.array(others, pa.int32()), pa.array(ids))


def decoded(made: pa.Table) -> pa.Table:
    return decode_rows(part_of(made))


def with_spread(made: pa.Table, seed: int, *, close: bool) -> pa.Table:
    """The rows with what totals need; `close` means that likely ranges follow from it, nearly."""
    random = np.random.default_rng(seed)
    for name in SPREAD_COLUMNS:
        seconds = random.integers(-200 if "apart" in name else 0, 200, made.num_rows)
        made = made.append_column(name, pa.array(seconds.astype(np.int32)))
    if not close:
        return made
    for window in WINDOW_US:
        apart, deviation, reach = (
            made[f"likely_{name}_last_{window}_s"].to_numpy().astype(np.int64)
            for name in ("apart", "deviation", "reach")
        )
        whole, up = (made[f"{name}_last_{window}_us"].to_numpy() for name in ("business", "uptime"))
        middle = up + apart * SECOND
        half = np.round(1.7 * deviation).astype(np.int64) * SECOND + reach * SECOND
        ends = {
            "lowest": np.clip(middle - half, 0, up),
            "highest": np.clip(middle + half, up, whole),
        }
        for end, at in ends.items():
            name = f"likely_{end}_uptime_last_{window}_us"
            made = made.set_column(made.column_names.index(name), name, pa.array(at))
    return made


@given(
    st.integers(0, 50),
    st.integers(0, 2**32),
    st.sampled_from(["none", "any", "close"]),
    st.sampled_from([1, SECOND // 2, MINUTE, HOUR]),
)
def test_every_amount_comes_back_to_the_microsecond(
    count: int, seed: int, spread: str, unit_us: int
) -> None:
    made = rows(count, seed, unit_us=unit_us)
    if spread != "none":
        made = with_spread(made, seed, close=spread == "close")
    part = part_of(made)
    read = decode_rows(part)
    assert read.select(made.column_names[1:]) == made.drop_columns("store_key")
    assert read["store_id"].to_pylist() == part.store_ids.to_pylist() == store_ids(made)
    assert decode_figures(part) == read.select(["store_id", *ROUNDED_COLUMNS])


def test_likely_ranges_take_little_beside_the_spread_that_they_follow_from() -> None:
    plain = rows(5_000, 1)
    far, close = (
        len(encode_rows(with_spread(plain, 1, close=close))) / plain.num_rows
        for close in (False, True)
    )
    assert close < far - 20


def test_a_file_with_the_ids_themselves_is_read_as_before() -> None:
    """Reports were kept so before they had keys."""
    made = rows(3, 1).append_column("store_id", pa.array(["a", "b", "é"]))
    older = encode_rows(made)
    table = pq.read_table(io.BytesIO(older)).drop_columns("store_key")
    content = io.BytesIO()
    pq.write_table(table, content)
    none = pa.array([], pa.int32()), pa.array([], pa.string())
    read = decode_rows(Part.of(content.getvalue(), *none))
    assert read["store_id"].to_pylist() == ["a", "b", "é"]
    assert read.select(EXACT_COLUMNS) == made.select(EXACT_COLUMNS)


def test_a_store_that_is_in_no_table_is_an_error() -> None:
    made = rows(2, 1)
    keys = made["store_key"].combine_chunks()
    with pytest.raises(LostStoreError, match="1 stores of a report"):
        Part.of(encode_rows(made), keys[:1], pa.array(["a"]))


def test_figures_are_rounded_from_the_amounts() -> None:
    made = rows(1, 1).to_pydict() | {
        "business_last_hour_us": [45 * MINUTE],
        "uptime_last_hour_us": [44 * MINUTE + 57_000_000],
        "downtime_last_hour_us": [3_000_000],
    }
    (row,) = decode_figures(part_of(pa.table(made))).to_pylist()
    assert str(row["uptime_last_hour_minutes"]) == "44.9500"
    assert str(row["downtime_last_hour_minutes"]) == "0.0500"


def test_an_amount_that_reports_did_not_have_is_null() -> None:
    older = rows(3, 1).drop_columns([f"observed_last_{window}_us" for window in WINDOW_US])
    read = decoded(older)
    assert read["observed_last_week_us"].to_pylist() == [None] * 3
    assert read.drop_columns([name for name in read.column_names if "observed" in name]).equals(
        decoded(rows(3, 1)).drop_columns([name for name in read.column_names if "observed" in name])
    )


def test_other_columns_are_kept_after_the_amounts_and_null_where_they_are_missing() -> None:
    marks = pa.array(["switched off", None, "silent"])
    newer = decoded(rows(3, 1).append_column("mark", marks))
    older = decoded(rows(2, 2))
    assert newer.column_names == [*older.column_names, "mark"]
    both = pa.concat_tables([older, newer], promote_options="default")
    assert both["mark"].to_pylist() == [None, None, "switched off", None, "silent"]


def test_a_report_of_no_stores_has_all_columns() -> None:
    assert no_rows().column_names == ["store_id", *ROUNDED_COLUMNS, *EXACT_COLUMNS]
    assert no_rows().num_rows == 0


def test_amounts_in_whole_seconds_take_two_bytes_less_each() -> None:
    exact, whole = (len(encode_rows(rows(5_000, 1, unit_us=unit))) for unit in (1, SECOND))
    assert whole < exact - 12 * 2 * 5_000


def test_one_amount_between_seconds_keeps_its_microseconds() -> None:
    made = rows(500, 1, unit_us=SECOND)
    observed = made["observed_last_week_us"].to_numpy().copy()
    observed[499] += 1
    number = made.column_names.index("observed_last_week_us")
    made = made.set_column(number, "observed_last_week_us", pa.array(observed))
    assert decoded(made)["observed_last_week_us"].to_pylist() == observed.tolist()


def test_a_file_whose_windows_are_kept_apart_is_read_as_before() -> None:
    """So were reports kept until days were kept as what they have beyond the hour."""
    older = pa.table(
        {
            "store_key": pa.array([1, 2], pa.int32()),
            "business_last_hour_us": [HOUR, HOUR],
            "business_last_day_us": [10 * HOUR, 8 * HOUR],
            "business_last_week_us": [70 * HOUR, 56 * HOUR],
            "business_minus_uptime_last_hour_us": [0, MINUTE],
            "business_minus_uptime_last_day_us": [5 * MINUTE, 3 * MINUTE],
            "business_minus_uptime_last_week_us": [HOUR, 3 * MINUTE],
            "uptime_minus_lowest_uptime_last_day_us": [7, 0],
        }
    )
    content = io.BytesIO()
    pq.write_table(older, content)
    keys, ids = pa.array([1, 2], pa.int32()), pa.array(["a", "b"])
    read = decode_rows(Part.of(content.getvalue(), keys, ids)).to_pydict()
    assert read["uptime_last_hour_us"] == [HOUR, HOUR - MINUTE]
    assert read["uptime_last_day_us"] == [10 * HOUR - 5 * MINUTE, 8 * HOUR - 3 * MINUTE]
    assert read["downtime_last_week_us"] == [HOUR, 3 * MINUTE]
    assert read["lowest_uptime_last_day_us"] == [10 * HOUR - 5 * MINUTE - 7, 8 * HOUR - 3 * MINUTE]
    assert read["lowest_uptime_last_hour_us"] == [None, None]


def test_any_reader_of_parquet_finds_what_is_kept_by_name() -> None:
    made = rows(20, 1)
    kept = pq.read_table(io.BytesIO(encode_rows(made)))
    first = kept["business_minus_uptime_last_hour_us"].to_pylist()
    assert [one or 0 for one in first] == made["downtime_last_hour_us"].to_pylist()
    day, hour = (made[f"downtime_last_{window}_us"].to_numpy() for window in ("day", "hour"))
    beyond = kept["business_minus_uptime_last_day_us_beyond_last_hour"]
    assert [one or 0 for one in beyond.to_pylist()] == (day - hour).tolist()
    assert not [name for name in kept.column_names if name.startswith("downtime")]
