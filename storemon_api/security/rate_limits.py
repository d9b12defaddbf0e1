"""Token buckets, one per key or client address. The caller passes the time."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

_MAX_BUCKETS: Final = 10_000


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class RateLimits:
    """Allows each sender `burst` requests at once and `per_second` sustained.

    The least recently used buckets are dropped, which makes them full again.
    """

    def __init__(self, *, per_second: float, burst: float) -> None:
        self._per_second = per_second
        self._burst = burst
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def seconds_to_wait(self, sender: str, now: float) -> float:
        """Take a token and return 0, or return the seconds until the next token.

        `now` is in seconds of a monotonic clock.
        """
        bucket = self._buckets.get(sender)
        if bucket is None:
            bucket = self._buckets[sender] = _Bucket(self._burst, now)
            if len(self._buckets) > _MAX_BUCKETS:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(sender)
        gained = (now - bucket.at) * self._per_second
        bucket.tokens = min(self._burst, bucket.tokens + gained)
        bucket.at = now
        if bucket.tokens >= 1.0:
            bucket.tokens -= 1.0
            return 0.0
        return (1.0 - bucket.tokens) / self._per_second
