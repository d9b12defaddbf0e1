"""The newest figures of the storefronts of one store."""

from dataclasses import dataclass

import numpy as np

from storemon_pipeline.channels.joined_status import over_storefronts
from storemon_pipeline.channels.storefront_index import Storefronts
from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.instants import instant
from storemon_pipeline.database.parameters import read_max_gap_us
from storemon_pipeline.domain.channels import ChannelRule
from storemon_pipeline.domain.windows import LOOKBACK_US, WEEK_US, Policy
from storemon_pipeline.events.evidence_queries import read_storefronts_of_report, read_stretches
from storemon_pipeline.schedules.calendars import read_calendar
from storemon_pipeline.stores.store_index import StoreIndex
from storemon_pipeline.uptime.evidence import add_events_of_report
from storemon_pipeline.uptime.figures import Figures, compute_figures
from storemon_pipeline.uptime.store_state import STORE_STATES, StoreState, states_at


@dataclass(frozen=True, slots=True)
class Storefront:
    """A storefront at the newest poll of all; `figures` has one row, or none when it is silent."""

    channel: str
    channel_store_id: str
    state: StoreState
    last_poll_us: int | None
    figures: Figures


@dataclass(frozen=True, slots=True)
class StorefrontsView:
    """The storefronts of a store by id, and the rule that joins them."""

    rule: ChannelRule
    storefronts: tuple[Storefront, ...]


def read_storefronts_view(
    bulk: Bulk, stores: StoreIndex, fronts: Storefronts, *, as_of_us: int
) -> StorefrontsView:
    """The newest figures of the storefronts of an index with one store.

    They have the hours, zone and closures of the store, and its events hold for all of them.
    """
    as_of = instant(as_of_us)
    evidence = read_storefronts_of_report(bulk, fronts, as_of=as_of, policy=Policy.NEAREST)
    over = over_storefronts(
        read_stretches(bulk, stores, until=as_of, since=instant(as_of_us - LOOKBACK_US)),
        np.zeros(1, np.int64),
    )
    # A status at an instant asks for the microsecond from there.
    calendar = read_calendar(bulk, stores, start_us=as_of_us - WEEK_US, end_us=as_of_us + 1)
    max_gap_us = read_max_gap_us(bulk)
    found = []
    for position, (channel, front_id) in enumerate(
        zip(fronts.channels, fronts.index.store_ids.to_pylist(), strict=True)
    ):
        own = evidence.of_stores(position, position + 1)
        last_poll_us = int(own.last_poll_us[-1]) if len(own) else None
        if len(own):
            own = add_events_of_report(own, over, as_of_us=as_of_us, policy=Policy.NEAREST)
        state = states_at(own, calendar, as_of_us=as_of_us)[0]
        figures = compute_figures(
            own, calendar, as_of_us=as_of_us, policy=Policy.NEAREST, max_gap_us=max_gap_us
        )
        found.append(Storefront(channel, front_id, STORE_STATES[int(state)], last_poll_us, figures))
    return StorefrontsView(fronts.rule, tuple(found))
