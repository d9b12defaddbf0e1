"""Making the pack of a statement or of an incident; it verifies before it is given out."""

import json
from collections.abc import Set as AbstractSet
from datetime import datetime
from decimal import Decimal
from importlib.metadata import version
from typing import Any, Final

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from storemon_pipeline.business_time.local_periods import Period
from storemon_pipeline.database.bulk import Bulk, bulk_transaction
from storemon_pipeline.database.instants import microseconds
from storemon_pipeline.dispute_packs.evidence import Evidence
from storemon_pipeline.dispute_packs.evidence_files import LEDGER, evidence_files, ledger_file
from storemon_pipeline.dispute_packs.pack_file import (
    FORMAT,
    STOREFRONTS_FORMAT,
    read_pack,
    write_pack,
)
from storemon_pipeline.dispute_packs.pack_queries import read_evidence_of
from storemon_pipeline.dispute_packs.verify_pack import (
    INCIDENT,
    STATEMENT,
    incident_figures,
    ledger_bounds,
    verify,
)
from storemon_pipeline.domain.windows import DAY_US, LOOKBACK_US
from storemon_pipeline.figures.uptime_table import read_newest_poll
from storemon_pipeline.statements.make_statement import make_statement
from storemon_pipeline.statements.period_figures import period_figures, reach_of
from storemon_pipeline.statements.statement import Scope
from storemon_pipeline.statements.statement_json import statement_json
from storemon_pipeline.statements.statement_period import StatementPeriod
from storemon_pipeline.stores.store_index import StoreIndex, read_store, read_stores
from storemon_pipeline.views.store_view import NoPollsError, UnknownStoreError

SEMANTICS: Final = 1
"""The version of what the figures mean; it grows when the meaning of one changes."""

MOST_STORES: Final = 2_000
"""Of each, a month of hourly polls takes 5 ms, 7 KB of the file, and 0.3 MB of memory."""

_TRIES: Final = 3
_REACH_US: Final = 2 * DAY_US


class TooManyStoresError(Exception):
    """The statement has more stores than a pack can hold."""


class NoIncidentError(Exception):
    """No incident of the store begins at this instant."""


class UnverifiedPackError(Exception):
    """The pack does not verify; says what differs."""


def statement_pack(
    url: str,
    key: Ed25519PrivateKey,
    scope: Scope,
    period: StatementPeriod | Period,
    *,
    now: datetime,
    only: AbstractSet[str] | None = None,
    objective_percent: Decimal | None = None,
) -> bytes:
    """The pack of a statement, by the data of now.

    Raises as `make_statement`, and TooManyStoresError and UnverifiedPackError.
    """
    for tries in range(_TRIES):
        statement = make_statement(
            url, scope, period, only=only, objective_percent=objective_percent
        )
        if len(statement.stores) > MOST_STORES:
            raise TooManyStoresError
        span = StatementPeriod.parse(statement.period)
        as_of_us = microseconds(statement.as_of)
        since_us, after_us, horizon_us = reach_of(span, as_of_us)
        with bulk_transaction(url) as bulk:
            stores = _stores(bulk, [line.store_id for line in statement.stores])
            evidence = read_evidence_of(
                bulk, stores, since_us=since_us, horizon_us=horizon_us, as_of_us=as_of_us
            )
        whole = evidence.calendar(horizon_us)
        calendar = evidence.calendar(as_of_us) if as_of_us < after_us else whole
        found = period_figures(evidence.known_status(), whole, calendar, span, as_of_us=as_of_us)
        about = {
            "kind": "statement",
            "store_id": scope.store_id,
            "group": scope.group,
            "region": scope.region,
            "period": statement.period,
        }
        files = {
            STATEMENT: statement_json(statement),
            **evidence_files(evidence),
            LEDGER: ledger_file(evidence, found.start_us, found.until_us),
        }
        try:
            return _signed(about, evidence, files, key, now)
        except UnverifiedPackError:
            # A load between the two reads changed the data: the next try sees it in both.
            if tries == _TRIES - 1:
                raise
    raise AssertionError


def incident_pack(
    url: str, key: Ed25519PrivateKey, store_id: str, start: datetime, *, now: datetime
) -> bytes:
    """The pack of the incident of a store that begins at an instant.

    Raises NoPollsError, UnknownStoreError, NoIncidentError and UnverifiedPackError.
    """
    start_us = microseconds(start)
    with bulk_transaction(url) as bulk:
        as_of = read_newest_poll(bulk)
        if as_of is None:
            raise NoPollsError
        as_of_us = microseconds(as_of)
        store = read_store(bulk, store_id)
        if store is None:
            raise UnknownStoreError
        if not 0 <= start_us <= as_of_us:
            raise NoIncidentError
        # How long it lasted is known after a first look up to the newest poll.
        evidence = read_evidence_of(
            bulk, store, since_us=start_us - _REACH_US, horizon_us=as_of_us, as_of_us=as_of_us
        )
        found = incident_figures(evidence, start)
        if found is None:
            raise NoIncidentError
        end_us = microseconds(datetime.fromisoformat(found["end"]))
        horizon_us = min(as_of_us, end_us + 2 * LOOKBACK_US)
        evidence = read_evidence_of(
            bulk, store, since_us=start_us - _REACH_US, horizon_us=horizon_us, as_of_us=as_of_us
        )
    first, last = ledger_bounds(evidence, found)
    about = {"kind": "incident", "store_id": store_id, "start": found["start"]}
    files = {
        INCIDENT: json.dumps(found, indent=1, ensure_ascii=False).encode(),
        **evidence_files(evidence),
        LEDGER: ledger_file(evidence, np.array([first]), np.array([last])),
    }
    return _signed(about, evidence, files, key, now)


def _stores(bulk: Bulk, store_ids: list[str]) -> StoreIndex:
    """The index of these stores."""
    if len(store_ids) == 1:
        found = read_store(bulk, store_ids[0])
        if found is None:
            raise UnknownStoreError
        return found
    stores = read_stores(bulk)
    wanted = frozenset(store_ids)
    places = [
        place for place, store_id in enumerate(stores.store_ids.to_pylist()) if store_id in wanted
    ]
    return stores.take(np.array(places, np.int64))


def _signed(
    about: dict[str, Any],
    evidence: Evidence,
    files: dict[str, bytes],
    key: Ed25519PrivateKey,
    now: datetime,
) -> bytes:
    """The signed file. Raises UnverifiedPackError unless its figures recompute."""
    about |= {
        "format": FORMAT if evidence.fronts is None else STOREFRONTS_FORMAT,
        "made_at": now.isoformat(),
        "as_of_us": evidence.as_of_us,
        "software": f"storemon {version('storemon')}",
        "semantics": SEMANTICS,
    }
    content = write_pack(about, files, key)
    wrong = [one.text for one in verify(read_pack(content)) if not one.is_right]
    if wrong:
        raise UnverifiedPackError("; ".join(wrong[:3]))
    return content
