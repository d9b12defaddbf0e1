"""The queue of messages: claiming the next one that is due, and recording the outcome."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

MOST_TRIES: Final = 9
"""About two and a half hours of attempts."""

_FIRST_PAUSE: Final = timedelta(minutes=1)
_LONGEST_PAUSE: Final = timedelta(minutes=30)

ABANDONED_AFTER: Final = timedelta(minutes=5)
"""An attempt without outcome after this time was interrupted; none takes a minute."""

_IS_DUE: Final = """
    ((d.state = 'waiting' AND NOT d.is_held AND d.next_try_at <= :now)
     OR (d.state = 'sending' AND d.claimed_at < :abandoned))
    AND NOT EXISTS (
        SELECT FROM alert_deliveries e
        WHERE e.alert_id = d.alert_id AND e.target = d.target AND e.delivery_id < d.delivery_id
          AND e.state IN ('waiting', 'sending')
    )
    AND NOT EXISTS (
        SELECT FROM alerts a JOIN alerts s USING (kind, subject)
        WHERE a.alert_id = d.alert_id AND s.silenced_until > :now
    )
"""
"""The message that an alert is resolved waits for the message that it fires; both wait for the end
of a silence."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message to send now; `tries` counts this attempt."""

    delivery_id: int
    target: str
    title: str
    body: str
    tries: int


def claim_delivery(
    connection: sa.Connection, *, now: datetime, without: Sequence[str]
) -> Delivery | None:
    """Claim a message that is due, or return None. Messages to targets in `without` are left out.

    A message whose attempt was interrupted is sent again once: it may arrive twice, never three
    times.
    """
    abandoned = now - ABANDONED_AFTER
    connection.execute(
        sa.text(
            """
            UPDATE alert_deliveries SET state = 'failed',
                   error = 'interrupted twice while it was sent; it may have arrived'
            WHERE state = 'sending' AND is_repeated AND claimed_at < :abandoned
            """
        ),
        {"abandoned": abandoned},
    )
    row = connection.execute(
        sa.text(
            f"""
            UPDATE alert_deliveries SET state = 'sending', tries = tries + 1, claimed_at = :now,
                   is_repeated = (state = 'sending')
            WHERE delivery_id = (
                SELECT d.delivery_id FROM alert_deliveries d
                WHERE {_IS_DUE} AND d.target <> ALL (:without)
                ORDER BY d.next_try_at, d.delivery_id LIMIT 1 FOR UPDATE SKIP LOCKED
            )
            RETURNING delivery_id, target, title, body, tries
            """  # noqa: S608  (a constant of this module)
        ).bindparams(sa.bindparam("without", type_=sa.ARRAY(sa.Text))),
        {"now": now, "abandoned": abandoned, "without": list(without)},
    ).one_or_none()
    return None if row is None else Delivery(*row)


def record_sent(connection: sa.Connection, delivery: Delivery) -> None:
    """The message was accepted."""
    connection.execute(
        sa.text(
            """
            UPDATE alert_deliveries
            SET state = 'sent', sent_at = clock_timestamp(), error = NULL, is_repeated = false
            WHERE delivery_id = :delivery_id
            """
        ),
        {"delivery_id": delivery.delivery_id},
    )


def record_failure(
    connection: sa.Connection, delivery: Delivery, error: str, *, now: datetime, is_final: bool
) -> None:
    """The message was not accepted: it is sent again later, unless this was the last attempt."""
    pause = min(_FIRST_PAUSE * 2 ** (delivery.tries - 1), _LONGEST_PAUSE)
    connection.execute(
        sa.text(
            """
            UPDATE alert_deliveries SET state = :state, error = :error, next_try_at = :next,
                   is_repeated = false
            WHERE delivery_id = :delivery_id
            """
        ),
        {
            "delivery_id": delivery.delivery_id,
            "state": "failed" if is_final or delivery.tries >= MOST_TRIES else "waiting",
            "error": error,
            "next": now + pause,
        },
    )


def has_due_deliveries(connection: sa.Connection, *, now: datetime) -> bool:
    """Whether a message could be sent now."""
    return bool(
        connection.execute(
            sa.text(f"SELECT EXISTS (SELECT FROM alert_deliveries d WHERE {_IS_DUE})"),  # noqa: S608
            {"now": now, "abandoned": now - ABANDONED_AFTER},
        ).scalar_one()
    )
