"""When to restart a process that died, and when to give up. Pure: no process, no clock."""

from collections import deque
from dataclasses import dataclass, field

FIRST_DELAY_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 30.0
# Give up after this many failures within this time.
FAILURES_TO_GIVE_UP = 5
FAILURE_WINDOW_SECONDS = 120.0
# A process that was ready this long had started well: its next death starts a new count.
SOUND_SECONDS = 15.0


@dataclass(slots=True)
class RestartPolicy:
    """Counts the failures of one process. Times are seconds of a monotonic clock."""

    _failures: deque[float] = field(default_factory=deque)
    _in_a_row: int = 0

    def delay_after_death(self, now: float, *, ready_seconds: float) -> float | None:
        """Return the seconds to wait before the next start, or None to give up.

        `ready_seconds` is how long the process had been ready when it died; zero if never.
        """
        if ready_seconds >= SOUND_SECONDS:
            self._failures.clear()
            self._in_a_row = 0
        self._failures.append(now)
        self._in_a_row += 1
        while now - self._failures[0] > FAILURE_WINDOW_SECONDS:
            self._failures.popleft()
        if len(self._failures) >= FAILURES_TO_GIVE_UP:
            return None
        doubled = FIRST_DELAY_SECONDS * 2.0 ** (self._in_a_row - 1)
        return min(doubled, LONGEST_DELAY_SECONDS)
