"""Finding files in local folders and behind URLs."""

import functools
import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from upath import UPath

from storemon_pipeline.domain.sources import Source
from storemon_pipeline.files.folders import (
    LocalFolder,
    LocationError,
    UnreachableError,
    data_folder,
    open_file,
)
from storemon_pipeline.ingestion.watch_files import list_files
from storemon_pipeline.sources.find_files import MissingSourceError, find_files, survey_files

SAMPLE = Path(__file__).parents[2] / "data"
NOW = datetime(2040, 1, 1, tzinfo=UTC)
NAMES = [
    "store_status.csv",
    "store_status.csv.gz",
    "store_status.parquet",
    "store_status/2026/b.csv",
    "store_status/2026/a.csv.zst",
    "store_status/c.parquet",
]
LEFT_ALONE = [
    "store_status/_SUCCESS",
    "store_status/.a.csv",
    "store_status/_temporary/a.csv",
    "store_status/.git/a.csv",
    "store_status/README.md",
    "store_status.csv.bak",
]
FOUND = [
    "store_status.csv",
    "store_status.csv.gz",
    "store_status.parquet",
    "store_status/2026/a.csv.zst",
    "store_status/2026/b.csv",
    "store_status/c.parquet",
]


def fill(folder: Path | UPath) -> None:
    for name in NAMES + LEFT_ALONE:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    """The URL of a web server over the test's folder."""
    pytest.importorskip("aiohttp")
    handler = functools.partial(_Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def paths(place: str | Path) -> list[str]:
    return [file.file_path for file in find_files(place, Source.STORE_STATUS)]


def test_files_of_a_local_folder_are_found_in_order(tmp_path: Path) -> None:
    fill(tmp_path)
    assert paths(tmp_path) == FOUND
    assert paths(str(tmp_path)) == FOUND
    assert paths(tmp_path.as_uri()) == FOUND


def test_files_in_memory_are_found_as_local_ones_are(memory: UPath) -> None:
    fill(memory)
    assert paths(str(memory)) == FOUND


@pytest.mark.parametrize("place", ["local", "memory"])
def test_files_that_are_passed_over_are_named_with_the_reason(
    tmp_path: Path, memory: UPath, place: str
) -> None:
    root: Path | UPath = tmp_path if place == "local" else memory
    fill(root)
    others = ["README.md", "menu_hours.csv", "business_hours.csv", "Closures.csv", "stores.xlsx"]
    for name in [*others, "menu_hours/a.CSV", "menu_hours/b.csv", "other/c.csv"]:
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(name)
    ending = (
        "its name does not end in .csv, .csv.gz, .csv.zst, .jsonl, .ndjson, .parquet, .ics or .json"
    )
    instead = "there are files named business_hours, which are read instead"
    assert {
        (file.file_path, file.source, file.reason) for file in survey_files(str(root)).passed_over
    } == {
        ("Closures.csv", None, "its columns are those of no source; found: Closures.csv"),
        ("menu_hours.csv", Source.BUSINESS_HOURS, instead),
        ("menu_hours/a.CSV", Source.BUSINESS_HOURS, instead),
        ("menu_hours/b.csv", Source.BUSINESS_HOURS, instead),
        ("store_status.csv.bak", Source.STORE_STATUS, ending),
        ("store_status/README.md", Source.STORE_STATUS, ending),
        ("stores.xlsx", Source.STORE_DETAILS, ending),
    }


def test_a_link_to_a_folder_is_named_as_passed_over(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.csv").touch()
    (tmp_path / "store_status" / "2026").mkdir(parents=True)
    (tmp_path / "store_status" / "2026" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "store_status" / "b.csv").symlink_to(tmp_path / "elsewhere" / "a.csv")
    assert paths(tmp_path) == ["store_status/b.csv"]
    assert [
        (file.file_path, file.source, file.reason) for file in survey_files(tmp_path).passed_over
    ] == [
        (
            "store_status/2026/link",
            Source.STORE_STATUS,
            "it is a link to a folder, and such links are not followed",
        )
    ]


def test_the_sample_passes_nothing_over() -> None:
    assert survey_files(SAMPLE).passed_over == []


def test_files_of_a_web_server_are_found_as_local_ones_are(tmp_path: Path, web: str) -> None:
    fill(tmp_path)
    assert paths(web) == FOUND
    found = find_files(web, Source.STORE_STATUS)[3]
    local = find_files(tmp_path, Source.STORE_STATUS)[3]
    assert found.size_bytes == local.size_bytes
    assert found.modified_ns == local.modified_ns // 1_000_000_000 * 1_000_000_000
    with open_file(found) as opened:
        assert opened.stream.read() == b"store_status/2026/a.csv.zst"


def test_a_web_server_with_a_page_for_everything_has_no_files(tmp_path: Path, web: str) -> None:
    (tmp_path / "index.html").write_text("<h1>Hello</h1>")
    with pytest.raises(MissingSourceError):
        paths(web)


def test_a_dead_server_is_out_of_reach() -> None:
    pytest.importorskip("aiohttp")
    with pytest.raises(UnreachableError, match="cannot be reached"):
        paths("http://127.0.0.1:9/")


@pytest.mark.parametrize("place", ["local", "memory"])
def test_an_empty_folder_is_a_source_without_files(
    tmp_path: Path, memory: UPath, place: str
) -> None:
    root: Path | UPath = tmp_path if place == "local" else memory
    (root / "store_status").mkdir()
    assert paths(str(root)) == []


def test_an_empty_folder_does_not_hide_a_file_of_another_name(tmp_path: Path) -> None:
    (tmp_path / "business_hours").mkdir()
    (tmp_path / "menu_hours.csv").touch()
    (file,) = find_files(tmp_path, Source.BUSINESS_HOURS)
    assert file.file_path == "menu_hours.csv"


@pytest.mark.parametrize(
    ("url", "package", "extra"),
    [
        ("s3://bucket/folder", "s3fs", "s3"),
        ("gs://bucket/folder", "gcsfs", "gcs"),
        ("https://host/folder", "aiohttp", "http"),
    ],
)
def test_a_missing_package_is_named_by_its_extra(url: str, package: str, extra: str) -> None:
    lines = (
        "import sys",
        f"sys.modules[{package!r}] = None",
        "from storemon_pipeline.files.folders import LocationError, data_folder",
        f"try: data_folder({url!r})",
        "except LocationError as error: print(error)",
    )
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True
    )
    assert done.stdout == (
        f"{url} cannot be read without the extra package {extra!r}: "
        f"run pip install 'storemon[{extra}]'\n"
    )


def test_an_unknown_kind_of_url_is_reported_as_unknown() -> None:
    with pytest.raises(LocationError, match="foo://x cannot be read"):
        data_folder("foo://x")


def test_a_vanished_file_is_a_missing_one(tmp_path: Path) -> None:
    fill(tmp_path)
    file = LocalFolder(tmp_path).files(["store_status.csv"])[0]
    (tmp_path / "store_status.csv").unlink()
    with pytest.raises(FileNotFoundError), open_file(file):
        pass


def test_one_listing_finds_every_change(tmp_path: Path) -> None:
    fill(tmp_path)
    seen = [list_files(tmp_path, now=NOW).digest]
    (tmp_path / "timezones.csv").touch()
    seen.append(list_files(tmp_path, now=NOW).digest)
    (tmp_path / "store_status" / "c.parquet").write_text("longer than before, by some")
    seen.append(list_files(tmp_path, now=NOW).digest)
    (tmp_path / "store_status" / "c.parquet").rename(tmp_path / "store_status" / "d.parquet")
    seen.append(list_files(tmp_path, now=NOW).digest)
    assert len(set(seen)) == 4
    (tmp_path / "store_status" / "notes.txt").touch()
    assert list_files(tmp_path, now=NOW).digest == seen[-1]
