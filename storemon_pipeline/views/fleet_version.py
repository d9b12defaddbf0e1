"""What tells apart two states of the data that everything about all stores is made of."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa


@dataclass(frozen=True, slots=True)
class FleetVersion:
    """Equal versions mean equal data; None stands for what never happened.

    The newest load (an undoing is one as well), and when figures and days were last refreshed.
    """

    load_id: int | None
    refreshed_at: datetime | None
    days_refreshed_at: datetime | None

    @property
    def without_days(self) -> tuple[int | None, datetime | None]:
        """What all is made of but the table of days."""
        return self.load_id, self.refreshed_at


def read_fleet_version(connection: sa.Connection) -> FleetVersion:
    """The version of now."""
    row = connection.execute(
        sa.text(
            "SELECT (SELECT max(load_id) FROM loads), (SELECT refreshed_at FROM store_uptime_state)"
            ", (SELECT refreshed_at FROM store_uptime_daily_state)"
        )
    ).one()
    return FleetVersion(*row)
