"""Logging that something stopped working, once, and that it works again. Mends nothing."""

import logging


class LogOnce:
    """What is known of one thing's outage; used by one thread."""

    def __init__(self, logger: logging.Logger, name: str) -> None:
        self._logger = logger
        self._name = name
        self._reason: str | None = None

    def failed(self, reason: object) -> None:
        """Log the outage, unless its first line is what was logged last."""
        first_line = str(reason).strip().partition("\n")[0]
        if first_line != self._reason:
            self._logger.warning("%s cannot be used: %s", self._name, first_line)
            self._reason = first_line

    def recovered(self) -> None:
        """Log that the thing works again, if it did not."""
        if self._reason is not None:
            self._logger.warning("%s can be used again", self._name)
            self._reason = None
