"""Parsing rows of objectives. Which objective holds for a store belongs to `precedence`."""

import re
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa

from storemon_pipeline.business_time.local_periods import Period
from storemon_pipeline.domain.rejections import Reason, Verdict
from storemon_pipeline.domain.windows import BoolArray
from storemon_pipeline.files.csv_text import Column
from storemon_pipeline.files.distinct_texts import distinct_texts
from storemon_pipeline.files.folders import OpenFile
from storemon_pipeline.files.snapshots import (
    VALID_FROM,
    SnapshotRead,
    parse_valid_from,
    read_snapshot,
    text_column,
)
from storemon_pipeline.objectives.precedence import PERIODS, AppliesTo
from storemon_pipeline.stores.store_ids import reject_bad_ids

COLUMNS: Final = (
    Column("applies_to"),
    Column("name"),
    Column("objective"),
    Column("by", is_needed=False),
    VALID_FROM,
)

NONE: Final = "none"
"""What stands in the column `objective` where there is no objective from then on."""

_PERCENTAGE: Final = re.compile(r"(?:100(?:\.0{1,4})?|\d{1,2}(?:\.\d{1,4})?) ?%?", re.ASCII)


def read_objectives_file(file: Path | OpenFile) -> SnapshotRead:
    """Read a file of objectives.

    Columns of the frame: applies_to (str, of AppliesTo), name (str; the store's id, the name of the
    group or region, or empty), objective (str; a percentage or NONE), by (str, of PERIODS),
    valid_from_us (Int64, see parse_valid_from), line (int64). Raises UnusableFileError.
    """
    return read_snapshot(file, COLUMNS, parse_objectives)


def parse_objectives(columns: dict[str, pa.Array], verdict: Verdict) -> pd.DataFrame:
    """Return the frame of read_objectives_file without `line`, for all rows; reject bad ones."""
    levels, level = distinct_texts(columns["applies_to"])
    levels = [text.lower() for text in levels]
    is_level = np.array([text in set(AppliesTo) for text in levels], np.bool_)[level]
    verdict.reject(~is_level, Reason.APPLIES_TO)

    def is_for(applies_to: AppliesTo) -> BoolArray:
        return np.array([text == applies_to for text in levels], np.bool_)[level]

    names, name = distinct_texts(columns["name"])
    # A row that is not of a store gets an id that passes.
    of_store = np.where(is_for(AppliesTo.STORE), name, len(names)).astype(np.int32)
    reject_bad_ids(verdict, [*names, "any"], of_store)
    is_named = np.array([text not in {"", "*"} for text in names], np.bool_)[name]
    verdict.reject(is_named == is_for(AppliesTo.ALL), Reason.OBJECTIVE_NAME)

    objectives, objective = distinct_texts(columns["objective"])
    is_read = [
        text.lower() == NONE or _PERCENTAGE.fullmatch(text) is not None for text in objectives
    ]
    verdict.reject(~np.array(is_read, np.bool_)[objective], Reason.OBJECTIVE_PERCENT)
    objectives = [text.lower().removesuffix("%").strip() for text in objectives]

    periods, period = [""], np.zeros(len(level), np.int32)
    if "by" in columns:
        periods, period = distinct_texts(columns["by"])
    periods = [text.lower() or Period.MONTH.value for text in periods]
    is_period = np.array([text in PERIODS for text in periods], np.bool_)[period]
    verdict.reject(~is_period, Reason.OBJECTIVE_PERIOD)
    return pd.DataFrame(
        {
            "applies_to": text_column(levels, level),
            "name": text_column(["" if text == "*" else text for text in names], name),
            "objective": text_column(objectives, objective),
            "by": text_column(periods, period),
            "valid_from_us": parse_valid_from(columns, verdict),
        }
    )
