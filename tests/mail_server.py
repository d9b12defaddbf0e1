"""A local mail server that takes messages, refuses them, or kills the process that sends one."""

import email
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default
from typing import Any, cast

from aiosmtpd.controller import Controller


@dataclass(slots=True)
class MailServer:
    """The mails that were taken, in order; `answer` is what is answered from now on."""

    url: str = ""
    answer: str = "250 OK"
    kill: int | None = None
    """The id of a process to kill before it is answered that its mail was taken."""
    refused: str | None = None
    """An address whose mails are not taken for now."""
    taken: list[EmailMessage] = field(default_factory=list)

    # The name is that of a handler's method in aiosmtpd.
    async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:  # noqa: ANN401, N802
        """Take a mail, or refuse it."""
        if self.refused is not None and self.refused in envelope.rcpt_tos:
            return "451 mailbox full"
        if self.answer.startswith("250"):
            message = email.message_from_bytes(envelope.content, policy=default)
            self.taken.append(message)
        if self.kill is not None:
            os.kill(self.kill, signal.SIGKILL)
        return self.answer


def text_of(message: EmailMessage) -> str:
    """Return the plain text of a mail."""
    part = message.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def files_of(message: EmailMessage) -> dict[str, bytes]:
    """Return the attached files of a mail, by name."""
    return {
        str(part.get_filename()): cast("bytes", part.get_payload(decode=True))
        for part in message.iter_attachments()
    }


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """Yield a mail server that listens on a free port of the loopback address."""
    server = MailServer()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(server, hostname="127.0.0.1", port=port)
    controller.start()
    server.url = f"mailto://127.0.0.1:{port}?from=storemon@example.com&smtp=127.0.0.1&mode=insecure"
    try:
        yield server
    finally:
        controller.stop()
