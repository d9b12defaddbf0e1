"""Metadata of assets and checks, as the Dagster UI shows it."""

from datetime import datetime
from typing import Any

import dagster as dg
import pyarrow as pa

from storemon_pipeline.files.csv_text import Progress
from storemon_pipeline.ingestion.source_load import FileLoad, SourceLoad

Metadata = dict[str, Any]
"""Dagster does not export the type of metadata values."""

_MEGABYTE = 1_000_000
_MOST_LOADS = 100


def log_progress(context: dg.AssetExecutionContext) -> Progress:
    """A callback that logs the progress of reading a file."""

    def on_progress(bytes_done: int, bytes_total: int, rows: int) -> None:
        context.log.info(
            "read %s rows, %.0f of %.0f MB",
            f"{rows:,}",
            bytes_done / _MEGABYTE,
            bytes_total / _MEGABYTE,
        )

    return on_progress


def load_metadata(load: SourceLoad) -> Metadata:
    """The row counts of a source's loads: read = loaded + replaced + unchanged + rejected."""
    row_counts = load.row_counts
    metadata: Metadata = {
        "files": load.files,
        "is_read": bool(load.loads),
        "rows_read": row_counts.read,
        "rows_loaded": row_counts.loaded,
        "rows_replaced": row_counts.replaced,
        "rows_unchanged": row_counts.unchanged,
        "rows_rejected": row_counts.rejected,
    }
    if load.loads:
        metadata["loads"] = dg.MetadataValue.table(
            [_load_record(file) for file in load.loads[-_MOST_LOADS:]]
        )
    if by_reason := load.rejected_by_reason:
        metadata["rejected_by_reason"] = dg.MetadataValue.json(
            {reason.value: count for reason, count in by_reason.items()}
        )
    if load.refused:
        metadata["refused_files"] = "; ".join(str(file) for file in load.refused)
    return metadata


def _load_record(load: FileLoad) -> dg.TableRecord:
    row_counts = load.row_counts
    return dg.TableRecord(
        {
            "load_id": load.load_id,
            "file": load.file_path,
            "read": row_counts.read,
            "loaded": row_counts.loaded,
            "replaced": row_counts.replaced,
            "unchanged": row_counts.unchanged,
            "rejected": row_counts.rejected,
        }
    )


def as_of_metadata(as_of: datetime | None) -> Metadata:
    """The instant of a table's figures, when there is one."""
    return {} if as_of is None else {"as_of": dg.MetadataValue.timestamp(as_of)}


def preview(rows: pa.Table) -> dg.TableMetadataValue:
    """Rows as a table."""
    return dg.MetadataValue.table(
        records=[
            dg.TableRecord({name: str(value) for name, value in row.items()})
            for row in rows.to_pylist()
        ],
        schema=dg.TableSchema(columns=[dg.TableColumn(name) for name in rows.column_names]),
    )


_COMPUTED = ("business_hour_intervals", "store_uptime", "store_uptime_daily")
"""The assets whose materializations hold a `load_version`; the first is made before the others."""


def was_made_of(instance: dg.DagsterInstance, version: str) -> bool:
    """Whether all computed assets were last materialized from this version of the data."""
    events = [instance.get_latest_materialization_event(dg.AssetKey(name)) for name in _COMPUTED]
    made = [event for event in events if event is not None]
    if len(made) < len(_COMPUTED):
        return False
    versions = {
        event.asset_materialization.metadata.get("load_version")
        for event in made
        if event.asset_materialization is not None
    }
    is_in_order = all(made[0].timestamp <= event.timestamp for event in made[1:])
    return is_in_order and versions == {dg.MetadataValue.text(version)}
