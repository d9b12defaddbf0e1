"""Hours, zones and closures in several files: one union, whichever file a row is in."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.ingestion.ingest_files import ingest_source
from storemon_pipeline.ingestion.source_load import SourceLoad
from storemon_pipeline.ingestion.watch_files import is_all_read, list_files
from storemon_pipeline.loads.rejected_hours import fetch_rejected_hours

HOURS: Final = "store_id,day,start_time_local,end_time_local\n"
ZONES: Final = "store_id,timezone_str\n"
CLOSURES: Final = "store_id,start_local,end_local,reason\n"
FIRST: Final = datetime(2023, 2, 1, tzinfo=UTC)
LATER: Final = FIRST + timedelta(days=1)
LAST: Final = FIRST + timedelta(days=2)


@dataclass
class Folder:
    """A data folder and the database that it is loaded into."""

    url: str
    path: Path
    source: Source

    def write(self, name: str, text: str) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def refresh(self, *, now: datetime) -> SourceLoad:
        return ingest_source(self.url, self.path, self.source, now=now, run_id=None)

    def fetch(self, query: str) -> list[dict[str, Any]]:
        with bulk_transaction(self.url) as bulk:
            rows: list[dict[str, Any]] = bulk.fetch(query).to_pylist()
        return rows

    def hours(self) -> list[tuple[str, str, int, str]]:
        """Store, from when (`always` or a date), weekday, file of the load: by version."""
        rows = self.fetch(
            "SELECT store_id, nullif(valid_from, '-infinity') AS since, day_of_week, file_path"
            " FROM business_hours JOIN stores USING (store_key) JOIN loads USING (load_id)"
            " ORDER BY store_id, valid_from, load_id, row_number"
        )
        return [
            (
                row["store_id"],
                "always" if row["since"] is None else f"{row['since']:%Y-%m-%d}",
                row["day_of_week"],
                row["file_path"].removeprefix("business_hours/"),
            )
            for row in rows
        ]


@pytest.fixture
def hours(database_url: str, tmp_path: Path) -> Folder:
    return Folder(database_url, tmp_path, Source.BUSINESS_HOURS)


def row_counts(load: SourceLoad) -> dict[str, tuple[int, int, int, int]]:
    return {
        Path(made.file_path).name: (
            made.row_counts.loaded,
            made.row_counts.replaced,
            made.row_counts.unchanged,
            made.row_counts.rejected,
        )
        for made in load.loads
    }


def test_a_store_in_two_files_has_the_rows_of_both_in_one_version(hours: Folder) -> None:
    hours.write("business_hours/a.csv", HOURS + "A,0,09:00,17:00\nB,0,09:00,17:00\n")
    hours.write("business_hours/b.csv", HOURS + "A,1,09:00,17:00\nA,0,09:00,17:00\n")
    # One of the two equal rows is counted as unchanged.
    assert row_counts(hours.refresh(now=FIRST)) == {"a.csv": (1, 0, 1, 0), "b.csv": (2, 0, 0, 0)}
    assert hours.hours() == [
        ("A", "always", 1, "b.csv"),
        ("A", "always", 0, "b.csv"),
        ("B", "always", 0, "a.csv"),
    ]


def test_hours_in_the_notation_of_openstreetmap_lie_beside_others(hours: Folder) -> None:
    hours.write("business_hours/a.csv", HOURS + "A,0,09:00,17:00\n")
    osm = "store_id,opening_hours\nB,Mo-Tu 09:00-17:00\nC,PH off\n"
    hours.write("business_hours/osm.csv", osm)
    loaded = hours.refresh(now=FIRST)
    assert row_counts(loaded) == {
        "a.csv": (1, 0, 0, 0),
        "osm.csv": (2, 0, 0, 1),
    }
    expected = [
        ("A", "always", 0, "a.csv"),
        ("B", "always", 0, "osm.csv"),
        ("B", "always", 1, "osm.csv"),
    ]
    assert hours.hours() == expected
    hours.write("business_hours/osm.csv", osm.replace("Mo-Tu", "Mo,Tu"))
    hours.refresh(now=LATER)
    assert hours.hours() == expected
    # The store of the rejected row is not simply taken as always open.
    hours.write("timezones.csv", ZONES + "C,Europe/Berlin\n")
    ingest_source(hours.url, hours.path, Source.STORE_TIMEZONES, now=LATER, run_id=None)
    with bulk_transaction(hours.url) as bulk:
        assert fetch_rejected_hours(bulk).store_ids == ("C",)


def test_files_that_are_as_before_make_no_new_version(hours: Folder) -> None:
    hours.write("business_hours/a.csv", HOURS + "A,0,09:00,17:00\n")
    hours.write("business_hours/b.csv", HOURS + "A,1,09:00,17:00\n")
    hours.refresh(now=FIRST)
    before = hours.hours()
    assert hours.refresh(now=LATER).loads == ()
    hours.write("business_hours/a.csv", HOURS + "A,0,09:00,17:00\n\n")
    assert row_counts(hours.refresh(now=LATER)) == {"a.csv": (0, 0, 1, 0), "b.csv": (0, 0, 1, 0)}
    assert hours.hours() == before


def test_a_row_may_move_from_one_file_to_another(hours: Folder) -> None:
    hours.write("business_hours/a.csv", HOURS + "A,0,09:00,17:00\nA,1,09:00,17:00\n")
    hours.write("business_hours/b.csv", HOURS)
    hours.refresh(now=FIRST)
    before = hours.hours()
    hours.write("business_hours/a.csv", HOURS + "A,0,09:00,17:00\n")
    hours.write("business_hours/b.csv", HOURS + "A,1,09:00,17:00\n")
    hours.refresh(now=LATER)
    assert hours.hours() == before


def test_a_change_in_one_file_makes_a_version_of_the_union(hours: Folder) -> None:
    hours.write("business_hours/a.csv", HOURS + "A,0,09:00,17:00\nB,0,09:00,17:00\n")
    hours.write("business_hours/b.csv", HOURS + "A,1,09:00,17:00\n")
    hours.refresh(now=FIRST)
    hours.write("business_hours/b.csv", HOURS + "A,2,09:00,17:00\n")
    assert row_counts(hours.refresh(now=LATER)) == {"a.csv": (0, 1, 1, 0), "b.csv": (0, 1, 0, 0)}
    assert [row for row in hours.hours() if row[1] != "always"] == [
        ("A", "2023-02-02", 0, "b.csv"),
        ("A", "2023-02-02", 2, "b.csv"),
    ]


def test_a_vanished_file_changes_nothing_until_another_one_does(hours: Folder) -> None:
    hours.write("business_hours/a.csv", HOURS + "A,0,09:00,17:00\n")
    path = hours.write("business_hours/b.csv", HOURS + "A,1,09:00,17:00\nB,1,09:00,17:00\n")
    hours.refresh(now=FIRST)
    before = hours.hours()
    kept = path.rename(hours.path / "kept")
    assert hours.refresh(now=LATER).loads == ()
    assert hours.hours() == before
    hours.write("business_hours/a.csv", HOURS + "A,0,09:00,18:00\n")
    hours.refresh(now=LATER)
    assert [row for row in hours.hours() if row[1] != "always"] == [("A", "2023-02-02", 0, "a.csv")]
    assert [row for row in hours.hours() if row[0] == "B"] == [("B", "always", 1, "b.csv")]
    kept.rename(path)  # as it was; that it was forgotten makes it count again
    hours.refresh(now=LAST)
    assert [row for row in hours.hours() if row[1] == "2023-02-03"] == [
        ("A", "2023-02-03", 0, "b.csv"),
        ("A", "2023-02-03", 1, "b.csv"),
    ]


def test_a_file_that_could_never_be_used_does_not_stop_the_others(hours: Folder) -> None:
    hours.write("business_hours/a.csv", "no,such,columns\n")
    hours.write("business_hours/b.csv", HOURS + "A,0,09:00,17:00\n")
    load = hours.refresh(now=FIRST)
    assert [file.file_path for file in load.refused] == ["business_hours/a.csv"]
    assert row_counts(load) == {"b.csv": (1, 0, 0, 0)}
    assert hours.refresh(now=LATER).loads == ()
    hours.write("business_hours/a.csv", HOURS + "B,0,09:00,17:00\n")
    assert row_counts(hours.refresh(now=LAST)) == {"a.csv": (1, 0, 0, 0), "b.csv": (0, 0, 1, 0)}


def test_the_union_waits_for_a_file_that_was_read_before_and_cannot_be_used_now(
    hours: Folder,
) -> None:
    hours.write("business_hours/a.csv", HOURS + "A,0,09:00,17:00\n")
    hours.write("business_hours/b.csv", HOURS + "A,1,09:00,17:00\n")
    hours.refresh(now=FIRST)
    before = hours.hours()
    hours.write("business_hours/a.csv", "no,such,columns\n")
    hours.write("business_hours/b.csv", HOURS + "A,1,09:00,18:00\n")
    load = hours.refresh(now=LATER)
    assert ([file.file_path for file in load.refused], load.loads) == (["business_hours/a.csv"], ())
    assert hours.hours() == before
    hours.write("business_hours/a.csv", HOURS + "A,0,09:00,18:00\n")
    hours.refresh(now=LAST)
    assert hours.hours()[len(before) :] == [
        ("A", "2023-02-03", 0, "b.csv"),
        ("A", "2023-02-03", 1, "b.csv"),
    ]


def test_an_empty_file_takes_no_closure_away(database_url: str, tmp_path: Path) -> None:
    closures = Folder(database_url, tmp_path, Source.CLOSURES)
    closures.write("closures/a.csv", CLOSURES + "*,2023-12-25 00:00,2023-12-26 00:00,Christmas\n")
    closures.refresh(now=FIRST)
    closures.write("closures/a.csv", "")
    closures.write("closures/b.csv", "")
    assert closures.refresh(now=LATER) == SourceLoad(2, (), ())
    assert is_all_read(database_url, list_files(tmp_path, now=LATER))
    in_force = "SELECT reason FROM closures WHERE cancelled_by_load_id IS NULL ORDER BY 1"
    assert closures.fetch(in_force) == [{"reason": "Christmas"}]


def test_rejected_rows_belong_to_their_own_file(hours: Folder) -> None:
    hours.write("business_hours/a.csv", HOURS + "A,9,09:00,17:00\n")
    hours.write("business_hours/b.csv", HOURS + "A,1,09:00,17:00\nA,1,49:00,17:00\n")
    assert row_counts(hours.refresh(now=FIRST)) == {"a.csv": (0, 0, 0, 1), "b.csv": (1, 0, 0, 1)}


def test_of_two_zones_the_later_file_counts(database_url: str, tmp_path: Path) -> None:
    zones = Folder(database_url, tmp_path, Source.STORE_TIMEZONES)
    zones.write("timezones/a.csv", ZONES + "A,America/Chicago\nB,America/Denver\n")
    zones.write("timezones/b.csv", ZONES + "A,Europe/London\n")
    assert row_counts(zones.refresh(now=FIRST)) == {"a.csv": (1, 1, 0, 0), "b.csv": (1, 0, 0, 0)}
    stored = "SELECT store_id, timezone FROM store_timezones JOIN stores USING (store_key)"
    assert zones.fetch(stored + " ORDER BY 1") == [
        {"store_id": "A", "timezone": "Europe/London"},
        {"store_id": "B", "timezone": "America/Denver"},
    ]


def test_a_closure_is_cancelled_when_none_of_the_files_says_it_any_more(
    database_url: str, tmp_path: Path
) -> None:
    closures = Folder(database_url, tmp_path, Source.CLOSURES)
    christmas = "*,2023-12-25 00:00,2023-12-26 00:00,Christmas\n"
    closures.write("closures/a.csv", CLOSURES + christmas)
    closures.write("closures/b.csv", CLOSURES + "A,2023-03-01 08:00,,rebuilding\n")
    assert row_counts(closures.refresh(now=FIRST)) == {"a.csv": (1, 0, 0, 0), "b.csv": (1, 0, 0, 0)}
    closures.write("closures/a.csv", CLOSURES + "\n")
    closures.write("closures/b.csv", CLOSURES + christmas)
    assert row_counts(closures.refresh(now=LATER)) == {"a.csv": (0, 0, 0, 0), "b.csv": (0, 0, 1, 0)}
    assert closures.fetch("SELECT reason FROM closures WHERE cancelled_by_load_id IS NULL") == [
        {"reason": "Christmas"}
    ]
