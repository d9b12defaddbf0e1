"""The report over shards on a local Dask cluster of several processes, against one process."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from benchmarks.goals import Measured
from storemon_pipeline.contract import REPORT_JOB
from storemon_pipeline.database.connections import libpq_url, sqlalchemy_url
from storemon_pipeline.reports.make_reports import request_newest_report
from storemon_pipeline.service.processes import RUN_ENVIRONMENT

_WORKERS: Final = 2
_SHARDS: Final = 8
_TIMES: Final = 2


def measure(url: str, home: Path) -> list[Measured]:
    """The work of a run, from its first read to the complete report, without Dagster's start.

    Raises ValueError when the figures differ.
    """
    home.mkdir()
    alone = [_run(url, home, {}) for _ in range(_TIMES)][-1]
    rows = []
    for executor in ("dask", "multiprocess"):
        settings = {"STOREMON_EXECUTOR": executor, "STOREMON_SHARDS": str(_SHARDS)}
        if executor == "multiprocess":
            settings["STOREMON_EXECUTOR_CONFIG"] = f'{{"max_concurrent": {_WORKERS}}}'
        seconds, digest = [_run(url, home, settings) for _ in range(_TIMES)][-1]
        if digest != alone[1]:
            raise ValueError(f"{executor} makes another report than one process")
        note = f"{_SHARDS} shards {seconds:.1f} s, one process {alone[0]:.1f} s; same digest"
        what = f"report by {_WORKERS} processes of {executor} against one"
        rows.append(Measured(what, 1, seconds / alone[0], "times", note))
    return rows


def _run(url: str, home: Path, settings: dict[str, str]) -> tuple[float, str]:
    """Seconds of a run of the job, and the digest of the CSV that it has made."""
    request_newest_report(url)
    environment = {
        **os.environ,
        **RUN_ENVIRONMENT,
        "STOREMON_DATABASE_URL": libpq_url(url),
        "STOREMON_DATA": str(home),
        "DAGSTER_HOME": str(home),
        "DAGSTER_DISABLE_TELEMETRY": "yes",
        **settings,
    }
    job = ["job", "execute", "-m", "storemon_pipeline.definitions", "-j", REPORT_JOB]
    done = subprocess.run(
        [sys.executable, "-m", "dagster", *job],
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    engine = sa.create_engine(sqlalchemy_url(url), poolclass=sa.pool.NullPool)
    with engine.connect() as connection:
        seconds, digest = connection.execute(
            sa.text(
                """
                SELECT extract(epoch FROM r.completed_at - u.reading_at)::float, s.csv_sha256
                FROM reports r JOIN report_results s USING (result_id) JOIN report_runs u
                  USING (run_id) ORDER BY r.completed_at DESC LIMIT 1
                """
            )
        ).one()
    return float(seconds), str(digest)
