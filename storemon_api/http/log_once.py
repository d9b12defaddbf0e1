"""Log the start and the end of an outage once, however often the failing call is retried."""

import logging


class LogOnce:
    """Logs failures of one dependency. For one thread."""

    def __init__(self, logger: logging.Logger, name: str) -> None:
        self._logger = logger
        self._name = name
        self._reason: str | None = None

    def failed(self, reason: object) -> None:
        """Log the failure, unless its first line was logged last."""
        first_line = str(reason).strip().partition("\n")[0]
        if first_line != self._reason:
            self._logger.warning("%s is not available: %s", self._name, first_line)
            self._reason = first_line

    def recovered(self) -> None:
        """Log that the dependency works again, if it had failed."""
        if self._reason is not None:
            self._logger.warning("%s is available again", self._name)
            self._reason = None
