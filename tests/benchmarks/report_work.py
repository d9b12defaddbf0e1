"""What a report run does, without Dagster around it."""

from datetime import UTC, datetime
from functools import partial
from uuid import uuid4

from benchmarks.goals import Measured
from benchmarks.reference import sort_and_merge
from benchmarks.timing import median_ms, seconds_of
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.database.connections import create_engine
from storemon_pipeline.domain.windows import Policy
from storemon_pipeline.figures.fit_status_model import fit_status_model
from storemon_pipeline.figures.status_models import read_newest_fit
from storemon_pipeline.figures.uptime_table import read_newest_poll
from storemon_pipeline.reports.make_reports import make_waiting_reports, write_result
from storemon_pipeline.reports.requests import request_report
from storemon_pipeline.reports.results import Question

_TIMES = 9
_STATUS_RUNS = 100_000
"""About as many are read for a report of 14,092 stores."""


def measure(url: str) -> list[Measured]:
    """The median from the database to rows and CSV; the first one, which warms up, is left out."""
    fitting = seconds_of(lambda: fit_status_model(url, fitted_at=datetime.now(UTC)), times=1)
    taken = report_seconds(url, times=_TIMES)[1:]
    return [
        Measured("status model: fitted to all polls", 20, fitting[0], "s"),
        Measured(
            "report: database to stored rows",
            150,
            median_ms(taken),
            "ms",
            reference=sort_and_merge(_STATUS_RUNS),
        ),
        Measured("report: stored", 40, bytes_per_row(url), "bytes a row"),
        _cost_of_ranges(url),
    ]


def _cost_of_ranges(url: str) -> Measured:
    """How much longer a result takes with likely ranges than without, measured in turn."""
    with bulk_transaction(url) as bulk:
        as_of, fit = read_newest_poll(bulk), read_newest_fit(bulk)
    if as_of is None or fit is None:
        raise ValueError("the data has no polls")
    taken: dict[int | None, list[float]] = {None: [], fit.status_model_id: []}
    for _ in range(_TIMES):
        for version in taken:
            write = partial(_write, url, Question(as_of, Policy.NEAREST, version))
            taken[version] += seconds_of(write, times=1)
    without, ranges = (median_ms(seconds[1:]) for seconds in taken.values())
    note = f"{without:.0f} ms and {ranges:.0f} ms"
    return Measured("report: with likely ranges", 1.2, ranges / without, "times", note)


def _write(url: str, question: Question) -> None:
    with bulk_transaction(url) as bulk:
        write_result(bulk, question, run_id=str(uuid4()))


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
