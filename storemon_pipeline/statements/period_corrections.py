"""The corrections of stores in a statement's period."""

from storemon_pipeline.business_time.zones import utc_offset_us, zone_of
from storemon_pipeline.corrections.correction_table import read_corrections_within
from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.instants import instant, microseconds
from storemon_pipeline.domain.windows import DEFAULT_ZONE, IntArray
from storemon_pipeline.statements.statement import StatementCorrection
from storemon_pipeline.stores.store_details import StoreDetails
from storemon_pipeline.stores.store_index import StoreIndex


def read_period_corrections(
    bulk: Bulk, stores: StoreIndex, details: StoreDetails, start_us: IntArray, end_us: IntArray
) -> list[StatementCorrection]:
    """The corrections that touch each store's period `[start_us, end_us)`, by start."""
    place = {store_id: row for row, store_id in enumerate(stores.store_ids.to_pylist())}
    found = []
    for one in read_corrections_within(
        bulk, stores, instant(int(start_us.min())), instant(int(end_us.max()))
    ):
        row = place[one.store_id]
        from_us, to_us = microseconds(one.from_at), microseconds(one.to_at)
        if from_us >= end_us[row] or to_us <= start_us[row]:
            continue
        zone = zone_of(details.timezones[row] or DEFAULT_ZONE)
        start_local, end_local = (
            instant(at_us + utc_offset_us(zone, at_us)).replace(tzinfo=None)
            for at_us in (from_us, to_us)
        )
        found.append(
            StatementCorrection(
                store_id=one.store_id,
                start=one.from_at,
                end=one.to_at,
                start_local=start_local,
                end_local=end_local,
                kind=one.kind,
                reason=one.reason,
                author=one.author,
            )
        )
    return found
