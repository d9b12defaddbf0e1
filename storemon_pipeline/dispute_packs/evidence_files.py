"""Evidence as files that people can read, and read from them."""

import csv
import gzip
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import fields
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from storemon_pipeline.business_time.calendar import Closures, HoursVersions, ZoneVersions
from storemon_pipeline.business_time.special_hours import DailyRows, SpecialHours
from storemon_pipeline.business_time.weeks import WeekIntervals
from storemon_pipeline.dispute_packs.evidence import (
    Evidence,
    PackedEvents,
    PackedPolls,
    PackedStorefronts,
)
from storemon_pipeline.domain.channels import ChannelRule
from storemon_pipeline.domain.windows import BoolArray, IntArray
from storemon_pipeline.schedules.calendars import CalendarRows
from storemon_pipeline.uptime.estimates import Status
from storemon_pipeline.uptime.event_stretches import EventStretches
from storemon_pipeline.uptime.history import build_history
from storemon_pipeline.uptime.ledger import build_ledger
from storemon_pipeline.uptime.status_runs import StatusRuns

STORES: Final = "stores.json"
POLLS: Final = "polls.csv.gz"
STATUS_RUNS: Final = "status-runs.csv.gz"
HOURS: Final = "hours.json"
ZONES: Final = "zones.json"
SPECIAL_HOURS: Final = "special-hours.json"
CLOSURES: Final = "closures.json"
EVENTS: Final = "events.json"
STOREFRONTS: Final = "storefronts.json"
LEDGER: Final = "ledger.csv.gz"

_LEVEL: Final = 6
"""Of compression: the highest one takes three times as long for files 4 % smaller."""
_TEXTS_AT_ONCE: Final = 10_000

_WORDS: Final = {True: "active", False: "inactive"}
_STATUS: Final = {
    int(Status.UP): "up",
    int(Status.DOWN): "down",
    int(Status.UNKNOWN): "unknown",
}


def evidence_files(evidence: Evidence) -> dict[str, bytes]:
    """The evidence as files; that of storefronts is left out where there are none."""
    rows, fronts = evidence.calendar_rows, evidence.fronts
    about = {
        "store_ids": evidence.store_ids,
        "since_us": evidence.since_us,
        "horizon_us": evidence.horizon_us,
        "as_of_us": evidence.as_of_us,
        "max_gap_us": evidence.max_gap_us,
        "zone_rules": evidence.zone_rules,
    }
    polls, runs = evidence.polls, evidence.status_runs
    ids = evidence.polled_ids
    return {
        STORES: _json(about),
        **({} if fronts is None else {STOREFRONTS: _json(_fronts_rows(evidence, fronts))}),
        POLLS: _csv(
            ("store_id", "polled_at", "status"),
            (
                (ids[store], at, _WORDS[active])
                for store, at, active in zip(
                    polls.store.tolist(),
                    _texts(polls.polled_at_us),
                    polls.is_active.tolist(),
                    strict=True,
                )
            ),
        ),
        STATUS_RUNS: _csv(
            ("store_id", "first_poll", "last_poll", "status", "polls"),
            (
                (ids[store], first, last, _WORDS[active], count)
                for store, first, last, active, count in zip(
                    runs.store.tolist(),
                    _texts(runs.first_poll_us),
                    _texts(runs.last_poll_us),
                    runs.is_active.tolist(),
                    runs.polls.tolist(),
                    strict=True,
                )
            ),
        ),
        HOURS: _json({"weeks": _arrays(rows.weeks), "versions": _arrays(rows.hours)}),
        ZONES: _json(_arrays(rows.zones)),
        SPECIAL_HOURS: _json(None if rows.special is None else _arrays(rows.special)),
        CLOSURES: _json(
            None
            if rows.closures is None
            else {**_arrays(rows.closures), "listed": evidence.closures}
        ),
        EVENTS: _json(
            {
                "stretches": _arrays(evidence.events.stretches),
                "listed": evidence.events.listed,
                "corrections": evidence.events.corrections,
            }
        ),
    }


def read_evidence(files: dict[str, bytes]) -> Evidence:
    """The evidence of files that `evidence_files` made. Raises KeyError or ValueError."""
    about = json.loads(files[STORES])
    polled_ids, fronts = _read_fronts(about["store_ids"], files)
    polls, runs = _columns(files[POLLS]), _columns(files[STATUS_RUNS])
    hours, special = json.loads(files[HOURS]), json.loads(files[SPECIAL_HOURS])
    events = json.loads(files[EVENTS])
    closures, zones = json.loads(files[CLOSURES]), json.loads(files[ZONES])
    return Evidence(
        store_ids=about["store_ids"],
        polled_ids=polled_ids,
        since_us=about["since_us"],
        horizon_us=about["horizon_us"],
        as_of_us=about["as_of_us"],
        max_gap_us=about["max_gap_us"],
        zone_rules=about["zone_rules"],
        polls=PackedPolls(_places(polls[0], polled_ids), _instants(polls[1]), _actives(polls[2])),
        status_runs=StatusRuns(
            _places(runs[0], polled_ids),
            _instants(runs[1]),
            _instants(runs[2]),
            _actives(runs[3]),
            np.asarray(runs[4].cast(pa.int64()), np.int64),
        ),
        events=PackedEvents(
            EventStretches(
                **_ints(events["stretches"], "is_up"),
                is_up=np.array(events["stretches"]["is_up"], np.bool_),
            ),
            events["listed"],
            events.get("corrections"),
        ),
        calendar_rows=CalendarRows(
            WeekIntervals(**_ints(hours["weeks"])),
            HoursVersions(**_ints(hours["versions"])),
            ZoneVersions(**_ints(zones, "names"), names=tuple(zones["names"])),
            None
            if special is None
            else SpecialHours(
                **_ints(special, "weekly"), weekly=DailyRows(**_ints(special["weekly"]))
            ),
            None if closures is None else _closures(closures),
        ),
        closures=None if closures is None else closures.get("listed"),
        fronts=fronts,
    )


def _fronts_rows(evidence: Evidence, fronts: PackedStorefronts) -> dict[str, Any]:
    """The rule and the storefronts as rows, in which ids stand for positions."""
    ids = evidence.polled_ids
    return {
        "rule": fronts.rule.value,
        "storefronts": [
            {"store_id": ids[store], "channel": channel, "channel_store_id": ids[polled]}
            for store, channel, polled in zip(
                fronts.store.tolist(), fronts.channels, fronts.polled.tolist(), strict=True
            )
        ],
    }


def _read_fronts(
    store_ids: list[str], files: dict[str, bytes]
) -> tuple[list[str], PackedStorefronts | None]:
    """The ids of stores and storefronts, and the storefronts, if there are any."""
    if STOREFRONTS not in files:
        return store_ids, None
    read = json.loads(files[STOREFRONTS])
    rows = read["storefronts"]
    ids = list(dict.fromkeys([*store_ids, *(row["channel_store_id"] for row in rows)]))
    place = {store_id: position for position, store_id in enumerate(ids)}
    return ids, PackedStorefronts(
        ChannelRule(read["rule"]),
        np.array([place[row["store_id"]] for row in rows], np.int64),
        np.array([place[row["channel_store_id"]] for row in rows], np.int64),
        [row["channel"] for row in rows],
    )


def _closures(lists: dict[str, Any]) -> Closures:
    """The closures; in packs of earlier versions all are in local time."""
    arrays = _ints(lists, "is_utc", "listed")
    is_utc = np.array(lists.get("is_utc", [False] * len(arrays["store"])), np.bool_)
    return Closures(**arrays, is_utc=is_utc)


def ledger_file(evidence: Evidence, start_us: IntArray, until_us: IntArray) -> bytes:
    """The file of `ledger_text`."""
    return _compressed(ledger_text(evidence, start_us, until_us))


def ledger_text(evidence: Evidence, start_us: IntArray, until_us: IntArray) -> bytes:
    """Each store's period `[start_us, until_us)` as intervals of one status, open or not.

    The open ones with a status add up to the store's figures. By the rule of shares, they do with
    the share of storefronts that are up.
    """
    calendar = evidence.calendar(min(evidence.horizon_us, evidence.as_of_us))
    status_runs = evidence.known_status()
    estimates = build_history(status_runs, calendar).estimates
    has_shares = status_runs.shares is not None
    rows: list[tuple[object, ...]] = []
    for store, store_id in enumerate(evidence.store_ids):
        ledger = build_ledger(estimates, calendar, store=store, shares=status_runs.shares)
        start = np.maximum(ledger.start_us, start_us[store])
        end = np.minimum(ledger.end_us, until_us[store])
        kept = start < end
        shares = (ledger.up[kept].tolist(), ledger.parts[kept].tolist()) if has_shares else ()
        rows += [
            (store_id, first, last, "open" if is_open else "closed", _STATUS[status], *share)
            for first, last, is_open, status, *share in zip(
                _texts(start[kept]),
                _texts(end[kept]),
                ledger.is_business[kept].tolist(),
                ledger.status[kept].tolist(),
                *shares,
                strict=True,
            )
        ]
    of_shares = ("storefronts_up", "storefronts") if has_shares else ()
    return _csv_text(("store_id", "start", "end", "hours", "status", *of_shares), rows)


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _csv(heading: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> bytes:
    return _compressed(_csv_text(heading, rows))


def _csv_text(heading: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> bytes:
    content = io.BytesIO()
    text = io.TextIOWrapper(content, encoding="utf-8", newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(heading)
    writer.writerows(rows)
    text.flush()
    return content.getvalue()


def _compressed(text: bytes) -> bytes:
    return gzip.compress(text, _LEVEL, mtime=0)


def csv_text(content: bytes) -> bytes:
    """The text of a file that was compressed here; the compressed bytes differ between machines."""
    return gzip.decompress(content)


def _columns(content: bytes) -> list[pa.ChunkedArray]:
    """The columns of a file that `_csv` made, as texts."""
    text = csv_text(content)
    names = text.partition(b"\n")[0].decode().split(",")
    table = pyarrow.csv.read_csv(
        pa.py_buffer(text),
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
        ),
    )
    columns: list[pa.ChunkedArray] = table.columns
    return columns


def _texts(at_us: IntArray) -> Iterator[str]:
    """Instants as texts, some at a time: a text takes ten times the memory of its instant."""
    for first in range(0, len(at_us), _TEXTS_AT_ONCE):
        part = at_us[first : first + _TEXTS_AT_ONCE].astype("datetime64[us]")
        yield from np.datetime_as_string(part, unit="us", timezone="UTC").tolist()


def _instants(texts: pa.ChunkedArray) -> IntArray:
    at_us: IntArray = texts.cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy()
    return at_us


def _actives(words: pa.ChunkedArray) -> BoolArray:
    return np.asarray(pc.equal(words, _WORDS[True]), np.bool_)


def _places(store_ids: pa.ChunkedArray, ids: list[str]) -> IntArray:
    """The place of each id. Raises ValueError for one that is not among these."""
    places = pc.index_in(store_ids, pa.array(ids, pa.string()))
    if places.null_count:
        raise ValueError("a store is not in stores.json or storefronts.json")
    return np.asarray(places, np.int64)


def _arrays(rows: Any) -> dict[str, Any]:  # noqa: ANN401 - a dataclass of arrays
    """The arrays of a dataclass as lists, by name."""
    found: dict[str, Any] = {}
    for field in fields(rows):
        value = getattr(rows, field.name)
        if isinstance(value, np.ndarray):
            found[field.name] = value.tolist()
        elif isinstance(value, tuple):
            found[field.name] = list(value)
        else:
            found[field.name] = _arrays(value)
    return found


def _ints(lists: dict[str, Any], *without: str) -> dict[str, npt.NDArray[np.int64]]:
    return {
        name: np.array(values, np.int64) for name, values in lists.items() if name not in without
    }
