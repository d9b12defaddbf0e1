"""The rules for store ids: any text that is not empty, not too long for an index, not spoiled."""

import re
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from storemon_pipeline.domain.rejections import Reason, Verdict

MAX_CHARACTERS: Final = 256
"""PostgreSQL allows about 2,700 bytes in an index, and a character may have four."""

_ROUNDED: Final = re.compile(r"-?\d(?:[.,]\d*)?[Ee]\+\d{1,3}|-?\d[.,]\d+[Ee]\d{1,3}", re.ASCII)
"""A number as spreadsheets and programs shorten it: `8.41954E+18` may stand for many ids."""

_FRACTIONAL: Final = re.compile(r"-?\d+[.,]0+", re.ASCII)
"""A whole number that a program has written with decimals: `12.0`, or `12,0` elsewhere."""

_FORMATTED: Final = re.compile(
    r"=\"[^\"]*\"|'\d+|\d{1,3}(?:,\d{3})+|\d{1,3}(?:\.\d{3}){2,}", re.ASCII
)
"""A text or a number as only a spreadsheet writes it: `="0042"`, `'0042`, `1,234`, `1.234.567`."""

_MARKS: Final = ".,='"
"""Each of the texts above but the rounded numbers has one of these."""


def reject_bad_ids(verdict: Verdict, ids: Sequence[str], number: npt.NDArray[np.int32]) -> None:
    """Reject the rows (n,) with an invalid id; `number` is each row's index in `ids`."""
    length = np.array([len(text) for text in ids], np.int64)[number]
    verdict.reject(length == 0, Reason.NO_STORE_ID)
    verdict.reject(length > MAX_CHARACTERS, Reason.LONG_STORE_ID)
    is_rounded = [("E" in text or "e" in text) and bool(_ROUNDED.fullmatch(text)) for text in ids]
    verdict.reject(np.array(is_rounded, np.bool_)[number], Reason.ROUNDED_STORE_ID)
    # Hardly any file has such a character in its ids, and each pattern costs as much as all above.
    text = "".join(ids)
    if not any(mark in text for mark in _MARKS):
        return
    for pattern, reason in (
        (_FRACTIONAL, Reason.FRACTIONAL_STORE_ID),
        (_FORMATTED, Reason.FORMATTED_STORE_ID),
    ):
        is_bad = [bool(pattern.fullmatch(text)) for text in ids]
        verdict.reject(np.array(is_bad, np.bool_)[number], reason)
