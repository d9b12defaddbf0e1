"""What a report run does, without Dagster around it."""

from uuid import uuid4

from benchmarks.goals import Measured
from benchmarks.reference import sort_and_merge
from benchmarks.timing import median_ms, seconds_of
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.database.connections import create_engine
from storemon_pipeline.domain.windows import Policy
from storemon_pipeline.reports.make_reports import make_waiting_reports
from storemon_pipeline.reports.requests import request_report

_TIMES = 9
_STATUS_RUNS = 100_000
"""About as many are read for a report of 14,092 stores."""


def measure(url: str) -> list[Measured]:
    """The median from the database to rows and CSV; the first one, which warms up, is left out."""
    taken = report_seconds(url, times=_TIMES)[1:]
    return [
        Measured(
            "report: database to stored rows",
            150,
            median_ms(taken),
            "ms",
            reference=sort_and_merge(_STATUS_RUNS),
        ),
        Measured("report: stored", 40, bytes_per_row(url), "bytes a row"),
    ]


def bytes_per_row(url: str) -> float:
    """The size on disk of all finished reports, per row of theirs."""
    with bulk_transaction(url) as bulk:
        return float(
            bulk.scalar(
                """
                SELECT (pg_total_relation_size('report_columns')
                        + pg_total_relation_size('report_csv')) / sum(stores)::float8
                FROM report_results
                """
            )
        )


def report_seconds(url: str, *, times: int) -> list[float]:
    """How long the making of a report took, each of them asked for before the clock starts."""
    engine = create_engine(url, application_name="benchmarks", pool_size=1)
    taken: list[float] = []
    for _ in range(times):
        with engine.begin() as connection:
            request_report(connection, report_id=str(uuid4()), as_of=None, policy=Policy.NEAREST)
        taken += seconds_of(
            lambda: make_waiting_reports(url, run_id=str(uuid4()), is_manual=False),
            times=1,
        )
    engine.dispose()
    return taken
