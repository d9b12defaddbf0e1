"""The first load of the polls against a plain COPY of the same file."""

from pathlib import Path

import psycopg

from benchmarks.goals import Measured
from benchmarks.loaded import load, make_database
from benchmarks.timing import seconds_of
from storemon_pipeline.database.connections import libpq_url
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.sources.find_files import find_files

_BLOCK_BYTES = 1 << 20


def measure(server_url: str, data: Path) -> list[Measured]:
    """Every row checked, into logged tables with their keys; COPY into an unlogged text table."""
    url = make_database(server_url, "first_load")
    file = data / find_files(data, Source.STORE_STATUS)[0].file_path
    before = _copy_seconds(url, file)
    rows = 0

    def first_load() -> None:
        nonlocal rows
        rows = load(url, data, Source.STORE_STATUS)

    (loaded,) = seconds_of(first_load, times=1)
    plain = (before + _copy_seconds(url, file)) / 2
    note = f"{rows:,} rows in {loaded:.1f} s; COPY {plain:.1f} s"
    return [Measured("first load against a plain COPY", 6, loaded / plain, "times", note)]


def _copy_seconds(url: str, file: Path) -> float:
    with psycopg.connect(libpq_url(url), autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS plain")
        columns = ", ".join(f"column_{number} text" for number in range(_fields(file)))
        connection.execute(f"CREATE UNLOGGED TABLE plain ({columns})")

        def copy() -> None:
            with (
                connection.cursor().copy("COPY plain FROM STDIN (FORMAT csv, HEADER)") as target,
                file.open("rb") as source,
            ):
                while block := source.read(_BLOCK_BYTES):
                    target.write(block)

        (seconds,) = seconds_of(copy, times=1)
        connection.execute("DROP TABLE plain")
        return seconds


def _fields(file: Path) -> int:
    with file.open() as lines:
        return len(lines.readline().split(","))
