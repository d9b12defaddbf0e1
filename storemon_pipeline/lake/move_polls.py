"""Moving all polls and status runs into the lake, which has them in place of the database then."""

from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.lake.follow_database import Imported, import_database
from storemon_pipeline.lake_files.divide_bucket import STORES_PER_BUCKET
from storemon_pipeline.lake_files.lake_folder import LakeFolder
from storemon_pipeline.polls.lake_of_polls import set_lake_of_polls
from storemon_pipeline.polls.poll_weeks import clear_polls
from storemon_pipeline.polls.retention import set_lake_of_dropped_polls


def move_polls(
    url: str, lake: LakeFolder, *, stores_per_bucket: int = STORES_PER_BUCKET
) -> Imported:
    """The lake has all polls and status runs, after a comparison, and the database has none.

    Loads wait meanwhile. Raises LakeDiffersError and LakeChangedError; then all is as it was.
    """
    with bulk_transaction(url, is_writing_polls=True) as bulk:
        imported = import_database(url, lake, stores_per_bucket=stores_per_bucket)
        clear_polls(bulk)
        set_lake_of_dropped_polls(bulk, None)
        set_lake_of_polls(bulk, lake, imported.manifest.version)
    return imported
