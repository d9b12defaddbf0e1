"""The rules for store ids: any text that is not empty and not too long for an index."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from storemon_pipeline.domain.rejections import Reason, Verdict

MAX_CHARACTERS: Final = 256
"""PostgreSQL allows about 2,700 bytes in an index, and a character may have four."""


def reject_bad_ids(verdict: Verdict, ids: Sequence[str], number: npt.NDArray[np.int32]) -> None:
    """Reject the rows (n,) with an invalid id; `number` is each row's index in `ids`."""
    length = np.array([len(text) for text in ids], np.int64)[number]
    verdict.reject(length == 0, Reason.NO_STORE_ID)
    verdict.reject(length > MAX_CHARACTERS, Reason.LONG_STORE_ID)
