"""The table `channel_rule`: by which rule storefronts decide whether their store is up."""

from storemon_pipeline.channels.storefronts import make_days_stale
from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.domain.channels import ChannelRule
from storemon_pipeline.stores.store_index import has_storefronts


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
    make_days_stale(bulk, "SELECT store_key FROM storefronts")
    return has_storefronts(bulk)
