"""The report as CSV: the header and the order of columns that clients rely on."""

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

HEADER: Final = (
    "store_id,uptime_last_hour(in minutes),uptime_last_day(in hours),uptime_last_week(in hours),"
    "downtime_last_hour(in minutes),downtime_last_day(in hours),downtime_last_week(in hours)"
)

_RUNNABLE: Final = r"^[=+\-@\t\r]"
_PLAIN_INTEGER: Final = r"^[+-]?[0-9]+$"
_NEEDS_QUOTES: Final = r'[",\r\n]'


def report_csv(store_ids: pa.Array, figures: dict[str, pa.Array]) -> bytes:
    """The report's bytes: the header, then one line per store, each ended by a line feed.

    `store_ids` (strings) and the six `figures` (decimals with four places, in the header's order)
    have shape `(n,)`, in the report's order.
    """
    safe = spreadsheet_safe(store_ids)
    # Decimals as text never hold what would need quotes; store ids may.
    quoted = pc.binary_join_element_wise(
        '"', pc.replace_substring(safe, pattern='"', replacement='""'), '"', ""
    )
    first = pc.if_else(pc.match_substring_regex(safe, _NEEDS_QUOTES), quoted, safe)
    fields = (first, *(values.cast(pa.string()) for values in figures.values()))
    lines = pc.binary_join_element_wise(*fields, ",")
    ended = pc.binary_join_element_wise(lines, "", "\n").to_pylist()
    return "".join((f"{HEADER}\n", *ended)).encode()


def spreadsheet_safe(store_ids: pa.Array) -> pa.Array:
    """The ids, with a quote mark before those that a spreadsheet would run as a formula."""
    is_runnable = pc.and_not(
        pc.match_substring_regex(store_ids, _RUNNABLE),
        pc.match_substring_regex(store_ids, _PLAIN_INTEGER),
    )
    return pc.if_else(is_runnable, pc.binary_join_element_wise("'", store_ids, ""), store_ids)
