"""What integration tests share: a running API, and an empty lake."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from api_server import serve
from storemon_pipeline.lake_files.lake_folder import LakeFolder


@pytest.fixture
def client(database_url: str) -> Iterator[httpx.Client]:
    """Give a client of a running API on the test's database."""
    with serve(database_url) as client:
        yield client


@pytest.fixture
def lake(tmp_path: Path) -> LakeFolder:
    """An empty folder of a lake on this machine."""
    return LakeFolder(str(tmp_path / "lake"))
