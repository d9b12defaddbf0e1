"""Taking over the rule of channels from the settings."""

from datetime import datetime

from storemon_pipeline.channels.channel_rule import read_channel_rule, write_channel_rule
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.domain.channels import ChannelRule
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.loads.load_log import NO_ROWS, close_load, open_load


def keep_channel_rule(url: str, rule: ChannelRule, *, now: datetime) -> bool:
    """Make this the rule of the database; return whether that changes figures.

    Such a change is a load without rows, so that whatever was made before is made again.
    """
    with bulk_transaction(url) as bulk:
        if read_channel_rule(bulk) is rule:
            return False
    with bulk_transaction(url, is_writing_polls=True) as bulk:
        if not write_channel_rule(bulk, rule):
            return False
        load = open_load(bulk, Source.CHANNELS, file_path=None, run_id=None, loaded_at=now)
        close_load(bulk, load, NO_ROWS, ())
    return True
