"""The rule by which the storefronts of a store decide whether the store is up."""

from datetime import datetime

from storemon_pipeline.database.bulk import Bulk, bulk_transaction
from storemon_pipeline.domain.channels import ChannelRule
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.loads.load_log import NO_ROWS, close_load, open_load


def read_channel_rule(bulk: Bulk) -> ChannelRule:
    """The rule of this database."""
    rows = bulk.fetch("SELECT rule FROM channel_rule").to_pylist()
    return ChannelRule(rows[0]["rule"]) if rows else ChannelRule.ANY_UP


def keep_channel_rule(url: str, rule: ChannelRule, *, now: datetime) -> bool:
    """Make this the rule of the database; return whether it was another one.

    A change is a load without rows, and all days of stores with storefronts are stale.
    """
    with bulk_transaction(url) as bulk:
        if read_channel_rule(bulk) is rule:
            return False
    with bulk_transaction(url, is_writing_polls=True) as bulk:
        bulk.execute(
            """
            INSERT INTO channel_rule (rule) VALUES ($1)
            ON CONFLICT (is_only_row) DO UPDATE SET rule = excluded.rule
            """,
            (rule.value,),
        )
        if not bulk.scalar("SELECT EXISTS (SELECT FROM storefronts) AS has_storefronts"):
            return False
        bulk.execute(
            """
            INSERT INTO store_uptime_daily_stale (store_key, since)
            SELECT DISTINCT store_key, '-infinity'::timestamptz FROM storefronts
            WHERE EXISTS (SELECT FROM store_uptime_daily_state)
            ON CONFLICT (store_key) DO UPDATE SET since = excluded.since
            """
        )
        load = open_load(bulk, Source.CHANNELS, file_path=None, run_id=None, loaded_at=now)
        close_load(bulk, load, NO_ROWS, ())
    return True
