"""Expiring reports that are older than their retention period."""

from datetime import datetime, timedelta

from storemon_pipeline.database.bulk import Bulk


def expire_old_reports(bulk: Bulk, *, newest: datetime, keep: timedelta) -> int:
    """Reports are expired once so much newer polls have come; returns how many are from now on.

    A report's age is counted from the newest poll when it was made, a failed one's from its end.
    Rows and CSV of results that no report has any more are gone; the line of each result stays, so
    that revisions keep their numbers.
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
    for table in ("uptime_report", "report_csv"):
        bulk.execute(
            f"""
            DELETE FROM {table} t USING report_results o
            WHERE o.result_id = t.result_id AND coalesce(o.newest_poll_at, o.as_of) < $1
              AND NOT EXISTS (SELECT FROM reports r WHERE r.result_id = o.result_id)
            """,  # noqa: S608  (one of two constants)
            (newest - keep,),
        )
    return int(expired)
