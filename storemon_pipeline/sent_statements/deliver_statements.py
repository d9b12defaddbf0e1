"""Sending the statements that are due: figures kept first, then the file by mail.

A process may die anywhere. Queueing and keeping figures are repeatable without effect. Between
handing the mail to the server and recording that, nothing can be certain: then the mail is sent
once more after `ABANDONED_AFTER`, says so in its text, and its delivery is marked as repeated. So
each statement is sent at least once and at most twice, and never twice without a word.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import sqlalchemy as sa

from storemon_pipeline.alerts.deliver import Attachment, NotSentError, send
from storemon_pipeline.alerts.messages import Message
from storemon_pipeline.database.connections import create_engine
from storemon_pipeline.sent_statements.delivery_table import (
    Delivery,
    FileFormat,
    attach_statement,
    claim,
    postpone,
    record_failure,
    record_sent,
    statement_of_schedule,
)
from storemon_pipeline.sent_statements.manage_schedules import is_anything_due, queue_due
from storemon_pipeline.sent_statements.send_statement import (
    IncompleteError,
    find_sent,
    send_statement,
    sent_figures,
    sent_file,
)
from storemon_pipeline.sent_statements.sent_table import SentStatement
from storemon_pipeline.statements.make_statement import FuturePeriodError
from storemon_pipeline.statements.statement_period import StatementPeriod
from storemon_pipeline.statements.statement_tables import scope_name
from storemon_pipeline.statements.statement_text import statement_text
from storemon_pipeline.views.store_view import NoPollsError, UnknownStoreError

MOST_AT_ONCE: Final = 200
"""So many statements in one go; the next go sends the rest."""

LONGEST_WAIT: Final = timedelta(hours=24)
"""How long a scheduled statement waits for the polls of the end of its period."""

_PAUSE: Final = timedelta(minutes=15)

_MEDIA_TYPES: Final = {
    FileFormat.PDF: "application/pdf",
    FileFormat.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    FileFormat.CSV: "text/csv",
}


@dataclass(frozen=True, slots=True)
class Mailing:
    """The mail server as an Apprise URL, and the root of links in messages."""

    mail_url: str | None
    public_url: str | None = None


@dataclass(frozen=True, slots=True)
class Delivered:
    """How many statements were tried, and with what result."""

    sent: int
    failed: int
    waiting: int


def deliver_statements(url: str, mailing: Mailing, *, now: datetime) -> Delivered:
    """Every statement that is due was sent, or its failure is recorded and it is tried again."""
    sent = failed = waiting = 0
    with _engine(url) as engine:
        queue_due(engine, now=now)
        while sent + failed + waiting < MOST_AT_ONCE:
            with engine.begin() as connection:
                delivery = claim(connection, now=now)
            if delivery is None:
                break
            try:
                _send(engine, url, mailing, delivery, now)
            except IncompleteError:
                waiting += 1
                why = "waits for the polls of the end of the period"
                with engine.begin() as connection:
                    postpone(connection, delivery, why, until=now + _PAUSE)
            except (NotSentError, NoPollsError, UnknownStoreError, FuturePeriodError) as error:
                failed += 1
                with engine.begin() as connection:
                    record_failure(connection, delivery, _reason(error), now=now)
            else:
                sent += 1
                with engine.begin() as connection:
                    record_sent(connection, delivery, now=now)
    return Delivered(sent, failed, waiting)


def is_statement_due(url: str, *, now: datetime) -> bool:
    """Whether `deliver_statements` would find something to do."""
    with _engine(url) as engine:
        return is_anything_due(engine, now=now)


def mail_address(mail_url: str, address: str) -> str:
    """The Apprise URL that sends to one address.

    >>> mail_address("mailto://me:pw@example.com?to=x@example.com", "a+b@example.com")
    'mailto://me:pw@example.com?to=a%2Bb%40example.com'
    """
    split = urlsplit(mail_url)
    query = [pair for pair in parse_qsl(split.query, keep_blank_values=True) if pair[0] != "to"]
    return urlunsplit(split._replace(query=urlencode([*query, ("to", address)])))


def _send(engine: sa.Engine, url: str, mailing: Mailing, delivery: Delivery, now: datetime) -> None:
    """Keep the figures, unless that was done before, and send the file."""
    statement_id = delivery.statement_id
    if statement_id is None:
        with engine.connect() as connection:
            statement_id = statement_of_schedule(connection, delivery)
        statement_id = statement_id or send_statement(
            url,
            delivery.request,
            now=now,
            must_be_complete=now < delivery.due_at + LONGEST_WAIT,
        )
        with engine.begin() as connection:
            attach_statement(connection, delivery.delivery_id, statement_id)
    if mailing.mail_url is None:
        raise NotSentError("no mail server is set: set STOREMON_MAIL_URL")
    sent = find_sent(engine, statement_id, only_stores=None)
    extension = delivery.target.file_format
    name = "stores.csv" if extension is FileFormat.CSV else extension.value
    content = sent_file(engine, sent, name) or b""
    send(
        mail_address(mailing.mail_url, delivery.target.address),
        _message(engine, sent, mailing, delivery),
        Attachment(
            f"statement-{scope_name(sent.request.scope)}-{sent.request.period}.{extension}",
            _MEDIA_TYPES[extension],
            content,
        ),
    )


def _message(
    engine: sa.Engine, sent: SentStatement, mailing: Mailing, delivery: Delivery
) -> Message:
    """The mail: totals in its text, so that it says something without the file."""
    statement = sent_figures(engine, sent)
    text = statement_text(statement, sent.revision)
    lines = [f"{label}: {fact}" for label, fact in text.facts + text.totals]
    if mailing.public_url is not None:
        root = mailing.public_url.rstrip("/")
        lines += ["", f"{root}/pages/statements/{sent.statement_id}"]
    if delivery.is_repeated:
        lines[:0] = [
            "This mail may have reached you before: sending it was interrupted.",
            "",
        ]
    period = StatementPeriod.parse(statement.period).title
    number = sent.revision.number
    revision = "" if number == 1 else f", revision {number}"
    return Message(f"Statement of {text.title}: {period}{revision}", "\n".join(lines))


def _reason(error: Exception) -> str:
    match error:
        case NoPollsError():
            return "no polls have been loaded yet"
        case UnknownStoreError():
            return "there is no such store"
        case FuturePeriodError():
            return "there are no polls of this period yet"
        case _:
            return str(error)


@contextmanager
def _engine(url: str) -> Iterator[sa.Engine]:
    engine = create_engine(url, application_name="storemon statements", pool_size=1)
    try:
        yield engine
    finally:
        engine.dispose()
