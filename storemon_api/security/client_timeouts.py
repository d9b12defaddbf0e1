"""The server's side of a connection, without patience for who never finishes asking or reading.

uvicorn waits for the head of a request for ever; bodies have their own time limit (`bodies`).
"""

import asyncio
import socket
import struct
from typing import Final

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS: Final = 10.0
"""So long a client has for the head of a request: from connecting, or from its first byte."""


STALLED_SECONDS: Final = 30.0
"""So long a client has for taking the next few kilobytes of an answer that waits for it."""

_LEAST_TAKEN_BYTES: Final = 4_096
_DROP_THE_REST: Final = struct.pack("ii", 1, 0)


class ClientTimeoutProtocol(H11Protocol):
    """Closes a connection on which the head of a request, or taking an answer, takes too long."""

    head_seconds = HEAD_SECONDS
    stalled_seconds = STALLED_SECONDS
    _head_timer: asyncio.TimerHandle | None = None
    _stalled_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """Go on to wait, unless a whole head has come."""
        super().data_received(data)
        if self.cycle is None or self.cycle.response_complete:
            self._wait_for_head()
        else:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop_waiting()
        self._stop_watching()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Begin to watch whether what waits to be sent gets less."""
        super().pause_writing()
        self._watch(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """Watch no more."""
        self._stop_watching()
        super().resume_writing()

    def _watch(self, unsent_bytes: int) -> None:
        self._stalled_timer = self.loop.call_later(
            self.stalled_seconds, self._look_at_progress, unsent_bytes
        )

    def _look_at_progress(self, unsent_bytes: int) -> None:
        left = self.transport.get_write_buffer_size()
        if left > unsent_bytes - _LEAST_TAKEN_BYTES:
            # Else the kernel would keep the rest for the client, for a quarter of an hour.
            connection = self.transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _DROP_THE_REST)
            self.transport.abort()
        else:
            self._watch(left)

    def _stop_watching(self) -> None:
        if self._stalled_timer is not None:
            self._stalled_timer.cancel()
            self._stalled_timer = None

    def _wait_for_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_seconds, self._give_up)

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up(self) -> None:
        self._head_timer = None
        if self.cycle is None or self.cycle.response_complete:
            self.timeout_keep_alive_handler()
