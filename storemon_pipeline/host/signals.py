"""The signals that ask for the end: counted, so that one thread decides when to act on them."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


class StopRequestedError(Exception):
    """Ctrl-C or SIGTERM came."""


@dataclass(slots=True)
class StopRequests:
    """Counts the signals that ask for the end; the second one asks for a harder one."""

    count: int = 0

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Count signals instead of dying of them, for the time of the block."""
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
        """Raise StopRequestedError when the end was asked for."""
        if self.count:
            raise StopRequestedError

    def is_repeated(self) -> bool:
        """Tell whether the end was asked for twice."""
        return self.count > 1

    def _count(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - signal's form
        self.count += 1
