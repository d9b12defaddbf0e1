"""The lake on S3, against a local server; it needs the packages `s3fs`, `moto` and `flask-cors`."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from asked_reports import csv_of, request
from stored import LOADED_AT, load
from storemon_pipeline.database.connections import create_engine
from storemon_pipeline.files.folders import UnreachableError
from storemon_pipeline.lake.make_lake_reports import make_lake_reports
from storemon_pipeline.lake_files.lake_folder import LakeFolder
from storemon_pipeline.lake_files.manifest import read_manifest
from storemon_pipeline.reports.make_reports import make_waiting_reports

pytest.importorskip("s3fs")
moto_server = pytest.importorskip("moto.server")


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """The URL of an empty bucket."""
    server = moto_server.ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        environment.setenv("AWS_ACCESS_KEY_ID", "test")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "test")
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        LakeFolder("s3://bucket")._root.fs.mkdir("bucket")
        yield "s3://bucket"
    server.stop()


def test_files_of_s3_are_written_read_listed_and_deleted(bucket: str) -> None:
    lake = LakeFolder(f"{bucket}/files")
    lake.write("a/one", b"1")
    lake.write("a/two", b"2")
    assert (lake.read("a/one"), lake.names("a"), lake.names("b")) == (b"1", ["one", "two"], [])
    lake.delete(["a/one"])
    assert lake.names("a") == ["two"]
    with pytest.raises(FileNotFoundError):
        lake.read("a/one")
    with pytest.raises(UnreachableError):
        LakeFolder("s3://no-such-bucket").write("a", b"1")


def test_of_many_writers_of_a_file_of_s3_one_wins(bucket: str) -> None:
    def create(number: int) -> bool:
        try:
            LakeFolder(f"{bucket}/one").create("file", str(number).encode())
        except FileExistsError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        wins = list(pool.map(create, range(8)))
    assert wins.count(True) == 1
    assert LakeFolder(f"{bucket}/one").read("file") == str(wins.index(True)).encode()


def test_a_report_from_s3_is_that_from_the_database(bucket: str, database_url: str) -> None:
    load(database_url, "A 09:00 up", "A 10:00 down", "B 09:30 up", "C 11:00 down")
    engine = create_engine(database_url, application_name="test", pool_size=2)
    lake = LakeFolder(f"{bucket}/lake")
    for hour in (12, 13):
        load(database_url, f"B {hour}:00 down")
        expected = request(engine)
        make_waiting_reports(database_url, run_id="database", is_manual=False)
        from_lake = request(engine)
        make_lake_reports(database_url, lake, run_id=f"run-{hour}", is_manual=False, now=LOADED_AT)
        assert csv_of(engine, from_lake) == csv_of(engine, expected)
    assert read_manifest(lake).version == 2
    engine.dispose()
