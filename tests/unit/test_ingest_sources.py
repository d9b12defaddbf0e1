"""Finding the file of each source in the data folder."""

from pathlib import Path

import pytest

from storemon_pipeline.domain.sources import Source
from storemon_pipeline.ingestion.find_files import MissingSourceError, find_files


@pytest.mark.parametrize(
    ("source", "names"),
    [
        (Source.STORE_STATUS, ["store_status.csv"]),
        (Source.BUSINESS_HOURS, ["business_hours.csv", "menu_hours.csv"]),
        (Source.STORE_TIMEZONES, ["timezones.csv", "store_timezones.csv"]),
        (Source.CLOSURES, ["closures.csv"]),
    ],
)
def test_each_name_is_found_and_the_first_one_wins(
    tmp_path: Path, source: Source, names: list[str]
) -> None:
    for name in reversed(names):
        (tmp_path / name).touch()
        assert [file.path for file in find_files(tmp_path, source)] == [tmp_path / name]


def test_a_missing_file_says_where_and_under_which_names_it_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "menu_hours.csv").mkdir()
    with pytest.raises(MissingSourceError) as caught:
        find_files(tmp_path, Source.BUSINESS_HOURS)
    assert str(caught.value) == (
        f"no file for business_hours in {tmp_path}: "
        "looked for business_hours.csv and menu_hours.csv (or .csv.gz, .csv.zst, .parquet), "
        "and for such files in a folder business_hours/ or menu_hours/"
    )
    assert caught.value.names == ("business_hours.csv", "menu_hours.csv")


def test_a_missing_folder_is_reported_as_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingSourceError, match="which is not a folder: looked for store_status"):
        find_files(tmp_path / "nowhere", Source.STORE_STATUS)
