"""Recomputing the figures of a pack from its own evidence, without a database."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

import numpy as np

from storemon_pipeline.business_time.calendar import Calendar
from storemon_pipeline.business_time.zones import RULES_RELEASE
from storemon_pipeline.database.instants import instant, microseconds
from storemon_pipeline.dispute_packs.evidence import Evidence
from storemon_pipeline.dispute_packs.evidence_files import (
    LEDGER,
    csv_text,
    ledger_text,
    read_evidence,
)
from storemon_pipeline.dispute_packs.pack_file import Pack
from storemon_pipeline.dispute_packs.verify_closures import (
    closures_left_out,
    closures_of_statement,
)
from storemon_pipeline.dispute_packs.verify_events import (
    Finding,
    corrections_of_statement,
    event_texts,
    events_and_corrections,
    reasons_of_statement,
)
from storemon_pipeline.domain.windows import IntArray
from storemon_pipeline.statements.period_figures import PeriodFigures, period_figures, reach_of
from storemon_pipeline.statements.period_reasons import reasons_of_outages
from storemon_pipeline.statements.statement import Statement, StatementReason
from storemon_pipeline.statements.statement_json import read_statement_json
from storemon_pipeline.statements.statement_period import StatementPeriod
from storemon_pipeline.uptime.incidents import Ending, Incidents, find_incidents
from storemon_pipeline.uptime.percentages import share_percent

STATEMENT: Final = "statement.json"
INCIDENT: Final = "incident.json"

INCIDENT_MARGIN_US: Final = 86_400_000_000
"""The ledger of an incident reaches a day before and after it."""


def verify(pack: Pack) -> list[Finding]:
    """Everything that can be checked in a pack whose signature is right, in order."""
    try:
        return list(_findings(pack))
    except (KeyError, ValueError, TypeError, IndexError) as error:
        return [Finding(is_right=False, text=f"its files cannot be read: {error!r}")]


def _findings(pack: Pack) -> Iterator[Finding]:
    evidence = read_evidence(pack.files)
    polls = len(evidence.polls.store)
    if evidence.zone_rules != RULES_RELEASE:
        yield Finding(
            is_right=True,
            text=f"time zones: made by the rules of {evidence.zone_rules}, checked by those of "
            f"{RULES_RELEASE}; a difference may come from that",
        )
    unlike = evidence.unlike_polls()
    for store in unlike:
        yield Finding(
            is_right=False, text=f"{evidence.polled_ids[store]}: polls and status runs differ"
        )
    if not unlike:
        yield Finding(
            is_right=True, text=f"status runs: they are those of the {polls:,} polls in the file"
        )
    yield from _missing_polls(evidence)
    yield from _storefronts(evidence)
    yield from events_and_corrections(evidence)
    yield from closures_left_out(evidence)
    if STATEMENT in pack.files:
        yield from _statement(evidence, pack.files)
    else:
        yield from _incident(evidence, pack.files)


def _missing_polls(evidence: Evidence) -> Iterator[Finding]:
    """Say where raw polls were no longer kept: there status runs are the evidence."""
    touching = evidence.status_runs.last_poll_us >= evidence.since_us
    count = len(evidence.polled_ids)
    counted = np.bincount(evidence.status_runs.store[touching], minlength=count)
    kept = np.bincount(evidence.polls.store, minlength=count)
    without = int(((counted > 0) & (kept == 0)).sum())
    if without:
        yield Finding(
            is_right=True,
            text=f"{without} stores have no raw polls in the file: status runs stand for them"
            if evidence.fronts is None
            else f"{without} stores or storefronts have no raw polls in the file: status runs "
            "stand for them",
        )


def _storefronts(evidence: Evidence) -> Iterator[Finding]:
    """Say which storefronts each store has, and by which rule they are joined."""
    fronts = evidence.fronts
    if fronts is None:
        return
    for store in np.unique(fronts.store).tolist():
        own = np.flatnonzero(fronts.store == store).tolist()
        names = ", ".join(
            f"{fronts.channels[row] or 'of its own id'} "
            f"({evidence.polled_ids[int(fronts.polled[row])]})"
            for row in own
        )
        yield Finding(
            is_right=True,
            text=f"{evidence.store_ids[store]}: computed from its storefronts {names}, "
            f"by {fronts.rule}",
        )


def _statement(evidence: Evidence, files: dict[str, bytes]) -> Iterator[Finding]:
    statement = read_statement_json(files[STATEMENT])
    period = StatementPeriod.parse(statement.period)
    as_of_us = evidence.as_of_us
    since_us, after_us, horizon_us = reach_of(period, as_of_us)
    if (since_us, horizon_us, as_of_us) != (
        evidence.since_us,
        evidence.horizon_us,
        microseconds(statement.as_of),
    ):
        yield Finding(is_right=False, text="the evidence is of another period")
        return
    whole = evidence.calendar(horizon_us)
    calendar = evidence.calendar(as_of_us) if as_of_us < after_us else whole
    found = period_figures(evidence.known_status(), whole, calendar, period, as_of_us=as_of_us)
    if [line.store_id for line in statement.stores] != evidence.store_ids:
        yield Finding(is_right=False, text="the stores are not those of the statement")
        return
    incidents = np.bincount(found.incidents.store, minlength=len(evidence.store_ids))
    for store, line in enumerate(statement.stores):
        up_us, down_us = (
            int(found.amounts.uptime_us[store]),
            int(found.amounts.downtime_us[store]),
        )
        computed = {
            "start": instant(int(found.start_us[store])),
            "end": instant(int(found.end_us[store])),
            "opening_us": int(found.amounts.business_us[store]),
            "up_us": up_us,
            "down_us": down_us,
            "unknown_us": int(found.amounts.unknown_us[store]),
            "uptime_percent": share_percent(up_us, up_us + down_us),
            "incidents": int(incidents[store]),
        }
        stated = {
            name: getattr(line if name in {"start", "end"} else line.summary, name)
            for name in computed
        }
        yield _compared(line.store_id, stated, computed)
    yield _incidents_of(statement, evidence, found.incidents, found.lost_us)
    yield from corrections_of_statement(statement, evidence, found)
    yield from closures_of_statement(statement, evidence)
    if evidence.events.corrections is not None:
        yield reasons_of_statement(statement, _reasons(evidence, calendar, found))
    yield _totals(statement)
    yield _ledger(evidence, files, found.start_us, found.until_us)
    yield Finding(
        is_right=True,
        text="not recomputed, because they follow from other stores too: likely ranges, verdicts, "
        "alone or with others",
    )


def _incidents_of(
    statement: Statement,
    evidence: Evidence,
    incidents: Incidents,
    lost_us: Any,  # noqa: ANN401
) -> Finding:
    computed = {
        (evidence.store_ids[store], instant(start), instant(end), ending == Ending.OPEN, lost)
        for store, start, end, ending, lost in zip(
            incidents.store.tolist(),
            incidents.start_us.tolist(),
            incidents.end_us.tolist(),
            incidents.ending.tolist(),
            lost_us.tolist(),
            strict=True,
        )
    }
    stated = {
        (one.store_id, one.start, one.end, one.is_open, one.lost_us) for one in statement.incidents
    }
    if stated != computed or len(stated) != len(statement.incidents):
        return Finding(is_right=False, text=f"outages: {len(stated ^ computed)} differ")
    return Finding(is_right=True, text=f"outages: all {len(stated)} are those of the polls")


def _reasons(
    evidence: Evidence, calendar: Calendar, found: PeriodFigures
) -> dict[tuple[str, datetime], list[StatementReason]]:
    """The reasons of each outage, by store and start."""
    incidents, store = found.incidents, found.incidents.store
    reasons = reasons_of_outages(
        *(evidence.told_events(), event_texts(evidence), calendar, store),
        np.maximum(incidents.start_us, found.start_us[store]),
        np.minimum(incidents.end_us, found.until_us[store]),
    )
    return {
        (evidence.store_ids[place], instant(start_us)): own
        for place, start_us, own in zip(
            store.tolist(), incidents.start_us.tolist(), reasons, strict=True
        )
    }


def _totals(statement: Statement) -> Finding:
    names = ("opening_us", "up_us", "down_us", "unknown_us", "incidents")
    computed: dict[str, Any] = {
        name: sum(getattr(line.summary, name) for line in statement.stores) for name in names
    }
    stated = {name: getattr(statement.total, name) for name in names}
    return _compared("total", stated, computed)


def _incident(evidence: Evidence, files: dict[str, bytes]) -> Iterator[Finding]:
    stated = json.loads(files[INCIDENT])
    found = incident_figures(evidence, datetime.fromisoformat(stated["start"]))
    if found is None:
        yield Finding(is_right=False, text="the polls show no outage that begins then")
        return
    yield _compared(stated["store_id"], stated, found)
    start_us, until_us = ledger_bounds(evidence, found)
    yield _ledger(evidence, files, np.array([start_us]), np.array([until_us]))


def incident_figures(evidence: Evidence, start: datetime) -> dict[str, Any] | None:
    """The outage of the only store that begins at an instant, as in the pack's JSON."""
    calendar = evidence.calendar(min(evidence.horizon_us, evidence.as_of_us))
    found = find_incidents(evidence.known_status(), calendar, as_of_us=evidence.as_of_us)
    rows = np.flatnonzero(found.start_us == microseconds(start))
    if len(rows) != 1:
        return None
    found = found.take(rows)
    reasons = {}
    if evidence.events.corrections is not None:
        (own,) = reasons_of_outages(
            *(evidence.told_events(), event_texts(evidence), calendar),
            *(found.store, found.start_us, found.end_us),
        )
        reasons = {"reasons": [asdict(one) for one in own]}

    def at(column: IntArray, *, is_known: bool = True) -> str | None:
        return instant(int(column[0])).isoformat() if is_known else None

    polled = found.is_polled[0].tolist()

    return {
        "store_id": evidence.store_ids[0],
        "start": at(found.start_us),
        "end": at(found.end_us),
        "is_open": int(found.ending[0]) == Ending.OPEN,
        "last_online_check": at(found.last_active_us, is_known=polled[0]),
        "first_offline_check": at(found.first_inactive_us, is_known=polled[1]),
        "last_offline_check": at(found.last_inactive_us, is_known=polled[2]),
        "next_online_check": at(found.next_active_us, is_known=polled[3]),
        "checks": int(found.polls[0]),
        "lost_us": int(found.lost_us[0]),
        **reasons,
    }


def ledger_bounds(evidence: Evidence, incident: dict[str, Any]) -> tuple[int, int]:
    """The period of an incident's ledger."""
    start, end = (microseconds(datetime.fromisoformat(incident[name])) for name in ("start", "end"))
    until_us = min(end + INCIDENT_MARGIN_US, evidence.horizon_us, evidence.as_of_us)
    return max(start - INCIDENT_MARGIN_US, evidence.since_us), until_us


def _ledger(
    evidence: Evidence,
    files: dict[str, bytes],
    start_us: IntArray,
    until_us: IntArray,
) -> Finding:
    made = ledger_text(evidence, start_us, until_us)
    rows = made.count(b"\n") - 1
    if csv_text(files[LEDGER]) != made:
        return Finding(is_right=False, text="ledger: its intervals are not those of the polls")
    return Finding(is_right=True, text=f"ledger: all {rows:,} intervals are those of the polls")


def _compared(whose: str, stated: dict[str, Any], computed: dict[str, Any]) -> Finding:
    wrong = [
        f"{name} is stated as {stated.get(name)}, computed as {value}"
        for name, value in computed.items()
        if stated.get(name) != value
    ]
    if wrong:
        return Finding(is_right=False, text=f"{whose}: {'; '.join(wrong)}")
    return Finding(is_right=True, text=f"{whose}: all {len(computed)} figures are right")
