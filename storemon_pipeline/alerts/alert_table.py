"""The tables of alerts, as an evaluation reads and writes them in its transaction.

Sending what waits in `alert_deliveries` is `alert_deliveries`' matter, listing is `alert_lists`'.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyarrow as pa

from storemon_pipeline.alerts.conditions import (
    Condition,
    FileRefusal,
    Key,
    Kind,
    OpenAlert,
    SourceCheck,
)
from storemon_pipeline.alerts.messages import Message
from storemon_pipeline.alerts.transitions import ClosedAt
from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.instants import INSTANT, instant, microseconds
from storemon_pipeline.database.locks import AdvisoryLock
from storemon_pipeline.loads.unread_files import read_refused_files


@dataclass(frozen=True, slots=True)
class Watch:
    """The last evaluation. `seen` is the data version of the last evaluation of stores, or None."""

    looked_at: datetime
    watching_since: datetime
    seen: str | None


@dataclass(frozen=True, slots=True)
class PendingDelivery:
    """A waiting message and its alert."""

    delivery_id: int
    key: Key
    is_held: bool


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A message for all addresses: an alert fires or is resolved."""

    alert_id: int
    is_opening: bool
    message: Message
    is_held: bool


def take_watch_lock(bulk: Bulk) -> bool:
    """Whether this transaction is the only one that evaluates alerts."""
    return bool(bulk.scalar(f"SELECT pg_try_advisory_xact_lock({AdvisoryLock.EVALUATE_ALERTS:d})"))


def read_watch(bulk: Bulk) -> Watch | None:
    """The last evaluation; None before the first."""
    rows = bulk.fetch("SELECT looked_at, watching_since, seen FROM alert_watch").to_pylist()
    return Watch(**rows[0]) if rows else None


def write_watch(bulk: Bulk, watch: Watch) -> None:
    """Record the last evaluation."""
    bulk.execute(
        """
        INSERT INTO alert_watch (looked_at, watching_since, seen) VALUES ($1, $2, $3)
        ON CONFLICT (is_only_row) DO UPDATE SET looked_at = excluded.looked_at,
               watching_since = excluded.watching_since, seen = excluded.seen
        """,
        (watch.looked_at, watch.watching_since, watch.seen),
    )


def read_source_checks(bulk: Bulk) -> list[SourceCheck]:
    """Every source whose files were ever checked; a push refreshes its source too."""
    rows = bulk.fetch(
        """
        SELECT l.source, greatest(l.looked_at, (
            SELECT max(p.loaded_at) FROM loads p
            WHERE p.source = l.source AND p.file_path IS NULL AND p.undoes_load_id IS NULL
        )) AS refreshed_at
        FROM source_looks l ORDER BY l.source
        """
    ).to_pylist()
    return [SourceCheck(row["source"], microseconds(row["refreshed_at"])) for row in rows]


def read_refusals(bulk: Bulk) -> list[FileRefusal]:
    """The refused files of the data folder."""
    return [
        FileRefusal(
            file.file_path,
            file.reason,
            microseconds(file.found_at),
            microseconds(file.changed_at) if file.changed_at else 0,
        )
        for file in read_refused_files(bulk)
    ]


def read_open_alerts(bulk: Bulk) -> dict[Key, OpenAlert]:
    """All firing alerts."""
    rows = bulk.fetch(
        """
        SELECT alert_id, kind, subject, opened_at, since, lost_us, is_told
        FROM alerts WHERE closed_at IS NULL
        """
    ).to_pylist()
    found = [
        OpenAlert(
            row["alert_id"],
            Key(Kind(row["kind"]), row["subject"]),
            microseconds(row["opened_at"]),
            microseconds(row["since"]),
            row["lost_us"],
            row["is_told"],
        )
        for row in rows
    ]
    return {alert.key: alert for alert in found}


def read_closed_at(bulk: Bulk, *, since: datetime) -> ClosedAt:
    """When the last alert of each key was resolved, if after `since`."""
    rows = bulk.fetch(
        """
        SELECT kind, subject, max(closed_at) AS closed_at FROM alerts
        WHERE closed_at > $1 GROUP BY kind, subject
        """,
        (since,),
    ).to_pylist()
    return {Key(Kind(row["kind"]), row["subject"]): microseconds(row["closed_at"]) for row in rows}


def insert_alerts(
    bulk: Bulk,
    conditions: Sequence[Condition],
    store_keys: Sequence[int | None],
    *,
    opened_at: datetime,
    is_told: bool,
) -> list[int]:
    """Start alerts for these conditions; return their ids in order."""
    if not conditions:
        return []
    bulk.stage(
        "opened_alerts",
        pa.table(
            {
                "kind": pa.array([one.key.kind.value for one in conditions], pa.string()),
                "subject": pa.array([one.key.subject for one in conditions], pa.string()),
                "store_key": pa.array(store_keys, pa.int32()),
                "since": pa.array([instant(one.since_us) for one in conditions], INSTANT),
                "lost_us": pa.array([one.lost_us for one in conditions], pa.int64()),
                "stores": pa.array([one.stores for one in conditions], pa.int32()),
                "of_stores": pa.array([one.of_stores for one in conditions], pa.int32()),
            }
        ),
    )
    rows = bulk.fetch(
        """
        INSERT INTO alerts (kind, subject, store_key, opened_at, since, lost_us, stores, of_stores,
                            is_told)
        SELECT kind, subject, store_key, $1, since, lost_us, stores, of_stores, $2
        FROM pg_temp.opened_alerts RETURNING alert_id, kind, subject
        """,
        (opened_at, is_told),
    ).to_pylist()
    ids = {(row["kind"], row["subject"]): row["alert_id"] for row in rows}
    return [ids[one.key.kind.value, one.key.subject] for one in conditions]


def update_lasting(bulk: Bulk, lasting: Sequence[tuple[OpenAlert, Condition]]) -> None:
    """Update the time lost and the number of stores of firing alerts."""
    changed = [
        (alert, one)
        for alert, one in lasting
        if one.lost_us != alert.lost_us or one.stores is not None
    ]
    if not changed:
        return
    bulk.stage(
        "lasting_alerts",
        pa.table(
            {
                "alert_id": pa.array([alert.alert_id for alert, _ in changed], pa.int64()),
                "lost_us": pa.array([one.lost_us for _, one in changed], pa.int64()),
                "stores": pa.array([one.stores for _, one in changed], pa.int32()),
                "of_stores": pa.array([one.of_stores for _, one in changed], pa.int32()),
            }
        ),
    )
    bulk.execute(
        """
        UPDATE alerts a SET lost_us = n.lost_us, stores = n.stores, of_stores = n.of_stores
        FROM pg_temp.lasting_alerts n
        WHERE n.alert_id = a.alert_id AND (a.lost_us, a.stores, a.of_stores)
              IS DISTINCT FROM (n.lost_us, n.stores, n.of_stores)
        """
    )


def close_alerts(
    bulk: Bulk, endings: Mapping[int, str], lost_us: Mapping[int, int], *, closed_at: datetime
) -> None:
    """Resolve these alerts, by id; `lost_us` is the final time lost of some of them.

    None is closed before it was opened, whatever the newest poll is now.
    """
    if not endings:
        return
    ids = list(endings)
    bulk.stage(
        "closed_alerts",
        pa.table(
            {
                "alert_id": pa.array(ids, pa.int64()),
                "ending": pa.array([endings[one] for one in ids], pa.string()),
                "lost_us": pa.array([lost_us.get(one) for one in ids], pa.int64()),
            }
        ),
    )
    bulk.execute(
        """
        UPDATE alerts a SET closed_at = greatest($1, a.opened_at), ending = n.ending,
               lost_us = coalesce(n.lost_us, a.lost_us)
        FROM pg_temp.closed_alerts n WHERE n.alert_id = a.alert_id
        """,
        (closed_at,),
    )


def insert_deliveries(
    bulk: Bulk, deliveries: Sequence[NewDelivery], targets: Sequence[str], *, now: datetime
) -> None:
    """Queue each message for each address, by the address's label."""
    rows = [(one, target) for one in deliveries for target in targets]
    bulk.append(
        "alert_deliveries",
        pa.table(
            {
                "alert_id": pa.array([one.alert_id for one, _ in rows], pa.int64()),
                "change": pa.array(
                    ["opened" if one.is_opening else "closed" for one, _ in rows], pa.string()
                ),
                "target": pa.array([target for _, target in rows], pa.string()),
                "title": pa.array([one.message.title for one, _ in rows], pa.string()),
                "body": pa.array([one.message.body for one, _ in rows], pa.string()),
                "is_held": pa.array([one.is_held for one, _ in rows], pa.bool_()),
                "next_try_at": pa.array([now] * len(rows), INSTANT),
            }
        ),
    )


def read_pending(bulk: Bulk) -> list[PendingDelivery]:
    """The waiting messages, held ones included."""
    rows = bulk.fetch(
        """
        SELECT d.delivery_id, a.kind, a.subject, d.is_held
        FROM alert_deliveries d JOIN alerts a USING (alert_id) WHERE d.state = 'waiting'
        """
    ).to_pylist()
    return [
        PendingDelivery(row["delivery_id"], Key(Kind(row["kind"]), row["subject"]), row["is_held"])
        for row in rows
    ]


def hold_deliveries(bulk: Bulk, delivery_ids: Sequence[int], *, is_held: bool) -> None:
    """Hold or release these messages."""
    if delivery_ids:
        bulk.execute(
            "UPDATE alert_deliveries SET is_held = $2 WHERE delivery_id = ANY ($1)",
            (list(delivery_ids), is_held),
        )


def drop_old_alerts(bulk: Bulk, *, newest: datetime, keep: timedelta) -> int:
    """Delete alerts resolved long before the newest poll, with their messages."""
    dropped = bulk.scalar(
        """
        WITH old AS (
            DELETE FROM alerts a
            WHERE closed_at < $1 AND (silenced_until < now()) IS NOT FALSE AND NOT EXISTS (
                SELECT FROM alert_deliveries d
                WHERE d.alert_id = a.alert_id AND d.state IN ('waiting', 'sending')
            )
            RETURNING alert_id
        ), messages AS (
            DELETE FROM alert_deliveries d USING old WHERE d.alert_id = old.alert_id
        ), actions AS (
            DELETE FROM alert_actions d USING old WHERE d.alert_id = old.alert_id
        )
        SELECT count(*) FROM old
        """,
        (newest - keep,),
    )
    return int(dropped)
