"""Refreshing `store_uptime`."""

from datetime import datetime
from functools import partial

from storemon_pipeline.database.bulk import writer_and_reader
from storemon_pipeline.database.overlap import overlapping
from storemon_pipeline.domain.windows import Policy
from storemon_pipeline.figures.compute_uptime import compute_uptime
from storemon_pipeline.figures.status_models import read_status_model
from storemon_pipeline.figures.uptime_table import (
    UptimeState,
    append_uptime,
    clear_uptime,
    read_as_of,
    read_newest_poll,
    write_uptime_state,
)
from storemon_pipeline.stores.store_index import read_stores


def refresh_uptime(
    url: str, *, refreshed_at: datetime, is_moving_back: bool = False
) -> UptimeState:
    """Compute `store_uptime` as of the newest poll. Raises InvariantError.

    Its `as_of` never moves back, even if the newest poll is older now, except with
    `is_moving_back`, after an undo.
    """
    with writer_and_reader(url) as (bulk, reader):
        known = [read_newest_poll(bulk)]
        if not is_moving_back:
            known.append(read_as_of(bulk))
        instants = [at for at in known if at is not None]
        as_of = max(instants, default=None)
        stores = read_stores(bulk)
        model = read_status_model(bulk)
        rows = 0
        with overlapping() as hand_over:
            hand_over(partial(clear_uptime, bulk))
            if as_of is not None:
                for chunk, figures in compute_uptime(
                    reader, stores, as_of=as_of, policy=Policy.NEAREST, model=model
                ):
                    hand_over(partial(append_uptime, bulk, chunk, figures))
                    rows += len(figures.store)
        state = UptimeState(as_of, refreshed_at, rows, len(stores) - rows)
        write_uptime_state(bulk, state)
        return state
