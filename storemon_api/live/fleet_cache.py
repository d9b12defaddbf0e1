"""What all requests share: made again when the database holds something newer."""

import threading
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Annotated, Generic, TypeVar

import sqlalchemy as sa
from fastapi import Depends

from storemon_api.http.services import from_state
from storemon_pipeline.checks.contradictions import DataCheck, check_data
from storemon_pipeline.figures.data_version import DataVersion, data_version
from storemon_pipeline.views.fleet_view import Fleet, read_fleet

_Made = TypeVar("_Made")


class _Cached(Generic[_Made]):
    """One thing that is made of the data, and the version of the data that it was made of.

    An answer is never older than the request that asked for it. Of several threads that find the
    version changed one makes the thing anew.
    """

    def __init__(self, make: Callable[[], _Made]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._known: tuple[object, _Made] | None = None

    def at(self, version: DataVersion) -> _Made:
        own = version.without_days
        known = self._known
        if known is not None and known[0] == own:
            return known[1]
        with self._lock:
            known = self._known
            if known is not None and known[0] == own:
                return known[1]
            # What is read now is at least as new as `version`; if newer, the next request looks.
            made = self._make()
            self._known = (own, made)
            return made

    def is_at(self, version: DataVersion) -> bool:
        """Whether the thing is made of this version."""
        return self._known is not None and self._known[0] == version.without_days


class FleetCache:
    """The fleet and what was found wrong with its data; used by all threads.

    The version of the data is looked up each time, which is one small query.
    """

    def __init__(self, url: str, reader: sa.Engine) -> None:
        self._reader = reader
        self._fleet = _Cached(lambda: read_fleet(url))
        self._check = _Cached(lambda: check_data(url))

    def version(self) -> DataVersion:
        """Return the version of the data of now."""
        with self._reader.connect() as connection:
            return data_version(connection)

    def is_current(self) -> bool:
        """Whether whoever asks now need not wait: both are made of the data of now."""
        version = self.version()
        return self._fleet.is_at(version) and self._check.is_at(version)

    def fleet(self, only: AbstractSet[str] | None) -> Fleet | None:
        """Return the fleet of now, of these stores or of all; None while there is no poll."""
        fleet = self._fleet.at(self.version())
        return fleet if fleet is None or only is None else fleet.subset(only)

    def data_check(self, only: AbstractSet[str] | None) -> DataCheck | None:
        """Return what the polls of now contradict, of these stores; None while there is no poll."""
        check = self._check.at(self.version())
        return check if check is None or only is None else check.subset(only)


FleetCacheDep = Annotated[FleetCache, Depends(from_state("fleet_cache"))]
