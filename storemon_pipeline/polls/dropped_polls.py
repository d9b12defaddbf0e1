"""Raw polls that are in a lake alone: those that the database has dropped, or all."""

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.instants import microseconds
from storemon_pipeline.lake_files.data_files import NO_POLLS, PollRows
from storemon_pipeline.lake_files.lake_folder import LakeFolder
from storemon_pipeline.lake_files.manifest import read_manifest
from storemon_pipeline.lake_files.polls_of_period import read_polls_of_stores
from storemon_pipeline.polls.lake_of_polls import read_lake_of_polls
from storemon_pipeline.polls.poll_weeks import read_first_kept_week
from storemon_pipeline.polls.retention import read_lake_of_dropped_polls
from storemon_pipeline.stores.store_index import StoreIndex


def read_dropped_polls(bulk: Bulk, stores: StoreIndex, *, start_us: int, end_us: int) -> PollRows:
    """The polls of these stores in `[start, end]` that are in the lake alone, by key and instant.

    None if no lake has any. Raises NoLakeError and UnreachableError.
    """
    of_lake = read_lake_of_polls(bulk)
    if of_lake is not None:
        return read_polls_of_stores(
            of_lake.folder, of_lake.manifest, stores, start_us=start_us, end_us=end_us + 1
        )
    place = read_lake_of_dropped_polls(bulk)
    kept = None if place is None else read_first_kept_week(bulk)
    if place is None or kept is None or start_us >= microseconds(kept):
        return NO_POLLS
    lake = LakeFolder(place)
    return read_polls_of_stores(
        lake,
        read_manifest(lake),
        stores,
        start_us=start_us,
        end_us=min(end_us + 1, microseconds(kept)),
    )
