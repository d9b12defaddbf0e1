"""Sending the messages that wait: each to its address, with a time limit, tried again on failure.

Apprise is imported when there is something to send: nobody else is to wait for it.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from storemon_pipeline.alerts.delivery_queue import (
    claim_delivery,
    has_due_deliveries,
    record_failure,
    record_sent,
)
from storemon_pipeline.alerts.messages import Message
from storemon_pipeline.alerts.targets import without_secrets
from storemon_pipeline.database.connections import create_engine

MOST_AT_ONCE: Final = 1_000
"""So many messages in one go; the next go sends the rest."""

_LONGEST_ERROR: Final = 500


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of the messages that were tried."""

    sent: int
    failed: int


class NotSentError(Exception):
    """A message that was not taken; says why, without any part of the address that is secret."""


def deliver_alerts(url: str, targets: Mapping[str, str], *, now: datetime) -> Delivered:
    """Every message that is due was sent, or its failure is recorded and it is tried again later.

    `targets` are the addresses by their labels. After a failure the other messages for that address
    wait for the next go. A process that ends between sending a message and recording it makes the
    message arrive twice; never more often, and never not at all. Others may deliver at the same
    time.
    """
    sent = failed = 0
    broken: list[str] = []
    engine = create_engine(url, application_name="storemon alerts", pool_size=1)
    try:
        while sent + failed < MOST_AT_ONCE:
            with engine.begin() as connection:
                delivery = claim_delivery(connection, now=now, without=broken)
            if delivery is None:
                break
            address = targets.get(delivery.target)
            error = "this address is no longer in the settings"
            if address is not None:
                try:
                    send(address, Message(delivery.title, delivery.body))
                except NotSentError as failure:
                    error = str(failure)
                else:
                    error = ""
            with engine.begin() as connection:
                if not error:
                    record_sent(connection, delivery)
                else:
                    record_failure(connection, delivery, error, now=now, is_final=address is None)
            sent, failed = sent + (not error), failed + bool(error)
            if error and address is not None:
                broken.append(delivery.target)
    finally:
        engine.dispose()
    return Delivered(sent, failed)


def is_delivery_due(url: str, *, now: datetime) -> bool:
    """Whether `deliver_alerts` would find a message to send."""
    engine = create_engine(url, application_name="storemon alerts", pool_size=1)
    try:
        with engine.connect() as connection:
            return has_due_deliveries(connection, now=now)
    finally:
        engine.dispose()


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with a message."""

    name: str
    media_type: str
    content: bytes


def send(address: str, message: Message, attachment: Attachment | None = None) -> None:
    """Send the message to this address. Raises NotSentError.

    Apprise waits 4 seconds for a connection and 4 for each part of a response, unless the address
    sets other limits (`?cto=…&rto=…`).
    """
    import apprise  # noqa: PLC0415 - takes a third of a second with its services

    # Its log lines may contain the address.
    logging.getLogger("apprise").propagate = False
    with apprise.LogCapture(level=logging.WARNING, fmt="%(message)s") as said:  # type: ignore[no-untyped-call]
        sender = apprise.Apprise(asset=apprise.AppriseAsset(async_mode=False))
        if not sender.add(address):
            raise NotSentError("Apprise does not understand the address")
        is_sent = bool(
            sender.notify(
                title=message.title,
                body=message.body,
                body_format="text",
                attach=None if attachment is None else _file(attachment),
            )
        )
        reason = said.getvalue()
    if not is_sent:
        lines = " ".join(reason.split()) or "the service did not accept it"
        raise NotSentError(without_secrets(lines, address)[:_LONGEST_ERROR])


def _file(attachment: Attachment) -> Any:  # noqa: ANN401 - Apprise's own type
    from apprise.attachment.memory import AttachMemory  # noqa: PLC0415 - as above

    return AttachMemory(  # type: ignore[no-untyped-call]
        content=attachment.content, name=attachment.name, mimetype=attachment.media_type
    )
