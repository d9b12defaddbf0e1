"""Expiring reports that are older than their retention period."""

from datetime import datetime, timedelta

from storemon_pipeline.database.bulk import Bulk


def expire_old_reports(bulk: Bulk, *, newest: datetime, keep: timedelta) -> int:
    """Expire reports that are older than `keep` before the newest poll; return how many.

    The age of a report counts from the newest poll when it was computed; of a failed report from
    its end. Rows and CSV of results without a report are deleted. The row in `report_results`
    stays, so that revision numbers do not change.
    """
    expired = bulk.scalar(
        """
        WITH expired AS (
            UPDATE reports r SET state = 'expired', result_id = NULL, error = NULL
            WHERE (r.state = 'failed' AND r.completed_at < $1)
               OR (r.state = 'complete' AND r.result_id IN (
                   SELECT result_id FROM report_results
                   WHERE coalesce(newest_poll_at, as_of) < $1
               ))
            RETURNING 1
        )
        SELECT count(*) FROM expired
        """,
        (newest - keep,),
    )
    for table in ("report_columns", "report_csv"):
        bulk.execute(
            f"""
            DELETE FROM {table} t USING report_results o
            WHERE o.result_id = t.result_id AND coalesce(o.newest_poll_at, o.as_of) < $1
              AND NOT EXISTS (SELECT FROM reports r WHERE r.result_id = o.result_id)
            """,  # noqa: S608  (one of two constants)
            (newest - keep,),
        )
    return int(expired)
