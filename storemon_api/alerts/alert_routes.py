"""The list of alerts with their notifications."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final

from fastapi import Depends, Query, Request, Response

from storemon_api.alerts.alert_schemas import (
    AlertActionResponse,
    AlertResponse,
    AlertsPage,
    DeliveryResponse,
)
from storemon_api.downloads.table_file import Column, hours, table_file
from storemon_api.downloads.table_format import ListingDep, listing_responses, page_response
from storemon_api.http.openapi import problem_responses
from storemon_api.http.problems import (
    DATABASE_UNAVAILABLE,
    FORBIDDEN,
    INVALID_REQUEST,
    ProblemError,
    invalid_field,
)
from storemon_api.http.routing import Router
from storemon_api.http.services import ServicesDep
from storemon_api.live.fleet_cache import FleetCacheDep
from storemon_api.security.request_access import visible_stores
from storemon_api.stores.store_filters import (
    Direction,
    NeverOnline,
    check_texts,
    is_storable,
    never_online_ids,
)
from storemon_pipeline.alerts.alert_lists import (
    Action,
    AlertFilter,
    AlertOrder,
    ListedAlert,
    ListedDelivery,
    count_open_alerts,
    list_alerts,
)
from storemon_pipeline.alerts.conditions import OF_STORES, Key, Kind
from storemon_pipeline.alerts.messages import StoreName, describe
from storemon_pipeline.domain.windows import DEFAULT_ZONE

router = Router(tag="fleet")

_COLUMNS: Final[Sequence[Column[AlertResponse]]] = (
    Column("alert_id", lambda alert: alert.alert_id),
    Column("kind", lambda alert: alert.kind.value),
    Column("state", lambda alert: alert.state),
    Column("what", lambda alert: alert.what),
    Column("store_id", lambda alert: alert.store_id),
    Column("name", lambda alert: alert.name),
    Column("since_utc", lambda alert: alert.since),
    Column("opened_utc", lambda alert: alert.opened_at),
    Column("closed_utc", lambda alert: alert.closed_at),
    Column("ending", lambda alert: alert.ending),
    Column("open_hours_lost", lambda alert: hours(alert.lost_us)),
    Column("stores", lambda alert: alert.stores),
    Column("of_stores", lambda alert: alert.of_stores),
    Column("acknowledged_utc", lambda alert: alert.acknowledged_at),
    Column("silenced_until_utc", lambda alert: alert.silenced_until),
    Column("notes", lambda alert: "; ".join(one.note for one in alert.actions if one.note) or None),
)


class AlertState(StrEnum):
    """Whether an alert is open or closed."""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class _Search:
    """What to find among the alerts; None means any."""

    kind: Kind | None
    text: str | None
    is_acknowledged: bool | None
    is_silenced: bool | None
    never_online: bool | None


async def _search(
    kind: Kind | None = None,
    text: Annotated[
        str | None, Query(alias="q", description="Part of the subject or of the store's name.")
    ] = None,
    is_acknowledged: Annotated[bool | None, Query(alias="acknowledged")] = None,
    is_silenced: Annotated[bool | None, Query(alias="silenced")] = None,
    never_online: NeverOnline = None,
) -> _Search:
    check_texts(q=text)
    return _Search(kind, text or None, is_acknowledged, is_silenced, never_online)


@dataclass(frozen=True, slots=True)
class _Sorting:
    """How to sort the alerts."""

    sort: AlertOrder | None
    order: Direction


async def _sorting(
    sort: Annotated[
        AlertOrder | None, Query(description="Default: open ones first, then the newest first.")
    ] = None,
    order: Direction = Direction.ASCENDING,
) -> _Sorting:
    return _Sorting(sort, order)


_SearchDep = Annotated[_Search, Depends(_search)]
_SortingDep = Annotated[_Sorting, Depends(_sorting)]


@router.get(
    "/alerts",
    summary="Alerts and their notifications",
    responses={
        **listing_responses(AlertsPage),
        **problem_responses(INVALID_REQUEST, DATABASE_UNAVAILABLE),
    },
)
def get_alerts(
    request: Request,
    services: ServicesDep,
    fleet_cache: FleetCacheDep,
    listing: ListingDep,
    search: _SearchDep,
    sorting: _SortingDep,
    state: AlertState | None = None,
    store_id: Annotated[
        str | None,
        Query(description="Only alerts about this store.", examples=["7482936150293847561"]),
    ] = None,
) -> Response:
    """Return a page of alerts. Alerts that are not about stores are of none that was never online.

    A key that is limited to some stores gets the alerts about these, without notifications.
    """
    paging = listing.paging
    visible = visible_stores(request)
    if store_id is not None and not is_storable(store_id):
        raise invalid_field("store_id", "`store_id` holds a character that no id can have.")
    if visible is not None and store_id is not None and store_id not in visible:
        raise ProblemError(FORBIDDEN)
    alert_filter = AlertFilter(
        text=search.text,
        is_acknowledged=search.is_acknowledged,
        is_silenced=search.is_silenced,
        is_open=None if state is None else state is AlertState.OPEN,
        kind=search.kind,
        subjects=visible if store_id is None else {store_id},
        never_online=search.never_online,
        never_online_ids=frozenset()
        if search.never_online is None
        else never_online_ids(fleet_cache.fleet(visible)),
    )
    with services.reader.connect() as connection:
        total, alerts = list_alerts(
            connection,
            alert_filter,
            offset=paging.offset,
            limit=paging.limit,
            sort=sorting.sort,
            is_descending=sorting.order is Direction.DESCENDING,
        )
        counts = count_open_alerts(connection) if visible is None else None
    responses = [_alert_response(alert, has_deliveries=visible is None) for alert in alerts]
    if listing.is_file:
        return table_file(listing.format, "alerts", _COLUMNS, responses, total=total)
    page = AlertsPage(
        total=total,
        offset=paging.offset,
        limit=paging.limit,
        next=paging.next_address(total),
        open=counts,
        alerts=responses,
    )
    return page_response(page)


def _alert_response(alert: ListedAlert, *, has_deliveries: bool) -> AlertResponse:
    store_id = alert.subject if alert.kind in OF_STORES else None
    store = None if store_id is None else StoreName(store_id, alert.name, DEFAULT_ZONE)
    return AlertResponse(
        alert_id=alert.alert_id,
        kind=alert.kind,
        state="open" if alert.closed_at is None else "closed",
        subject=alert.subject,
        store_id=store_id,
        name=alert.name,
        timezone=None if store_id is None else alert.timezone or DEFAULT_ZONE,
        what=describe(Key(alert.kind, alert.subject), store),
        since=alert.since,
        opened_at=alert.opened_at,
        closed_at=alert.closed_at,
        ending=alert.ending,
        lost_us=alert.lost_us,
        stores=alert.stores,
        of_stores=alert.of_stores,
        is_told=alert.is_told,
        acknowledged_at=alert.acknowledged_at,
        silenced_until=alert.silenced_until,
        actions=[
            AlertActionResponse(
                action=Action(one.action), note=one.note, until=one.until, by=one.by, at=one.at
            )
            for one in alert.actions
        ],
        deliveries=[_delivery_response(delivery) for delivery in alert.deliveries]
        if has_deliveries
        else [],
    )


def _delivery_response(delivery: ListedDelivery) -> DeliveryResponse:
    return DeliveryResponse.model_validate(
        {
            "change": delivery.change,
            "target": delivery.target,
            "title": delivery.title,
            "state": delivery.state,
            "is_held": delivery.is_held,
            "tries": delivery.tries,
            "next_try_at": delivery.next_try_at if delivery.state == "waiting" else None,
            "sent_at": delivery.sent_at,
            "error": delivery.error,
        }
    )
