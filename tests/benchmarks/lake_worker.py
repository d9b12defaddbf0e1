"""One worker of the benchmark `lake`: a process that does its share of the buckets.

`python -m benchmarks.lake_worker TASK LAKE NUMBER OF [DATA]` says `ready`, waits for a line, works,
and prints what it took as JSON.
"""

import json
import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from benchmarks.apart import read_peak_bytes
from benchmarks.lake_data import Copies, append_hour
from storemon_pipeline.lake.report_rows import make_share
from storemon_pipeline.lake_files.lake_folder import LakeFolder
from storemon_pipeline.lake_files.manifest import Bucket, read_contents, read_manifest


@dataclass(frozen=True, slots=True)
class Worked:
    """What a worker took, and the buckets that it made."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    made: dict[int, Bucket]


def work_apart(
    task: str, lake: LakeFolder, workers: int, data: Path | None = None
) -> tuple[float, list[Worked]]:
    """Run a task in this number of processes; return the seconds until the last one is done."""
    processes = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "benchmarks.lake_worker"),
                *(task, str(lake), str(number), str(workers), *([str(data)] if data else [])),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(workers)
    ]
    for process in processes:
        _line_of(process)
    begun = time.perf_counter()
    for process in processes:
        if process.stdin is not None:
            process.stdin.write("go\n")
            process.stdin.flush()
    worked = []
    for process in processes:
        said = json.loads(_line_of(process))
        made = {int(number): Bucket(**bucket) for number, bucket in said.pop("made").items()}
        worked.append(Worked(made=made, **said))
    seconds = time.perf_counter() - begun
    for process in processes:
        process.communicate()
    return seconds, worked


def _line_of(process: "subprocess.Popen[str]") -> str:
    line = process.stdout.readline() if process.stdout is not None else ""
    if not line:
        raise ChildProcessError(f"worker {process.args!r} ended early")
    return line


def _report(lake: LakeFolder, number: int, _of: int, _data: Path | None) -> dict[int, Bucket]:
    make_share(lake, run_ids=("benchmark",), number=number)
    return {}


def _hour(lake: LakeFolder, number: int, of: int, data: Path | None) -> dict[int, Bucket]:
    if data is None:
        raise ValueError("the polls of the hour come from the sample")
    copies: Copies = pickle.loads(data.read_bytes())  # noqa: S301  (written by the benchmark)
    manifest = read_manifest(lake)
    buckets = copies.buckets()
    return {
        bucket: append_hour(
            lake,
            manifest.buckets[bucket],
            read_contents(lake, manifest.buckets[bucket]),
            copies.next_polls(buckets[bucket], hours=manifest.version - 1),
        )
        for bucket in manifest.shares(of)[number]
    }


_TASKS: Final[Mapping[str, Callable[[LakeFolder, int, int, Path | None], dict[int, Bucket]]]] = {
    "report": _report,
    "hour": _hour,
}


def main() -> None:
    """Do what the command line says, once a line comes."""
    task, place, number, of, *data = sys.argv[1:]
    lake = LakeFolder(place)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    begun, cpu = time.perf_counter(), time.process_time()
    made = _TASKS[task](lake, int(number), int(of), Path(data[0]) if data else None)
    worked = Worked(
        time.perf_counter() - begun,
        time.process_time() - cpu,
        read_peak_bytes(),
        made,
    )
    sys.stdout.write(f"{json.dumps(asdict(worked))}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
