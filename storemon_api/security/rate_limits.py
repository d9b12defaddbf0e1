"""Token buckets, one for each key or client address. Knows no HTTP and no clock."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

_MOST_BUCKETS: Final = 10_000


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class RateLimits:
    """Lets everyone have `burst` requests at once and `per_second` of them for ever.

    The buckets that were used longest ago are forgotten, which is to say full.
    """

    def __init__(self, *, per_second: float, burst: float) -> None:
        self._per_second = per_second
        self._burst = burst
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def seconds_to_wait(self, who: str, now: float) -> float:
        """Take a token and return 0, or return after how many seconds there is one.

        `now` is in seconds of any clock that only goes forward.
        """
        bucket = self._buckets.get(who)
        if bucket is None:
            bucket = self._buckets[who] = _Bucket(self._burst, now)
            if len(self._buckets) > _MOST_BUCKETS:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(who)
        gained = (now - bucket.at) * self._per_second
        bucket.tokens = min(self._burst, bucket.tokens + gained)
        bucket.at = now
        if bucket.tokens >= 1.0:
            bucket.tokens -= 1.0
            return 0.0
        return (1.0 - bucket.tokens) / self._per_second
