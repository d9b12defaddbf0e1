"""The fleet that all requests share: made again when the database holds something newer."""

import threading

import sqlalchemy as sa

from storemon_pipeline.operations.read_fleet import Fleet, read_fleet
from storemon_pipeline.storage.fleet_version import FleetVersion, read_fleet_version


class FleetCache:
    """One fleet and the version of the data that it was made of; used by all threads.

    An answer is never older than the request that asked for it: the version is looked up each
    time, which is one small query. Of several threads that find it changed one makes the fleet.
    """

    def __init__(self, url: str, reader: sa.Engine) -> None:
        self._url = url
        self._reader = reader
        self._lock = threading.Lock()
        self._known: tuple[FleetVersion, Fleet | None] | None = None

    def version(self) -> FleetVersion:
        """Return the version of the data of now."""
        with self._reader.connect() as connection:
            return read_fleet_version(connection)

    def fleet(self) -> Fleet | None:
        """Return the fleet of now; None while there is no poll."""
        version = self.version()
        known = self._known
        if known is not None and known[0] == version:
            return known[1]
        with self._lock:
            known = self._known
            if known is not None and known[0] == version:
                return known[1]
            # What is read now is at least as new as `version`; if newer, the next request looks.
            made = read_fleet(self._url)
            self._known = (version, made)
            return made
