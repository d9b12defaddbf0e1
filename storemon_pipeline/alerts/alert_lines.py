"""Alerts and their messages as lines of text."""

from storemon_pipeline.alerts.alert_lists import (
    AlertFilter,
    ListedAlert,
    ListedDelivery,
    list_alerts,
)
from storemon_pipeline.alerts.conditions import OF_STORES, Key
from storemon_pipeline.alerts.messages import StoreName, amount, describe
from storemon_pipeline.database.connections import create_engine
from storemon_pipeline.domain.windows import DEFAULT_ZONE


def alert_lines(url: str, *, is_open: bool | None, limit: int) -> list[str]:
    """A line for each alert and for each message about it: open ones first, then the newest."""
    engine = create_engine(url, application_name="storemon alerts", pool_size=1)
    try:
        with engine.connect() as connection:
            _, alerts = list_alerts(connection, AlertFilter(is_open), offset=0, limit=limit)
    finally:
        engine.dispose()
    return [line for alert in alerts for line in (_line(alert), *map(_message, alert.deliveries))]


def _line(alert: ListedAlert) -> str:
    store = None
    if alert.kind in OF_STORES:
        store = StoreName(alert.subject, alert.name, DEFAULT_ZONE)
    what = describe(Key(alert.kind, alert.subject), store)
    until = (
        "open" if alert.closed_at is None else f"{alert.ending} {alert.closed_at:%Y-%m-%d %H:%M}Z"
    )
    lost = f", {amount(alert.lost_us)} of business time" if store is not None else ""
    told = "" if alert.is_told else ", no notification"
    return (
        f"{alert.alert_id:>6}  {alert.kind.value:<8}  {what}: since {alert.since:%Y-%m-%d %H:%M}Z"
        f"{lost}, {until}{told}"
    )


def _message(one: ListedDelivery) -> str:
    held = ", held back until business time" if one.is_held and one.state == "waiting" else ""
    error = f": {one.error}" if one.error else ""
    return f"        {one.change} to {one.target}: {one.state}, {one.tries} tries{held}{error}"
