"""At full size, neither the hourly refresh nor a report reads polls that it does not need."""

import uuid
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa

from storemon_pipeline.definitions import defs
from storemon_pipeline.domain.windows import Policy
from storemon_pipeline.reports.requests import request_report
from storemon_pipeline.sample_data import DEFAULT_END, write_sample_data

pytestmark = pytest.mark.slow

STORES = 14_092


def run(job: str, instance: dg.DagsterInstance) -> None:
    assert defs.resolve_job_def(job).execute_in_process(instance=instance).success


def polls_scanned(engine: sa.Engine) -> dict[str, int]:
    """How often each partition of the polls was read from its beginning to its end."""
    with engine.connect() as connection:
        rows = connection.execute(
            sa.text(
                """
                SELECT relname, seq_scan FROM pg_stat_user_tables
                WHERE relname LIKE 'store\\_status%'
                """
            )
        )
        return {row.relname: row.seq_scan for row in rows}


def append_an_hour(file: Path, newest: datetime) -> None:
    """One more poll of each store that the file's first lines tell of."""
    with file.open() as lines:
        ids = {line.split(",", 1)[0] for line, _ in zip(lines, range(200_000), strict=False)}
    polled_at = (newest + timedelta(minutes=50)).strftime("%Y-%m-%d %H:%M:%S UTC")
    with file.open("a") as lines:
        lines.writelines(f"{store_id},active,{polled_at}\n" for store_id in ids - {"store_id", ""})


def test_no_partition_of_polls_is_scanned_by_a_refresh_or_a_report(
    engine: sa.Engine, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_sample_data(tmp_path, stores=STORES, days=7, seed=1)
    monkeypatch.setenv("STOREMON_DATABASE_URL", database_url)
    monkeypatch.setenv("STOREMON_DATA", str(tmp_path))
    with dg.DagsterInstance.ephemeral() as instance:
        run("refresh_job", instance)
        before = polls_scanned(engine)
        append_an_hour(tmp_path / "store_status.csv", DEFAULT_END)
        run("refresh_job", instance)
        assert polls_scanned(engine) == before, "by a refresh of one more hour"
        with engine.begin() as connection:
            request_report(
                connection, report_id=str(uuid.uuid4()), as_of=None, policy=Policy.NEAREST
            )
        run("report_job", instance)
    assert polls_scanned(engine) == before, "by a report"
