"""What tells apart two states of the data that everything about all stores is made of."""

from datetime import datetime

import sqlalchemy as sa

FleetVersion = tuple[int | None, datetime | None]
"""The newest load (an undoing is one as well), and when figures were last refreshed."""


def read_fleet_version(connection: sa.Connection) -> FleetVersion:
    """The version of now; equal versions mean equal data."""
    row = connection.execute(
        sa.text(
            "SELECT (SELECT max(load_id) FROM loads), (SELECT refreshed_at FROM store_uptime_state)"
        )
    ).one()
    return row[0], row[1]
