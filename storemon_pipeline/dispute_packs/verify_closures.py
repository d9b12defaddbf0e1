"""Comparing the closures that a pack lists with the time that its figures leave out."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, time
from typing import Any

from storemon_pipeline.business_time.calendar import EVERY_STORE, OPEN_END
from storemon_pipeline.database.instants import microseconds
from storemon_pipeline.dispute_packs.evidence import Evidence
from storemon_pipeline.dispute_packs.verify_events import Finding
from storemon_pipeline.domain.windows import DAY_US
from storemon_pipeline.schedules.closures import EVERY_STORE_ID
from storemon_pipeline.statements.statement import Statement, StatementClosure


def closures_left_out(evidence: Evidence) -> Iterator[Finding]:
    """Whether the listed closures are those left out of opening time, and why and by whom."""
    closures, listed = evidence.calendar_rows.closures, evidence.closures
    if closures is None or listed is None:
        return
    places = {store_id: place for place, store_id in enumerate(evidence.store_ids)}
    places[EVERY_STORE_ID] = EVERY_STORE
    of_stores = ~closures.is_utc
    columns = (closures.store, closures.start_local_us, closures.end_local_us)
    left_out = sorted(zip(*(column[of_stores].tolist() for column in columns), strict=True))
    is_same = left_out == sorted(
        (places[one["store_id"]], _us(one["start_local"]), _us(one["end_local"])) for one in listed
    )
    yield Finding.of(
        "closures",
        right=f"all {len(listed):,} that are left out of opening time are listed",
        wrong="" if is_same else "those listed are not those that are left out of opening time",
    )
    for one in listed:
        # A local time is less than a day from the same time in UTC.
        is_near = (
            _us(one["start_local"]) < evidence.horizon_us + DAY_US
            and _us(one["end_local"]) > evidence.since_us - DAY_US
        )
        if is_near:
            yield Finding(is_right=True, text=_text(one))


def closures_of_statement(statement: Statement, evidence: Evidence) -> Iterator[Finding]:
    """Whether the statement lists all closures of its period, with their reasons."""
    if evidence.closures is None:
        return
    begin, end = (datetime.combine(day, time()) for day in (statement.begin, statement.end))
    listed = [
        StatementClosure(
            one["store_id"],
            datetime.fromisoformat(one["start_local"]),
            one["end_local"] and datetime.fromisoformat(one["end_local"]),
            one["reason"],
        )
        for one in evidence.closures
    ]
    computed = Counter(
        one
        for one in listed
        if one.start_local < end and (one.end_local is None or one.end_local > begin)
    )
    # A statement of all stores also lists closures of stores that have no figures.
    of_stores = {*evidence.store_ids, EVERY_STORE_ID}
    stated = Counter(one for one in statement.closures if one.store_id in of_stores)
    yield Finding.of(
        "closures of the period",
        right=f"all {stated.total():,} are listed, with their reasons",
        wrong="" if stated == computed else "those of the statement are others",
    )


def _text(closure: dict[str, Any]) -> str:
    whose = "every store" if closure["store_id"] == EVERY_STORE_ID else closure["store_id"]
    end = closure["end_local"]
    until = "with an open end" if end is None else f"to {end}"
    reason = json.dumps(closure["reason"], ensure_ascii=False)
    author = closure["author"]
    by = "" if author is None else f", by {json.dumps(author, ensure_ascii=False)}"
    return f"closure of {whose} from {closure['start_local']} {until}: {reason}{by}"


def _us(local: str | None) -> int:
    """Microseconds of a local time, as if it were in UTC; OPEN_END without one."""
    return (
        OPEN_END
        if local is None
        else microseconds(datetime.fromisoformat(local).replace(tzinfo=UTC))
    )
