"""Names, groups and regions of stores: loaded from a file, corrected by a later one."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from api_server import serve
from stored import fetch, load
from storemon_pipeline.alerts.messages import StoreName
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.ingestion.ingest_files import ingest_source
from storemon_pipeline.ingestion.undo_load import UndoError, undo_load
from storemon_pipeline.loads.load_log import RowCounts
from storemon_pipeline.sources.find_files import MissingSourceError

NOW = datetime(2023, 2, 1, tzinfo=UTC)
EVERYTHING = (
    "SELECT store_id, name, group_name, region FROM store_details JOIN stores USING (store_key)"
    " ORDER BY store_id"
)


def ingest(url: str, folder: Path, text: str) -> RowCounts:
    (folder / "stores.csv").write_text(text)
    loaded = ingest_source(url, folder, Source.STORE_DETAILS, now=NOW, run_id=None)
    return loaded.loads[0].row_counts


def stored(url: str) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for row in fetch(url, EVERYTHING)]


def test_a_file_names_stores_and_a_later_one_corrects_them(
    database_url: str, tmp_path: Path
) -> None:
    first = "store_id,name,group,region\nA,Market Street,Bay,West\nB,,,\n,Nobody,,\n"
    assert ingest(database_url, tmp_path, first) == RowCounts(2, 0, 0, 1)
    assert stored(database_url) == [("A", "Market Street", "Bay", "West"), ("B", None, None, None)]
    second = "name,store_id,group\nMarket St.,A,Bay\nCorner,C,Bay\nCorner Shop,C,Hill\n"
    assert ingest(database_url, tmp_path, second) == RowCounts(1, 1, 1, 0)
    assert stored(database_url) == [
        ("A", "Market St.", "Bay", None),
        ("B", None, None, None),
        ("C", "Corner Shop", "Hill", None),
    ]


def test_a_name_may_have_a_quoted_line_break(database_url: str, tmp_path: Path) -> None:
    text = 'store_id,name,group\nA,"Market\nStreet",Bay\nB,Corner,Hill\n'
    assert ingest(database_url, tmp_path, text) == RowCounts(2, 0, 0, 0)
    assert stored(database_url) == [
        ("A", "Market\nStreet", "Bay", None),
        ("B", "Corner", "Hill", None),
    ]
    assert str(StoreName("A", "Market\nStreet", "UTC")) == "Market Street (A)"


def test_the_file_is_optional(database_url: str, tmp_path: Path) -> None:
    with pytest.raises(MissingSourceError, match=r"stores\.csv"):
        ingest_source(database_url, tmp_path, Source.STORE_DETAILS, now=NOW, run_id=None)


def test_names_are_not_undone(database_url: str, tmp_path: Path) -> None:
    ingest(database_url, tmp_path, "store_id,name\nA,Market Street\n")
    with pytest.raises(UndoError, match="change the file"):
        undo_load(database_url, 1, now=NOW)


def test_names_and_groups_show_in_lists_at_once(database_url: str, tmp_path: Path) -> None:
    load(database_url, "A 09:00 up", "B 09:00 down")
    with serve(database_url) as client:
        assert client.get("/stores").json()["stores"][0]["name"] is None
        ingest(database_url, tmp_path, "store_id,name,group\nA,Market Street,Bay\n")
        assert client.get("/stores?group=Bay").json()["stores"][0]["name"] == "Market Street"
        groups = client.get("/fleet/now").json()["groups"]
        assert [(group["name"], group["stores"]) for group in groups] == [("Bay", 1), (None, 1)]
