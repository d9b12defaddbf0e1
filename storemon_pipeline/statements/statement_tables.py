"""The tables of a statement: columns and rows that CSV, XLSX, page and PDF share. No I/O."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum, unique
from typing import Final

from storemon_pipeline.corrections.correction_table import Kind
from storemon_pipeline.domain.windows import HOUR_US
from storemon_pipeline.statements.period_reasons import reasons_text
from storemon_pipeline.statements.statement import (
    Scope,
    Statement,
    StatementClosure,
    StatementCorrection,
    StatementIncident,
    StoreLine,
    Summary,
)
from storemon_pipeline.statements.statement_period import StatementPeriod
from storemon_pipeline.uptime.percentages import share_percent

Cell = str | int | float | None
"""The value of a cell; hours and percentages are numbers."""


@unique
class TableName(StrEnum):
    """The tables of a statement."""

    STORES = "stores"
    INCIDENTS = "incidents"
    REASONS = "reasons"
    CLOSURES = "closures"
    CORRECTIONS = "corrections"
    SPECIAL_HOURS = "special-hours"


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name in CSV, and its heading and the width of its cells elsewhere."""

    name: str
    heading: str
    width: int = 12


@dataclass(frozen=True, slots=True)
class Table:
    """Columns and rows; `total` is a row of the sums, or None."""

    columns: tuple[Column, ...]
    rows: list[list[Cell]]
    total: list[Cell] | None = None


_SALES: Final = Column("sales_lost", "Sales lost", 20)
"""Only in statements of stores with demand."""

_WIDESPREAD: Final = Column("widespread_outages", "Widespread outages", 28)
"""Only in statements with outages that were with others."""

_REASONS: Final = Column("reasons", "Reasons", 40)
"""Only in statements with outages that have reasons."""

_OF_SUMMARY: Final[tuple[tuple[Column, Callable[[Summary], Cell]], ...]] = (
    (Column("opening_hours", "Opening hours"), lambda of: hours(of.opening_us)),
    (Column("up_hours", "Online (h)"), lambda of: hours(of.up_us)),
    (Column("down_hours", "Offline (h)"), lambda of: hours(of.down_us)),
    (Column("unknown_hours", "No data (h)"), lambda of: hours(of.unknown_us)),
    (Column("uptime_percent", "Uptime %"), lambda of: of.uptime_percent),
    (Column("likely_lowest_percent", "Likely from %"), lambda of: _likely(of)[0]),
    (Column("likely_highest_percent", "Likely to %"), lambda of: _likely(of)[1]),
    (Column("objective_percent", "Objective %"), lambda of: of.objective_percent),
    (Column("verdict", "Verdict", 16), lambda of: of.verdict and of.verdict.value),
    (Column("incidents", "Outages"), lambda of: of.incidents),
    (Column("with_others_hours", "With others (h)"), lambda of: hours(of.with_others_us)),
    (_SALES, lambda of: of.sales_lost),
)

_STORE: Final = (
    Column("store_id", "Store", 24),
    Column("name", "Name", 28),
    Column("group", "Group", 18),
    Column("region", "Region", 18),
    Column("timezone", "Time zone", 20),
)

_INCIDENT: Final = (
    Column("store_id", "Store", 24),
    Column("name", "Name", 28),
    Column("start_local", "Start (local time)", 20),
    Column("end_local", "End (local time)", 20),
    Column("lost_hours", "Opening hours lost", 18),
    Column("mark", "Alone or with others", 20),
)

_REASON: Final = (
    Column("source", "Source", 20),
    Column("reason", "Reason", 40),
    Column("incidents", "Outages"),
    Column("lost_hours", "Opening hours lost", 18),
)

_CLOSURE: Final = (
    Column("store_id", "Store", 24),
    Column("start_local", "From (local time)", 20),
    Column("end_local", "Until (local time)", 20),
    Column("reason", "Reason", 40),
)

_SPECIAL_HOURS: Final = (
    Column("store_id", "Store", 24),
    Column("date", "Date", 14),
    Column("hours", "Hours (local time)", 40),
)

_CORRECTION: Final = (
    Column("store_id", "Store", 24),
    Column("start_local", "From (local time)", 20),
    Column("end_local", "Until (local time)", 20),
    Column("counts_as", "Counts as", 16),
    Column("reason", "Reason", 40),
    Column("author", "Entered by", 20),
)

COUNTS_AS: Final = {
    Kind.TAKEN_OUT: "taken out",
    Kind.UP: "online",
    Kind.DOWN: "offline",
}
"""What the time of a correction counts as, in words."""


def table_of(statement: Statement, name: TableName) -> Table:
    """One of the tables."""
    if name is TableName.INCIDENTS:
        return _incidents(statement)
    if name is TableName.REASONS:
        return _reasons(statement)
    if name is TableName.CLOSURES:
        return Table(_CLOSURE, [_closure(one) for one in statement.closures])
    if name is TableName.CORRECTIONS:
        return Table(_CORRECTION, [_correction(one) for one in statement.corrections])
    if name is TableName.SPECIAL_HOURS:
        return Table(
            _SPECIAL_HOURS,
            [[one.store_id, str(one.local_date), one.hours] for one in statement.special_hours],
        )
    total: list[Cell] = ["", "Total", "", "", ""]
    of_summary = _OF_SUMMARY if has_sales(statement) else _OF_SUMMARY[:-1]
    return Table(
        (*_STORE, *(column for column, _ in of_summary)),
        [
            [*_store(line), *(value(line.summary) for _, value in of_summary)]
            for line in statement.stores
        ],
        total + [value(statement.total) for _, value in of_summary],
    )


def title_of(statement: Statement) -> str:
    """What the statement is about, in words."""
    scope, stores = statement.scope, statement.stores
    if scope.store_id is not None:
        name = stores[0].name if stores else None
        return scope.store_id if name is None else f"{name} ({scope.store_id})"
    named = [
        f"{kind} {name}"
        for kind, name in (("Group", scope.group), ("Region", scope.region))
        if name is not None
    ]
    return ", ".join(named) or "All stores"


def facts_of(statement: Statement) -> list[tuple[str, str]]:
    """What a reader must know of the whole statement: labels and texts."""
    period = StatementPeriod.parse(statement.period)
    whose = "the" if statement.scope.store_id is not None else "each"
    facts = [
        ("Statement of", title_of(statement)),
        ("Period", period.title),
        ("Days", f"{statement.begin} to {statement.end} at 00:00, in {whose} store's local time"),
        ("Data up to", f"{statement.as_of:%Y-%m-%d %H:%M:%S} UTC"),
        ("Stores", str(len(statement.stores))),
    ]
    if not statement.is_complete:
        facts.append(("Note", "The period has not ended: the figures are those so far."))
    return facts


def _incidents(statement: Statement) -> Table:
    names = {line.store_id: line.name for line in statement.stores}
    more: list[tuple[Column, Callable[[StatementIncident], Cell]]] = []
    if any(one.widespread_outages for one in statement.incidents):
        more.append((_WIDESPREAD, lambda one: one.widespread_outages or None))
    if has_sales(statement):
        more.append((_SALES, lambda one: one.sales_lost))
    if has_reasons(statement):
        more.append((_REASONS, lambda one: reasons_text(one.reasons) or None))
    return Table(
        (*_INCIDENT, *(column for column, _ in more)),
        [
            [*_incident(one, names), *(value(one) for _, value in more)]
            for one in statement.incidents
        ],
    )


def _reasons(statement: Statement) -> Table:
    """A row for each reason, and one for the time without; the total is the time offline."""
    if not has_reasons(statement):
        return Table(_REASON, [])
    reasons = statement.reasons or []
    rows: list[list[Cell]] = [
        [one.source, one.reason, one.incidents, hours(one.lost_us)] for one in reasons
    ]
    down_us = statement.total.down_us
    other_us = down_us - sum(one.lost_us for one in reasons)
    if other_us:
        without = sum(
            sum(reason.lost_us for reason in one.reasons) < one.lost_us
            for one in statement.incidents
        )
        rows.append(["", "none known", without, hours(other_us)])
    return Table(_REASON, rows, ["Total", "", statement.total.incidents, hours(down_us)])


def hours(amount_us: int) -> float:
    """An amount in hours, with four decimals."""
    return round(amount_us / HOUR_US, 4)


def has_verdicts(statement: Statement) -> bool:
    """Whether any store has an objective."""
    return any(line.summary.objective_percent is not None for line in statement.stores)


def has_sales(statement: Statement) -> bool:
    """Whether any store has expected sales."""
    return statement.total.sales_lost is not None


def table_names(statement: Statement) -> list[TableName]:
    """The tables that the statement has: reasons and special hours only where there are some."""
    left_out = set()
    if not has_reasons(statement):
        left_out.add(TableName.REASONS)
    if not statement.special_hours:
        left_out.add(TableName.SPECIAL_HOURS)
    return [name for name in TableName if name not in left_out]


def has_reasons(statement: Statement) -> bool:
    """Whether events or corrections give a reason for any outage."""
    return bool(statement.reasons)


def likely_text(summary: Summary) -> str:
    """The likely range in words."""
    lowest, highest = _likely(summary)
    return "not known" if lowest is None else f"{lowest:.2f} to {highest:.2f} %"


def scope_name(scope: Scope) -> str:
    """A part of a file name, of ASCII letters, digits and hyphens."""
    text = scope.store_id or scope.group or scope.region or "all"
    return "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in text)[:60]


def _likely(of: Summary) -> tuple[float | None, float | None]:
    known_us = of.up_us + of.down_us
    if of.likely_lowest_us is None or of.likely_highest_us is None:
        return None, None
    return share_percent(of.likely_lowest_us, known_us), share_percent(
        of.likely_highest_us, known_us
    )


def _store(line: StoreLine) -> list[Cell]:
    return [line.store_id, line.name, line.group, line.region, line.timezone]


def _incident(incident: StatementIncident, names: dict[str, str | None]) -> list[Cell]:
    return [
        incident.store_id,
        names[incident.store_id],
        _clock(incident.start_local),
        "still offline" if incident.is_open else _clock(incident.end_local),
        hours(incident.lost_us),
        incident.mark,
    ]


def _closure(closure: StatementClosure) -> list[Cell]:
    return [
        "every store" if closure.store_id == "*" else closure.store_id,
        _clock(closure.start_local),
        "open end" if closure.end_local is None else _clock(closure.end_local),
        closure.reason,
    ]


def _correction(correction: StatementCorrection) -> list[Cell]:
    return [
        correction.store_id,
        _clock(correction.start_local),
        _clock(correction.end_local),
        COUNTS_AS[correction.kind],
        correction.reason,
        correction.author,
    ]


def _clock(local: datetime) -> str:
    return f"{local:%Y-%m-%d %H:%M}"
