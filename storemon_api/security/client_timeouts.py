"""The server's connections: time limits for slow clients, and the address of the other end.

uvicorn itself has no limit for either. Request bodies have their own (`request_bodies`).
"""

import asyncio
import socket
import struct
from typing import Final

from uvicorn.protocols.http.h11_impl import H11Protocol

from storemon_api.security.trusted_proxy import PEER

HEAD_SECONDS: Final = 10.0
"""Time limit for the head of a request, from connecting or from its first byte."""

STALLED_SECONDS: Final = 30.0
"""Time limit for reading the next few kilobytes of a response that is waiting to be sent."""

_MIN_PROGRESS_BYTES: Final = 4_096
_LINGER_ZERO: Final = struct.pack("ii", 1, 0)


class ClientTimeoutProtocol(H11Protocol):
    """Closes connections whose client is too slow to send a head or to read a response."""

    head_seconds = HEAD_SECONDS
    stalled_seconds = STALLED_SECONDS
    _head_timer: asyncio.TimerHandle | None = None
    _stalled_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the timer for the first head."""
        super().connection_made(transport)
        # What requests of this connection begin their state with.
        self.app_state = {**self.app_state, PEER: (self.client or ("",))[0]}
        self._start_head_timer()

    def data_received(self, data: bytes) -> None:
        """Stop the timer once the head is complete."""
        super().data_received(data)
        if self.cycle is None or self.cycle.response_complete:
            self._start_head_timer()
        else:
            self._cancel_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all timers."""
        self._cancel_head_timer()
        self._cancel_stalled_timer()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Start to check whether the unsent data shrinks."""
        super().pause_writing()
        self._start_stalled_timer(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """Stop checking."""
        self._cancel_stalled_timer()
        super().resume_writing()

    def _start_stalled_timer(self, unsent_bytes: int) -> None:
        self._stalled_timer = self.loop.call_later(
            self.stalled_seconds, self._check_progress, unsent_bytes
        )

    def _check_progress(self, unsent_bytes: int) -> None:
        left = self.transport.get_write_buffer_size()
        if left > unsent_bytes - _MIN_PROGRESS_BYTES:
            # Without SO_LINGER 0 the kernel would keep the unsent data for 15 minutes.
            connection = self.transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
            self.transport.abort()
        else:
            self._start_stalled_timer(left)

    def _cancel_stalled_timer(self) -> None:
        if self._stalled_timer is not None:
            self._stalled_timer.cancel()
            self._stalled_timer = None

    def _start_head_timer(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_seconds, self._close_idle)

    def _cancel_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _close_idle(self) -> None:
        self._head_timer = None
        if self.cycle is None or self.cycle.response_complete:
            self.timeout_keep_alive_handler()
