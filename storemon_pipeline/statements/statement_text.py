"""A statement in words for people to read: what the page and the PDF show. No I/O."""

from dataclasses import dataclass
from typing import Final

from storemon_pipeline.domain.text_directions import with_visible_directions
from storemon_pipeline.domain.windows import HOUR_US
from storemon_pipeline.statements.changes import Change
from storemon_pipeline.statements.revision import Revision, changes_table, revision_facts
from storemon_pipeline.statements.statement import Statement, Summary
from storemon_pipeline.statements.statement_tables import (
    Cell,
    Table,
    TableName,
    facts_of,
    has_verdicts,
    likely_text,
    table_names,
    table_of,
    title_of,
)

MOST_STORES: Final = 1_000
MOST_INCIDENTS: Final = 200
MOST_CHANGES: Final = 500
"""The most rows on paper; files and JSON have all of them."""


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table of texts; `name` is that of its file, `note` says which rows are left out."""

    name: str
    title: str
    headings: list[str]
    rows: list[list[str]]
    total: list[str] | None
    note: str


@dataclass(frozen=True, slots=True)
class StatementText:
    """A statement in words: its title, facts, totals and tables."""

    title: str
    facts: list[tuple[str, str]]
    totals: list[tuple[str, str]]
    tables: list[TextTable]


def statement_text(statement: Statement, revision: Revision | None = None) -> StatementText:
    """The statement in words. One store needs no table of stores."""
    names = table_names(statement)
    if len(statement.stores) == 1:
        names.remove(TableName.STORES)
    facts = facts_of(statement)
    tables = [_table(statement, name) for name in names]
    if revision is not None:
        facts += revision_facts(revision)
        if revision.changes:
            tables.insert(0, changes_text(revision.changes))
    return StatementText(
        with_visible_directions(title_of(statement)),
        [(label, with_visible_directions(fact)) for label, fact in facts],
        _totals(statement.total, has_objective=has_verdicts(statement)),
        tables,
    )


def changes_text(changes: list[Change]) -> TextTable:
    """The table of changes in words."""
    table = changes_table(changes)
    note = ""
    if len(table.rows) > MOST_CHANGES:
        note = (
            f"These are the first {MOST_CHANGES} of {len(table.rows):,}. The spreadsheet lists all."
        )
    return TextTable(
        "changes",
        "Changes",
        [column.heading for column in table.columns],
        # Late polls may move a border by seconds, which two decimals of an hour hide.
        [
            [f"{cell:,.4f}" if isinstance(cell, float) else _text(cell) for cell in row]
            for row in table.rows[:MOST_CHANGES]
        ],
        None,
        note,
    )


def hours_text(amount_us: int) -> str:
    """An amount of time in hours.

    >>> hours_text(5_400_000_000)
    '1.50 h'
    """
    return f"{amount_us / HOUR_US:,.2f} h"


def _totals(total: Summary, *, has_objective: bool) -> list[tuple[str, str]]:
    percent = total.uptime_percent
    totals = [
        ("Opening time", hours_text(total.opening_us)),
        ("Online", hours_text(total.up_us)),
        ("Offline", hours_text(total.down_us)),
        ("No data", hours_text(total.unknown_us)),
        ("Uptime", "n/a" if percent is None else f"{percent:.2f} %"),
        ("Likely range", likely_text(total)),
        ("Outages", f"{total.incidents:,}"),
    ]
    if total.sales_lost is not None:
        totals.append(("Sales lost", total.sales_lost))
    if total.compared_us:
        shared, compared = hours_text(total.with_others_us), hours_text(total.compared_us)
        totals.append(("With others", f"{shared} of {compared} in outages that can be compared"))
    if total.objective_percent is not None and total.verdict is not None:
        totals += [
            ("Objective", f"at least {total.objective_percent:g} % online"),
            ("Verdict", total.verdict.value),
        ]
    elif has_objective:
        totals.append(("Objective", "differs between stores"))
    return totals


_TITLES: Final = {
    TableName.STORES: "Stores",
    TableName.INCIDENTS: "Outages",
    TableName.REASONS: "Reasons",
    TableName.CLOSURES: "Closures",
    TableName.CORRECTIONS: "Corrections",
    TableName.SPECIAL_HOURS: "Special hours",
}
_ONLY_IN_FILES: Final = {"region", "timezone"}
_ONLY_WITH_OBJECTIVE: Final = {"objective_percent", "verdict"}
_ONLY_OF_SEVERAL: Final = {"store_id", "name"}


def _table(statement: Statement, name: TableName) -> TextTable:
    table = table_of(statement, name)
    left_out = set(_ONLY_IN_FILES)
    if len(statement.stores) == 1:
        left_out |= _ONLY_OF_SEVERAL
    if not has_verdicts(statement):
        left_out |= _ONLY_WITH_OBJECTIVE
    places = [place for place, column in enumerate(table.columns) if column.name not in left_out]
    rows, note = _rows(table, name)
    return TextTable(
        name.value,
        _TITLES[name],
        [table.columns[place].heading for place in places],
        [[_text(row[place]) for place in places] for row in rows],
        None if table.total is None else [_text(table.total[place]) for place in places],
        note,
    )


def _rows(table: Table, name: TableName) -> tuple[list[list[Cell]], str]:
    """The rows that fit on paper, and a note about the others."""
    if name is TableName.INCIDENTS and len(table.rows) > MOST_INCIDENTS:
        lost = [column.name for column in table.columns].index("lost_hours")
        longest = sorted(table.rows, key=lambda row: -float(row[lost] or 0))[:MOST_INCIDENTS]
        return longest, (
            f"These {MOST_INCIDENTS} of {len(table.rows):,} cost most opening hours. "
            "The spreadsheet lists all."
        )
    if len(table.rows) > MOST_STORES:
        return table.rows[:MOST_STORES], (
            f"These are the first {MOST_STORES:,} of {len(table.rows):,}. "
            "The spreadsheet lists all."
        )
    return table.rows, "" if table.rows else "None in this period."


def _text(value: Cell) -> str:
    match value:
        case None:
            return "-"
        case float():
            return f"{value:,.2f}"
        case int():
            return f"{value:,}"
        case _:
            return with_visible_directions(value)
