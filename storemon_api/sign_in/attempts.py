"""Limits for attempts to sign in, which stop guessing and lock no victim out."""

import time
from typing import Final

from storemon_api.security.rate_limits import RateLimits

_BURST: Final = 10
_PER_SECOND: Final = 1 / 30


class Attempts:
    """Limits attempts by address and by account, but those of a known browser by itself alone.

    So whoever tries passwords of a victim soon waits, from however many addresses, and the victim
    still signs in with a browser that they have used before.
    """

    def __init__(self) -> None:
        self._by_address = RateLimits(per_second=_PER_SECOND * 2, burst=_BURST * 2)
        self._by_account = RateLimits(per_second=_PER_SECOND, burst=_BURST)
        self._by_browser = RateLimits(per_second=_PER_SECOND, burst=_BURST)

    def seconds_to_wait(self, *, client: str, email: str, browser: str | None) -> float:
        """Count an attempt and return 0, or return how long to wait before the next.

        `browser` is the token of a browser with which this account has signed in before.
        """
        now = time.monotonic()
        if browser is not None:
            return self._by_browser.seconds_to_wait(browser, now)
        waits = self._by_address.seconds_to_wait(client, now)
        return waits or self._by_account.seconds_to_wait(email, now)
