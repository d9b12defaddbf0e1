"""When a part that has died is started again, and when that is given up. No process, no clock."""

from collections import deque
from dataclasses import dataclass, field

FIRST_DELAY_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 30.0
# This many failures within this time are the end of it.
FAILURES_TO_GIVE_UP = 5
FAILURE_WINDOW_SECONDS = 120.0
# A part that was ready for so long before it died had been started well: its next death is no
# failure of the restart before.
SOUND_SECONDS = 15.0


@dataclass(slots=True)
class RestartPolicy:
    """Counts one part's failures. Times are seconds of any clock that only goes forward."""

    _failures: deque[float] = field(default_factory=deque)
    _in_a_row: int = 0

    def delay_after_death(self, now: float, *, ready_seconds: float) -> float | None:
        """Return the seconds to wait before the next start, or None to give up.

        `ready_seconds` is how long the part had been ready when it died, zero when it never was.
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
