"""Whether the data has changed: versions of what figures, views and alerts are computed from."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from storemon_pipeline.business_time.zones import RULES_RELEASE
from storemon_pipeline.database.bulk import Bulk


@dataclass(frozen=True, slots=True)
class DataVersion:
    """Equal versions mean equal data. None: nothing was loaded, or no figures were computed yet.

    `load_id` is the newest load; the undo of a load is a load, too. The other two are the last
    refresh of `store_uptime` and of `store_uptime_daily`.
    """

    load_id: int | None
    refreshed_at: datetime | None
    days_refreshed_at: datetime | None

    @property
    def without_days(self) -> tuple[int | None, datetime | None]:
        """The version of everything but `store_uptime_daily`."""
        return self.load_id, self.refreshed_at


_VERSION = """
    SELECT (SELECT max(load_id) FROM loads) AS load_id,
           (SELECT refreshed_at FROM store_uptime_state) AS refreshed_at,
           (SELECT refreshed_at FROM store_uptime_daily_state) AS days_refreshed_at
"""


def data_version(connection: sa.Connection) -> DataVersion:
    """The current version of the data."""
    return DataVersion(*connection.execute(sa.text(_VERSION)).one())


def read_data_version(bulk: Bulk) -> DataVersion:
    """As `data_version`, within a bulk transaction's snapshot."""
    (row,) = bulk.fetch(_VERSION).to_pylist()
    return DataVersion(**row)


def read_input_version(bulk: Bulk) -> str:
    """The version of the tables that figures are computed from, to be stored beside a copy.

    It differs from `DataVersion`: a refresh of `store_uptime` does not change it; a rebuild of the
    weekly intervals and other rules of zones do.
    """
    version: str = bulk.scalar(
        """
        SELECT concat_ws('/', (SELECT coalesce(max(load_id), 0) FROM loads),
                         (SELECT coalesce(max(revision), 0) FROM intervals_state), $1::text)
               AS version
        """,
        (RULES_RELEASE,),
    )
    return version


def read_load_version(bulk: Bulk, load_id: int | None = None) -> str:
    """The version of what was loaded, to be stored with what a refresh makes of it.

    With `load_id` that of what had been loaded with this load.

    It changes with each load and each undo, with the schema, because new columns need new figures,
    and with the rules of zones.
    """
    version: str = bulk.scalar(
        """
        SELECT concat_ws('/', (SELECT max(version_num) FROM alembic_version),
                         CASE WHEN $2 < 0 THEN (SELECT coalesce(max(load_id), 0) FROM loads)
                              ELSE $2 END, $1::text) AS version
        """,
        # The driver cannot infer a type for None.
        (RULES_RELEASE, -1 if load_id is None else load_id),
    )
    return version
