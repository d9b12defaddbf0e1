"""The table `channel_rule`: by which rule storefronts decide whether their store is up."""

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.domain.channels import ChannelRule


def read_channel_rule(bulk: Bulk) -> ChannelRule:
    """The rule of this database."""
    rows = bulk.fetch("SELECT rule FROM channel_rule").to_pylist()
    return ChannelRule(rows[0]["rule"]) if rows else ChannelRule.ANY_UP


def write_channel_rule(bulk: Bulk, rule: ChannelRule) -> bool:
    """Make this the rule; return whether figures change.

    They do where there are storefronts. All days of their stores are stale then.
    """
    bulk.execute(
        """
        INSERT INTO channel_rule (rule) VALUES ($1)
        ON CONFLICT (is_only_row) DO UPDATE SET rule = excluded.rule
        """,
        (rule.value,),
    )
    bulk.execute(
        """
        INSERT INTO store_uptime_daily_stale (store_key, since)
        SELECT DISTINCT store_key, '-infinity'::timestamptz FROM storefronts
        WHERE EXISTS (SELECT FROM store_uptime_daily_state)
        ON CONFLICT (store_key) DO UPDATE SET since = excluded.since
        """
    )
    return bool(bulk.scalar("SELECT EXISTS (SELECT FROM storefronts) AS has_storefronts"))
