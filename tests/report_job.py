"""Executes the job of reports in a process of its own, as the service does."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from storemon_pipeline.contract import REPORT_JOB

DEADLINE_SECONDS: Final = 240


def report_environment(url: str, folder: Path, **settings: str) -> dict[str, str]:
    """The environment of processes that make reports; Dagster keeps its runs in the folder."""
    return {
        **os.environ,
        "STOREMON_DATABASE_URL": url,
        "STOREMON_DATA": str(folder),
        "DAGSTER_HOME": str(folder),
        "DAGSTER_DISABLE_TELEMETRY": "yes",
        **settings,
    }


@contextmanager
def report_job(environment: dict[str, str]) -> Iterator["subprocess.Popen[str]"]:
    """The job while it works. It is killed when the block ends before it."""
    job = ["job", "execute", "-m", "storemon_pipeline.definitions", "-j", REPORT_JOB]
    with subprocess.Popen(
        [sys.executable, "-m", "dagster", *job],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def run_report_job(url: str, folder: Path, **settings: str) -> str:
    """Let the job make all reports that wait; return what it logged."""
    with report_job(report_environment(url, folder, **settings)) as process:
        _, logged = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 0, logged
    return logged
