"""A revision of a sent statement: its number, what it changed and why, as lines and as a table."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from storemon_pipeline.statements.changes import LINE, Change, Line, Value
from storemon_pipeline.statements.statement_tables import Cell, Column, Table, hours


@dataclass(frozen=True, slots=True)
class Revision:
    """One version of a statement that was sent. Number 1 changes nothing."""

    number: int
    sent_at: datetime
    changes: list[Change]
    reasons: list[str]
    """Why the figures changed, in words."""


_COLUMNS: Final = (
    Column("line", "Line", 14),
    Column("store_id", "Store", 24),
    Column("item", "Start (local time)", 20),
    Column("field", "Figure", 24),
    Column("before", "Before", 18),
    Column("after", "After", 18),
)
_FIELDS: Final = {
    LINE: "line",
    "opening_us": "opening hours",
    "up_us": "online (h)",
    "down_us": "offline (h)",
    "unknown_us": "no data (h)",
    "uptime_percent": "uptime %",
    "likely_lowest_us": "likely from (h)",
    "likely_highest_us": "likely to (h)",
    "objective_percent": "objective %",
    "incidents": "outages",
    "compared_us": "compared (h)",
    "with_others_us": "with others (h)",
    "sales_lost": "sales lost",
    "lost_us": "opening hours lost",
}
_LINES: Final = {Line.INCIDENT: "outage"}


def revision_facts(revision: Revision) -> list[tuple[str, str]]:
    """What a reader must know of the revision: labels and texts."""
    facts = [("Revision", f"{revision.number}, of {revision.sent_at:%Y-%m-%d %H:%M} UTC")]
    if revision.number > 1:
        facts.append(("Replaces", f"revision {revision.number - 1}"))
        facts.append(("Lines changed", f"{len(revision.changes):,}"))
        facts += [("Because", reason) for reason in revision.reasons]
    return facts


def changes_table(changes: list[Change]) -> Table:
    """A row for each value that changed; amounts of time in hours."""
    return Table(_COLUMNS, [_row(change) for change in changes])


def _row(change: Change) -> list[Cell]:
    return [
        _LINES.get(change.line, change.line.value),
        "every store" if change.store_id == "*" else change.store_id or "",
        change.item,
        _FIELDS.get(change.field, change.field.replace("_us", " (h)").replace("_", " ")),
        _cell(change, change.before),
        _cell(change, change.after),
    ]


def _cell(change: Change, value: Value) -> Cell:
    is_amount = change.field.endswith("_us") or (
        change.line is Line.INCIDENT and change.field == LINE
    )
    if value is None:
        return "none" if change.field in {LINE, "reasons"} else "n/a"
    return hours(value) if is_amount and isinstance(value, int) else value
