"""Counts stop signals, so that the main loop decides when to act on them."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


class StopRequestedError(Exception):
    """A stop signal arrived: Ctrl-C, SIGTERM or SIGHUP."""


@dataclass(slots=True)
class StopRequests:
    """Counts stop signals; the second one asks to stop at once."""

    count: int = 0

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Count stop signals during the block instead of ending the process."""
        names = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as `nohup` has it
            names.append(signal.SIGHUP)
        before = {name: signal.signal(name, self._count) for name in names}
        try:
            yield
        finally:
            for name, handler in before.items():
                signal.signal(name, handler)

    def raise_if_any(self) -> None:
        """Raise StopRequestedError if a stop signal arrived."""
        if self.count:
            raise StopRequestedError

    def is_repeated(self) -> bool:
        """Whether a second stop signal arrived."""
        return self.count > 1

    def _count(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - signal's form
        self.count += 1
