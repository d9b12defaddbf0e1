"""What differs between two versions of one statement. Pure computation."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, fields
from enum import StrEnum, unique
from typing import Final

from storemon_pipeline.domain.windows import HOUR_US
from storemon_pipeline.statements.period_reasons import reasons_text
from storemon_pipeline.statements.statement import (
    Statement,
    StatementClosure,
    StatementCorrection,
    StatementIncident,
    StatementReason,
    StoreLine,
    Summary,
)
from storemon_pipeline.statements.statement_tables import COUNTS_AS

Value = str | int | float | None


@unique
class Line(StrEnum):
    """The kind of line that changed."""

    STATEMENT = "statement"
    TOTAL = "total"
    STORE = "store"
    INCIDENT = "incident"
    CLOSURE = "closure"
    CORRECTION = "correction"


@dataclass(frozen=True, slots=True)
class Change:
    """A value of one line, before and after.

    `item` says which incident, closure or correction of the store it is: its start. A line that
    only one of the two statements has changes in its field `line`: from None, or to None. An
    estimate follows from data of other stores or from the status model, so it alone makes no new
    revision.
    """

    line: Line
    store_id: str | None
    item: str
    field: str
    before: Value
    after: Value
    is_estimate: bool


LINE: Final = "line"
"""The field of a line that appeared or is gone."""

OPENING: Final = "opening_us"

_ESTIMATES: Final = {
    *("likely_lowest_us", "likely_highest_us", "compared_us", "with_others_us", "mark"),
    *("name", "group", "region", "sales_lost"),
}


def compare(before: Statement, after: Statement) -> list[Change]:
    """What the statement `after` says otherwise, in the order of its tables."""
    changes = list(_statement(before, after))
    changes += _summary(Line.TOTAL, None, before.total, after.total)
    changes += _stores(before, after)
    changes += _incidents(before, after)
    changes += _closures(before, after)
    changes += _corrections(before, after)
    return changes


def makes_revision(changes: list[Change]) -> bool:
    """Whether more than estimates changed."""
    return any(not change.is_estimate for change in changes)


def _statement(before: Statement, after: Statement) -> Iterator[Change]:
    words = {False: "figures so far", True: "the whole period"}
    if before.is_complete != after.is_complete:
        yield _change(
            Line.STATEMENT, None, "covers", words[before.is_complete], words[after.is_complete]
        )


def _stores(before: Statement, after: Statement) -> Iterator[Change]:
    old = {line.store_id: line for line in before.stores}
    new = {line.store_id: line for line in after.stores}
    for store_id in sorted(old.keys() | new.keys()):
        if store_id not in new:
            yield _change(Line.STORE, store_id, LINE, _share(old[store_id]), None)
        elif store_id not in old:
            yield _change(Line.STORE, store_id, LINE, None, _share(new[store_id]))
        else:
            one, other = old[store_id], new[store_id]
            for name in ("name", "group", "region", "timezone"):
                first, second = getattr(one, name), getattr(other, name)
                if first != second:
                    yield _change(Line.STORE, store_id, name, first, second)
            yield from _summary(Line.STORE, store_id, one.summary, other.summary)


def _share(line: StoreLine) -> str:
    percent = line.summary.uptime_percent
    return "no data" if percent is None else f"{percent:.2f} % online"


def _summary(line: Line, store_id: str | None, before: Summary, after: Summary) -> Iterator[Change]:
    for field in fields(Summary):
        first, second = getattr(before, field.name), getattr(after, field.name)
        if first != second:
            yield _change(line, store_id, field.name, _plain(first), _plain(second))


def _incidents(before: Statement, after: Statement) -> Iterator[Change]:
    old = {(one.store_id, one.start): one for one in before.incidents}
    new = {(one.store_id, one.start): one for one in after.incidents}
    knows_reasons = before.reasons is not None
    for key in sorted(old.keys() | new.keys()):
        one, other = old.get(key), new.get(key)
        known = one or other
        if known is None:
            continue
        item = f"{known.start_local:%Y-%m-%d %H:%M}"
        if one is None or other is None:
            yield _change(Line.INCIDENT, key[0], LINE, _lost(one), _lost(other), item)
            continue
        # Where it ends outside of the period is not part of the statement.
        for name in ("lost_us", "mark"):
            first, second = getattr(one, name), getattr(other, name)
            if first != second:
                yield _change(Line.INCIDENT, key[0], name, first, second, item)
        if knows_reasons and one.reasons != other.reasons:
            texts = _reasons_text(one.reasons), _reasons_text(other.reasons)
            yield _change(Line.INCIDENT, key[0], "reasons", *texts, item)


def _reasons_text(reasons: list[StatementReason]) -> str | None:
    """The reasons, each with its opening time lost; None without any."""
    texts = (f"{reasons_text([one])}, {one.lost_us / HOUR_US:,.4f} h" for one in reasons)
    return "; ".join(texts) or None


def _lost(incident: StatementIncident | None) -> int | None:
    return None if incident is None else incident.lost_us


def _closures(before: Statement, after: Statement) -> Iterator[Change]:
    old, new = Counter(before.closures), Counter(after.closures)
    for closure in sorted((old - new) + (new - old), key=_place):
        is_new = new[closure] > old[closure]
        item, text = f"{closure.start_local:%Y-%m-%d %H:%M}", _closure_text(closure)
        yield _change(
            *(Line.CLOSURE, closure.store_id, LINE),
            *(None if is_new else text, text if is_new else None, item),
        )


def _corrections(before: Statement, after: Statement) -> Iterator[Change]:
    old, new = Counter(before.corrections), Counter(after.corrections)
    for one in sorted((old - new) + (new - old), key=lambda one: (one.store_id, one.start)):
        is_new = new[one] > old[one]
        item, text = f"{one.start_local:%Y-%m-%d %H:%M}", _correction_text(one)
        yield _change(
            *(Line.CORRECTION, one.store_id, LINE),
            *(None if is_new else text, text if is_new else None, item),
        )


def _correction_text(one: StatementCorrection) -> str:
    until = f"until {one.end_local:%Y-%m-%d %H:%M}"
    return f"{COUNTS_AS[one.kind]} {until}, {one.reason} ({one.author or 'no name'})"


def _place(closure: StatementClosure) -> tuple[str, str, str]:
    return closure.store_id, str(closure.start_local), _closure_text(closure)


def _closure_text(closure: StatementClosure) -> str:
    end = "open end" if closure.end_local is None else f"until {closure.end_local:%Y-%m-%d %H:%M}"
    return f"{end}, {closure.reason}" if closure.reason else end


def _plain(value: Value) -> Value:
    return str(value) if isinstance(value, StrEnum) else value


def _change(
    line: Line, store_id: str | None, field: str, before: Value, after: Value, item: str = ""
) -> Change:
    return Change(line, store_id, item, field, before, after, field in _ESTIMATES)
