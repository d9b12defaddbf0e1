"""Figures of a service with 14,092 stores and eight days equal the reference; times are printed."""

import random
import statistics
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

import oracle
from service import running_service
from storemon_pipeline.sample_data import write_sample_data

STORES = 14_092
COMPARED = 1_000


@pytest.mark.slow
def test_a_thousand_stores_of_a_full_size_report_equal_the_reference(tmp_path: Path) -> None:
    data = tmp_path / "data"
    write_sample_data(data, stores=STORES, days=8, seed=3)
    with running_service(tmp_path / "home", data) as service:
        seconds = []
        for _ in range(5):
            started = time.monotonic()
            report = service.finish_report()
            seconds.append(time.monotonic() - started)
            assert report["status"] == "Complete"
        csv = service.api.get(f"/reports/{report['report_id']}.csv").text
    header, *lines = csv.splitlines()
    assert header == oracle.HEADER
    assert len(lines) == report["stores"]
    by_store = {line.split(",")[0]: line for line in lines}
    chosen = set(random.Random(5).sample(sorted(by_store), COMPARED))  # noqa: S311  (a sample)
    inputs = oracle.read_csvs(data, now=datetime.now(UTC), stores=chosen)
    as_of = datetime.fromisoformat(str(report["as_of"]))
    expected = oracle.report_csv(oracle.make_report(inputs, as_of=as_of)).splitlines()[1:]
    assert [by_store[line.split(",")[0]] for line in expected] == expected
    print(f"trigger to Complete: median {statistics.median(seconds):.2f} s of {seconds}")  # noqa: T201
