"""Cache of what is computed from all stores, refreshed when the database has newer data."""

import threading
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Annotated, Generic, TypeVar

import sqlalchemy as sa
from fastapi import Depends

from storemon_api.http.services import from_state
from storemon_pipeline.business_time.local_periods import Period
from storemon_pipeline.checks.contradictions import DataCheck, check_data
from storemon_pipeline.figures.data_version import DataVersion, data_version
from storemon_pipeline.objectives.precedence import PERIODS
from storemon_pipeline.views.budgets_view import FleetBudgets, read_fleet_budgets
from storemon_pipeline.views.compared_incidents import (
    ComparedIncidents,
    read_compared_incidents,
)
from storemon_pipeline.views.fleet_view import Fleet, read_fleet

_Value = TypeVar("_Value")


class _Cached(Generic[_Value]):
    """A value computed from the data, with the version of the data that it was computed from.

    A returned value is never older than the request. When several threads find the version
    changed, one of them computes the value.
    """

    def __init__(self, make: Callable[[], _Value]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._cached: tuple[object, _Value] | None = None

    def at(self, version: DataVersion) -> _Value:
        key = version.without_days
        cached = self._cached
        if cached is not None and cached[0] == key:
            return cached[1]
        with self._lock:
            cached = self._cached
            if cached is not None and cached[0] == key:
                return cached[1]
            # The data read now may be newer than `version`; the next request then reads again.
            value = self._make()
            self._cached = (key, value)
            return value

    def is_at(self, version: DataVersion) -> bool:
        """Whether the value was computed from this version."""
        return self._cached is not None and self._cached[0] == version.without_days


class FleetCache:
    """The fleet, the check of its data, its widespread outages and its budgets. Thread-safe.

    Each call queries the version of the data, which is one small statement.
    """

    def __init__(self, url: str, reader: sa.Engine) -> None:
        self._reader = reader
        self._fleet = _Cached(lambda: read_fleet(url))
        self._check = _Cached(lambda: check_data(url))
        self._compared = _Cached(lambda: read_compared_incidents(url))
        self._budgets = {
            period: _Cached(partial(read_fleet_budgets, url, period)) for period in PERIODS
        }

    def version(self) -> DataVersion:
        """Return the current version of the data."""
        with self._reader.connect() as connection:
            return data_version(connection)

    def is_current(self) -> bool:
        """Whether fleet and check are up to date, so that a request need not wait."""
        version = self.version()
        return self._fleet.is_at(version) and self._check.is_at(version)

    def fleet(self, only: AbstractSet[str] | None) -> Fleet | None:
        """Return the fleet, of these stores or of all; None while there are no polls."""
        fleet = self._fleet.at(self.version())
        return fleet if fleet is None or only is None else fleet.subset(only)

    def data_check(self, only: AbstractSet[str] | None) -> DataCheck | None:
        """Return the data check, of these stores or of all; None while there are no polls."""
        check = self._check.at(self.version())
        return check if check is None or only is None else check.subset(only)

    def compared_incidents(self, only: AbstractSet[str] | None) -> ComparedIncidents | None:
        """Return the comparison of incidents, among these stores or all; None without polls."""
        compared = self._compared.at(self.version())
        if compared is None or only is None:
            return compared
        return compared.subset(only)

    def budgets(self, period: Period) -> FleetBudgets | None:
        """Return the budgets of the stores with an objective for this period; None without polls.

        They are of all stores: the caller filters them.
        """
        return self._budgets[period].at(self.version())


FleetCacheDep = Annotated[FleetCache, Depends(from_state("fleet_cache"))]
