"""Prometheus metrics: counters of requests, and values read from the database and Dagster."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Annotated, Final

import sqlalchemy as sa
from fastapi import Depends
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    Info,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from storemon_api.http.error_handlers import is_database_away
from storemon_api.http.services import from_state
from storemon_pipeline.alerts.alert_lists import count_open_alerts, count_unsent
from storemon_pipeline.alerts.conditions import Kind
from storemon_pipeline.dagster_graphql import DagsterRefusedError, DagsterUnavailableError
from storemon_pipeline.figures.uptime_table import UptimeState, newest_poll, read_uptime_state
from storemon_pipeline.loads.unread_files import UnreadFile, read_unread_files
from storemon_pipeline.reports.requests import ReportState, count_by_state

# From responses out of memory to the slowest that a client waits for.
_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

_MAX_FILES: Final = 100


class Metrics:
    """The metrics of one application, in their own registry."""

    def __init__(
        self,
        reader: sa.Engine,
        is_dispatching: Callable[[], bool],
        are_daemons_alive: Callable[[], bool],
    ) -> None:
        """Register the metrics.

        `is_dispatching` says whether this process launches report runs; `are_daemons_alive` asks
        Dagster and may raise DagsterUnavailableError or DagsterRefusedError.
        """
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "storemon_http_requests",
            "Number of responses.",
            ("method", "route", "status"),
            registry=self._registry,
        )
        self._latency = Histogram(
            "storemon_http_request_duration_seconds",
            "Seconds from the request's headers to the last byte of the response.",
            ("method", "route"),
            buckets=_SECONDS,
            registry=self._registry,
        )
        build = Info("storemon_build", "Version of storemon.", registry=self._registry)
        build.info({"version": version("storemon")})
        ProcessCollector(registry=self._registry)
        self._registry.register(_DatabaseFigures(reader, is_dispatching))
        self._registry.register(_Schedules(are_daemons_alive))

    def count_request(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """Count a response."""
        self._requests.labels(method, route, str(status)).inc()
        self._latency.labels(method, route).observe(seconds)

    def text(self) -> bytes:
        """Return all metrics in Prometheus's text format; database values are read now."""
        return generate_latest(self._registry)


class _Schedules(Collector):
    """Metrics of Dagster, read at each scrape."""

    def __init__(self, are_daemons_alive: Callable[[], bool]) -> None:
        self._are_daemons_alive = are_daemons_alive

    def describe(self) -> list[Metric]:
        # As below: no collection at registration.
        return []

    def collect(self) -> Iterator[Metric]:
        try:
            is_alive = self._are_daemons_alive()
        except (DagsterUnavailableError, DagsterRefusedError):
            is_alive = False
        yield GaugeMetricFamily(
            "storemon_schedules_running",
            "Whether Dagster is reachable and its daemon, which runs the schedules, is alive.",
            float(is_alive),
        )


class _DatabaseFigures(Collector):
    """Metrics of the database, read at each scrape; `storemon_database_up` is 0 without it."""

    def __init__(self, reader: sa.Engine, is_dispatching: Callable[[], bool]) -> None:
        self._reader = reader
        self._is_dispatching = is_dispatching

    def describe(self) -> list[Metric]:
        # Without this the registry would collect, and query the database, at registration.
        return []

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "storemon_dispatching",
            "Whether this process launches report runs; one of several does.",
            float(self._is_dispatching()),
        )
        try:
            with self._reader.connect() as connection:
                counts = count_by_state(connection)
                state = read_uptime_state(connection)
                polled_at = newest_poll(connection)
                alerts = count_open_alerts(connection)
                unsent = count_unsent(connection)
                unread = read_unread_files(connection)
        except sa.exc.SQLAlchemyError as error:
            if not is_database_away(error):
                raise
            yield GaugeMetricFamily(
                "storemon_database_up", "Whether the database is reachable.", 0.0
            )
            return
        yield GaugeMetricFamily("storemon_database_up", "Whether the database is reachable.", 1.0)
        yield from _report_figures(counts)
        yield from _data_figures(state, polled_at, datetime.now(UTC))
        yield from _alert_figures(alerts, unsent)
        yield from _file_figures(unread)


def _report_figures(counts: dict[ReportState, int]) -> Iterator[Metric]:
    reports = GaugeMetricFamily("storemon_reports", "Reports by state.", labels=["state"])
    for report_state, count in counts.items():
        reports.add_metric([report_state.value], count)
    yield reports
    yield GaugeMetricFamily(
        "storemon_waiting_reports",
        "Requested reports that are not complete yet.",
        counts[ReportState.WAITING],
    )


def _alert_figures(alerts: dict[Kind, int], unsent: dict[str, int]) -> Iterator[Metric]:
    is_open = GaugeMetricFamily("storemon_open_alerts", "Open alerts by kind.", labels=["kind"])
    for kind, count in alerts.items():
        is_open.add_metric([kind.value], count)
    yield is_open
    messages = GaugeMetricFamily(
        "storemon_unsent_alert_messages",
        "Notifications that were not sent, by state.",
        labels=["state"],
    )
    for state, count in unsent.items():
        messages.add_metric([state], count)
    yield messages


def _file_figures(unread: list[UnreadFile]) -> Iterator[Metric]:
    states = {True: "refused", False: "ignored"}
    counts = GaugeMetricFamily(
        "storemon_unread_files", "Files of the data folder that are not read.", labels=["state"]
    )
    for is_refused, state in states.items():
        counts.add_metric([state], sum(file.is_refused is is_refused for file in unread))
    yield counts
    since = GaugeMetricFamily(
        "storemon_unread_file_since_seconds",
        "Unix time since when a file is not read, with the reason; of the first 100 files.",
        labels=["file", "state", "reason"],
    )
    for file in unread[:_MAX_FILES]:
        labels = [file.file_path, states[file.is_refused], file.reason]
        since.add_metric(labels, file.found_at.timestamp())
    yield since


def _data_figures(
    state: UptimeState | None, polled_at: datetime | None, now: datetime
) -> Iterator[Metric]:
    """Yield the metrics of the data that exists."""
    if polled_at is not None:
        yield GaugeMetricFamily(
            "storemon_newest_poll_age_seconds",
            "Time since the newest poll in the database.",
            (now - polled_at).total_seconds(),
        )
    if state is not None:
        yield GaugeMetricFamily(
            "storemon_last_refresh_age_seconds",
            "Time since the last refresh of the uptime table.",
            (now - state.refreshed_at).total_seconds(),
        )
        yield GaugeMetricFamily(
            "storemon_stores", "Stores with a poll in the last 192 hours.", state.stores
        )
        yield GaugeMetricFamily(
            "storemon_silent_stores",
            "Stores without a poll in the last 192 hours.",
            state.silent_stores,
        )


MetricsDep = Annotated[Metrics, Depends(from_state("metrics"))]
