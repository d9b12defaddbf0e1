"""The checks of `storemon doctor`: each finding says what was found and what to do."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

import sqlalchemy as sa

from storemon_pipeline.access.account_management import has_enabled_account
from storemon_pipeline.access.key_management import has_usable_key
from storemon_pipeline.alerts.alert_lists import count_open_alerts, count_unsent
from storemon_pipeline.alerts.targets import split_urls
from storemon_pipeline.business_time.zones import RULES_RELEASE
from storemon_pipeline.checks.zone_rules import find_zone_rules_warning
from storemon_pipeline.dagster_graphql import (
    DagsterGraphQL,
    DagsterRefusedError,
    DagsterUnavailableError,
)
from storemon_pipeline.database.connections import create_engine, read_clock
from storemon_pipeline.database.schema_version import is_current
from storemon_pipeline.domain.counts import counted
from storemon_pipeline.figures.uptime_table import newest_poll, read_uptime_state
from storemon_pipeline.host.errors import StartError
from storemon_pipeline.host.home import Home
from storemon_pipeline.loads.unread_files import read_unread_files, summary
from storemon_pipeline.reports.report_runs import open_runs
from storemon_pipeline.reports.requests import (
    LONG_WAIT,
    ReportState,
    count_by_state,
    read_longest_wait,
)
from storemon_pipeline.service.dagster_home import read_dagster_token
from storemon_pipeline.service.databases import first_line
from storemon_pipeline.service.preconditions import check_data_folder, is_loopback
from storemon_pipeline.settings import Settings

_LEAST_FREE_BYTES: Final = 2 * 1024**3
_NOTHING_FITS_BYTES: Final = 64 * 1024**2
_FEW_FREE_BYTES: Final = 10 * 1024**3
_DAGSTER_SECONDS: Final = 5.0
_CLOCK_TOLERANCE: Final = timedelta(seconds=5)
_REFRESH_IS_LATE: Final = timedelta(hours=2)
_RUN_IS_STUCK: Final = timedelta(minutes=10)


class Verdict(StrEnum):
    """How bad a finding is."""

    GOOD = "ok"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was checked, what was found, what to do."""

    name: str
    verdict: Verdict
    what: str
    remedy: str = ""


def examine_machine(settings: Settings) -> Iterator[Finding]:
    """Look at what needs no database: disk space, zone data, the data folder."""
    folder = settings.home
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    is_full = "full: " if free < _NOTHING_FITS_BYTES else ""
    verdict = Verdict.GOOD
    if free < _FEW_FREE_BYTES:
        verdict = Verdict.WARNING if free >= _LEAST_FREE_BYTES else Verdict.BAD
    yield Finding(
        "disk",
        verdict,
        f"{is_full}{free / 1024**3:.1f} GiB free in {folder}",
        "" if verdict is Verdict.GOOD else "Free some space, or name another --home.",
    )
    if not os.access(folder, os.W_OK):
        is_read_only = os.statvfs(folder).f_flag & os.ST_RDONLY
        why = "a read-only file system" if is_read_only else "no right to"
        yield Finding(
            "home",
            Verdict.BAD,
            f"{folder} cannot be written ({why})",
            "Name a folder of yours with --home (STOREMON_HOME), or make this one writable.",
        )
    yield _zone_data()
    try:
        check_data_folder(settings)
    except StartError as error:
        yield Finding("data folder", Verdict.BAD, str(error))


def check_has_database(settings: Settings) -> None:
    """Raise StartError where no database was made yet, so that looking makes none."""
    if settings.database_url is None and not Home(settings.home).postgres.exists():
        raise StartError(f"There is none in {settings.home} yet: `storemon up` makes it.")


def examine_database(settings: Settings, url: str) -> Iterator[Finding]:
    """Look at what stands in the database. Raises sqlalchemy.exc.SQLAlchemyError."""
    engine = create_engine(url, application_name="storemon doctor", pool_size=1)
    try:
        with engine.connect() as connection:
            yield Finding("database", Verdict.GOOD, "answers")
            if not is_current(connection):
                yield Finding(
                    "schema",
                    Verdict.BAD,
                    "not that of this version",
                    "`storemon up` brings it forward.",
                )
                return
            yield Finding("schema", Verdict.GOOD, "newest version")
            for look in (_clock, _refresh, _files, _reports, _runs):
                yield look(connection)
            yield _alerts(settings, connection)
    finally:
        engine.dispose()
    if (
        not is_loopback(settings.host)
        and not has_usable_key(url, now=datetime.now(UTC))
        and not has_enabled_account(url)
    ):
        yield Finding(
            "keys",
            Verdict.BAD,
            f"the API is to listen on {settings.host}, and no key or account is usable",
            "Run `storemon keys create --name admin --all-stores --scope admin`.",
        )


def examine_schedules(settings: Settings) -> Finding:
    """Look whether Dagster's daemon, which runs the schedules and sensors, is alive."""
    try:
        token = read_dagster_token(Home(settings.home))
        with DagsterGraphQL(settings.dagster_url, timeout=_DAGSTER_SECONDS, token=token) as client:
            is_alive = client.are_daemons_alive()
    except (DagsterUnavailableError, DagsterRefusedError):
        return Finding(
            "schedules",
            Verdict.WARNING,
            f"unknown: no Dagster responds at {settings.dagster_url}",
            "Is `storemon up` running, and on this port?",
        )
    if not is_alive:
        return Finding(
            "schedules",
            Verdict.BAD,
            "not running: Dagster's daemon is not alive",
            "See daemon.log in the home's logs, then stop and start `storemon up`.",
        )
    return Finding("schedules", Verdict.GOOD, "Dagster's daemon runs them")


def _zone_data() -> Finding:
    warning = find_zone_rules_warning(datetime.now(UTC).date())
    if warning is None:
        return Finding("zone data", Verdict.GOOD, f"tzdata {RULES_RELEASE}")
    return Finding(
        "zone data",
        Verdict.WARNING,
        f"tzdata {warning}",
        "Run `pip install --upgrade tzdata`, then stop and start `storemon up`.",
    )


def _clock(connection: sa.Connection) -> Finding:
    difference = abs(datetime.now(UTC) - read_clock(connection))
    if difference > _CLOCK_TOLERANCE:
        return Finding(
            "clock",
            Verdict.BAD,
            f"{difference.total_seconds():.0f} s apart from the database's",
            "Let both machines follow a time server.",
        )
    newest = newest_poll(connection)
    if newest is not None and newest > datetime.now(UTC) + timedelta(minutes=5):
        return Finding(
            "clock",
            Verdict.WARNING,
            f"the newest poll is of {newest:%Y-%m-%d %H:%M}Z, which is in the future",
            "Set this machine's clock.",
        )
    return Finding("clock", Verdict.GOOD, "agrees with the database's")


def _refresh(connection: sa.Connection) -> Finding:
    state = read_uptime_state(connection)
    if state is None:
        return Finding(
            "last refresh", Verdict.WARNING, "there was none yet", "Run `storemon refresh`."
        )
    age = datetime.now(UTC) - state.refreshed_at
    what = f"{age.total_seconds() / 60:.0f} minutes ago, {counted(state.stores, 'store')}"
    if age > _REFRESH_IS_LATE:
        return Finding(
            "last refresh",
            Verdict.WARNING,
            what,
            "Is `storemon up` running? Its Dagster pages show why refresh_job failed.",
        )
    return Finding("last refresh", Verdict.GOOD, what)


def _files(connection: sa.Connection) -> Finding:
    unread = read_unread_files(connection)
    refused = [file for file in unread if file.is_refused]
    ignored = [file for file in unread if not file.is_refused]
    what = f"{len(refused)} refused, {len(ignored)} ignored"
    what += "".join(f"; {summary(files)}" for files in (refused, ignored) if files)
    if refused:
        return Finding(
            "files",
            Verdict.WARNING,
            what,
            "Correct or remove the refused files; `storemon loads` names all of them.",
        )
    return Finding("files", Verdict.GOOD, what)


def _reports(connection: sa.Connection) -> Finding:
    counts = count_by_state(connection)
    what = ", ".join(f"{count} {state}" for state, count in counts.items())
    wait = read_longest_wait(connection)
    if wait is not None and wait > LONG_WAIT:
        return Finding(
            "reports",
            Verdict.BAD,
            f"{what}; the oldest request has waited for {wait.total_seconds():.0f} s",
            "Is `storemon up` running? See runs.log and api.log in the home's logs.",
        )
    return Finding("reports", Verdict.GOOD, what or f"0 {ReportState.WAITING}")


def _runs(connection: sa.Connection) -> Finding:
    border = datetime.now(UTC) - _RUN_IS_STUCK
    stuck = [run.run_id for run in open_runs(connection) if run.launched_at < border]
    if stuck:
        return Finding(
            "report runs",
            Verdict.BAD,
            f"{len(stuck)} under way for more than 10 minutes, such as {stuck[0]}",
            "Is `storemon up` running? If so, end the run in its Dagster pages.",
        )
    return Finding("report runs", Verdict.GOOD, "none is stuck")


def _alerts(settings: Settings, connection: sa.Connection) -> Finding:
    urls = settings.alert_urls
    addresses = 0 if urls is None else len(split_urls(urls.get_secret_value()))
    unsent, still_open = count_unsent(connection), sum(count_open_alerts(connection).values())
    what = f"{still_open} open, {addresses} addresses, {unsent['failed']} messages not taken"
    if unsent["failed"]:
        return Finding(
            "alerts",
            Verdict.WARNING,
            what,
            "`storemon alerts list` says why; try the addresses with `storemon alerts test`.",
        )
    return Finding("alerts", Verdict.GOOD, what)


_VERDICTS: Final = (Verdict.BAD, Verdict.WARNING, Verdict.GOOD)


def worst(findings: list[Finding]) -> Verdict:
    """Return the verdict on all of them together."""
    return min((finding.verdict for finding in findings), key=_VERDICTS.index, default=Verdict.GOOD)


def collect(source: Callable[[], Iterator[Finding]]) -> list[Finding]:
    """Return the findings, the last of which is bad when the database broke off."""
    found: list[Finding] = []
    try:
        found.extend(source())
    except sa.exc.SQLAlchemyError as error:
        remedy = "See the database's log, or start it."
        found.append(Finding("database", Verdict.BAD, first_line(error), remedy))
    return found
