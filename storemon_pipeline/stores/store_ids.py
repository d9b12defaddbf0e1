"""The rules for store ids: any text that is not empty, not too long for an index, not rounded."""

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


def reject_bad_ids(verdict: Verdict, ids: Sequence[str], number: npt.NDArray[np.int32]) -> None:
    """Reject the rows (n,) with an invalid id; `number` is each row's index in `ids`."""
    length = np.array([len(text) for text in ids], np.int64)[number]
    verdict.reject(length == 0, Reason.NO_STORE_ID)
    verdict.reject(length > MAX_CHARACTERS, Reason.LONG_STORE_ID)
    is_rounded = [("E" in text or "e" in text) and bool(_ROUNDED.fullmatch(text)) for text in ids]
    verdict.reject(np.array(is_rounded, np.bool_)[number], Reason.ROUNDED_STORE_ID)
