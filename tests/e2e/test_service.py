"""The whole service, from an empty home: up, trigger, poll, download, kill, up again."""

import os
import signal
from datetime import UTC, datetime
from pathlib import Path

import psutil

import oracle
from service import running_service

DATA = Path(__file__).parents[2] / "data"


def test_reports_of_the_sample_equal_the_reference_and_survive_a_kill_of_everything(
    tmp_path: Path,
) -> None:
    home = tmp_path / "home"
    inputs = oracle.read_csvs(DATA, now=datetime.now(UTC))
    with running_service(home, DATA) as service:
        newest = service.finish_report()
        assert newest["status"] == "Complete"
        csv = service.api.get(f"/reports/{newest['report_id']}.csv").content
        assert csv.decode() == oracle.report_csv(oracle.make_report(inputs))

        as_of = datetime(2023, 1, 22, 3, 30, tzinfo=UTC)
        earlier = service.finish_report({"as_of": as_of.isoformat(), "policy": "previous"})
        assert earlier["as_of"] == "2023-01-22T03:30:00Z"
        expected = oracle.report_csv(oracle.make_report(inputs, as_of=as_of, policy="previous"))
        answer = service.api.get("/get_report", params={"report_id": str(earlier["report_id"])})
        assert answer.headers["report-status"] == "Complete"
        assert answer.text == expected

        family = [service.process.pid]
        family += [child.pid for child in psutil.Process(family[0]).children(recursive=True)]
        for pid in family:
            if psutil.pid_exists(pid):
                os.kill(pid, signal.SIGKILL)
        service.process.wait(10)

    with running_service(home, DATA) as service:
        again = service.api.get(f"/reports/{newest['report_id']}.csv")
        assert again.content == csv
        children = psutil.Process(service.process.pid).children(recursive=True)
    _, left = psutil.wait_procs(children, timeout=10)
    assert left == []
