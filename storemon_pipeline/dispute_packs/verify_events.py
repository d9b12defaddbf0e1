"""Recomputing what events and corrections cover and explain, from those listed in a pack."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Self

import numpy as np

from storemon_pipeline.corrections.correction_table import Kind
from storemon_pipeline.database.instants import microseconds
from storemon_pipeline.dispute_packs.evidence import Evidence
from storemon_pipeline.domain.windows import IntArray
from storemon_pipeline.events.event_texts import EventText
from storemon_pipeline.statements.period_figures import PeriodFigures
from storemon_pipeline.statements.statement import Statement, StatementReason
from storemon_pipeline.uptime.event_stretches import (
    OPEN_EVENT,
    EventStretches,
    resolve_events,
    with_corrections,
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked."""

    is_right: bool
    text: str

    @classmethod
    def of(cls, what: str, *, right: str, wrong: str) -> Self:
        """A finding that is right where there is nothing wrong to say."""
        return cls(is_right=not wrong, text=f"{what}: {wrong or right}")


def event_texts(evidence: Evidence) -> dict[int, EventText]:
    """Source and reason of the listed events and corrections, by the id of their stretches."""
    events = {
        one["event_id"]: EventText(one["source"], one["reason"]) for one in evidence.events.listed
    }
    corrections = {
        -one["correction_id"]: EventText("correction", one["reason"], is_correction=True)
        for one in evidence.events.corrections or ()
    }
    return events | corrections


def events_and_corrections(evidence: Evidence) -> Iterator[Finding]:
    """Whether the time that figures were made with is that of the listed events and corrections."""
    corrections = evidence.events.corrections
    if corrections is None:
        return
    listed = evidence.events.listed
    known, made = evidence.events.stretches, _stretches(evidence, corrections)
    is_same = all(
        np.array_equal(getattr(known, field.name), getattr(made, field.name))
        for field in fields(EventStretches)
    )
    yield Finding.of(
        "events",
        right=f"the time that they cover is that of {len(listed):,} events and "
        f"{len(corrections):,} corrections",
        wrong="" if is_same else "the time that they cover is not that of those listed",
    )
    yield Finding.of(
        "corrections",
        right="what they take out is left out of opening time",
        wrong=""
        if _taken_out(evidence) == _listed_taken_out(evidence, corrections)
        else "what they take out is not what is left out of opening time",
    )


def corrections_of_statement(
    statement: Statement, evidence: Evidence, found: PeriodFigures
) -> Iterator[Finding]:
    """Whether the statement lists all corrections of its period, with reason and author."""
    corrections = evidence.events.corrections
    if corrections is None:
        return
    places = {store_id: place for place, store_id in enumerate(evidence.store_ids)}
    computed = set()
    for one in corrections:
        # Statements list none of storefronts.
        place = places.get(one["store_id"])
        if place is None:
            continue
        start_us, end_us = _us(one["from"]), _us(one["to"])
        if start_us < found.end_us[place] and end_us > found.start_us[place]:
            computed.add(
                (one["store_id"], start_us, end_us, one["kind"], one["reason"], one["author"])
            )
    stated = [
        (
            *(one.store_id, microseconds(one.start), microseconds(one.end)),
            *(one.kind.value, one.reason, one.author),
        )
        for one in statement.corrections
    ]
    differ = len(set(stated) ^ computed) or len(stated) - len(computed)
    yield Finding.of(
        "corrections of the period",
        right=f"all {len(stated):,} are listed, with reason and author",
        wrong=f"{differ} differ" if differ else "",
    )


def reasons_of_statement(
    statement: Statement,
    computed: dict[tuple[str, datetime], list[StatementReason]],
) -> Finding:
    """Whether each outage has the reasons that events give, and the totals are their sums."""
    stated = {(one.store_id, one.start): one.reasons for one in statement.incidents}
    wrong = sum(stated[key] != computed.get(key) for key in stated)
    sums: dict[tuple[str, str], tuple[int, int]] = {}
    for reasons in computed.values():
        for one in reasons:
            outages, lost_us = sums.get((one.source, one.reason), (0, 0))
            sums[one.source, one.reason] = outages + 1, lost_us + one.lost_us
    totals = {
        (one.source, one.reason): (one.incidents, one.lost_us) for one in statement.reasons or ()
    }
    text = f"those of {wrong} outages differ" if wrong else ""
    if not wrong and totals != sums:
        text = "the totals are not the sums over the outages"
    return Finding.of(
        "reasons", right="they are those of the events, and so are their totals", wrong=text
    )


def _stretches(evidence: Evidence, corrections: list[dict[str, Any]]) -> EventStretches:
    """The stretches of the listed events and corrections."""
    place = {store_id: position for position, store_id in enumerate(evidence.polled_ids)}
    sources = sorted({one["source"] for one in evidence.events.listed})
    corrected = [
        one
        for one in corrections
        if one["kind"] != Kind.TAKEN_OUT and _us(one["from"]) <= evidence.as_of_us
    ]

    def resolved(
        rows: list[dict[str, Any]], up: str, is_up: str, event: IntArray, source: IntArray
    ) -> EventStretches:
        return resolve_events(
            np.array([place[one["store_id"]] for one in rows], np.int64),
            np.array([_us(one["from"]) for one in rows], np.int64),
            np.array([_us(one["to"]) for one in rows], np.int64),
            np.array([one[is_up] == up for one in rows], np.bool_),
            event,
            source,
        )

    listed = evidence.events.listed
    return with_corrections(
        resolved(
            *(listed, "up", "state"),
            np.array([one["event_id"] for one in listed], np.int64),
            np.array([sources.index(one["source"]) for one in listed], np.int64),
        ),
        resolved(
            *(corrected, Kind.UP, "kind"),
            np.array([-one["correction_id"] for one in corrected], np.int64),
            np.zeros(len(corrected), np.int64),
        ),
    )


def _taken_out(evidence: Evidence) -> list[tuple[int, int, int]]:
    """Store, start and end of the time in UTC that does not count as opening time."""
    closures = evidence.calendar_rows.closures
    if closures is None:
        return []
    own = closures.is_utc
    columns = (closures.store[own], closures.start_local_us[own], closures.end_local_us[own])
    return sorted(zip(*(column.tolist() for column in columns), strict=True))


def _listed_taken_out(
    evidence: Evidence, corrections: list[dict[str, Any]]
) -> list[tuple[int, int, int]]:
    # What is taken out of a storefront's time changes nothing.
    places = {store_id: place for place, store_id in enumerate(evidence.store_ids)}
    return sorted(
        (places[one["store_id"]], _us(one["from"]), _us(one["to"]))
        for one in corrections
        if one["kind"] == Kind.TAKEN_OUT and one["store_id"] in places
    )


def _us(text: str | None) -> int:
    return OPEN_EVENT if text is None else microseconds(datetime.fromisoformat(text))
