"""Sample data: as requested, reproducible, and readable."""

import csv
import itertools
import re
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from storemon_pipeline.business_time.calendar import OPEN_END
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.polls.poll_rows import read_polls_file
from storemon_pipeline.sample_data import SampleSummary, write_sample_data
from storemon_pipeline.schedules.closures_file import read_closures_file
from storemon_pipeline.schedules.hours_file import read_hours_file
from storemon_pipeline.schedules.zones_file import read_zones_file
from storemon_pipeline.sources.find_files import find_files
from storemon_pipeline.stores.details_file import read_store_details_file

DATA = Path(__file__).parents[2] / "data"
NOW_US = 1_700_000_000_000_000
END_US = 1_674_670_402_479_220  # 2023-01-25T18:13:22.479220Z
HOUR_US = 3_600_000_000
FILES = ["business_hours.csv", "closures.csv", "store_status.csv", "stores.csv", "timezones.csv"]


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _file(data: Path, source: Source) -> Path:
    (file,) = find_files(data, source)
    return Path(str(file.path))


def test_the_folder_data_can_be_made_again_byte_for_byte(tmp_path: Path) -> None:
    write_sample_data(tmp_path, stores=60, days=9, seed=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == FILES
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (DATA / name).read_bytes(), name


def test_the_folder_data_is_small() -> None:
    assert sum(path.stat().st_size for path in DATA.iterdir()) < 1_500_000


def test_another_seed_makes_other_stores(tmp_path: Path) -> None:
    ids = []
    for seed in (1, 2):
        write_sample_data(tmp_path, stores=20, days=1, seed=seed)
        ids.append({row["store_id"] for row in rows_of(tmp_path / "store_status.csv")} - {""})
    assert not ids[0] & ids[1]


def test_the_summary_says_what_the_readers_find(tmp_path: Path) -> None:
    summary = write_sample_data(tmp_path, stores=200, days=3, seed=5)
    polls = read_polls_file(_file(tmp_path, Source.STORE_STATUS), now_us=NOW_US)
    hours = read_hours_file(_file(tmp_path, Source.BUSINESS_HOURS))
    zones = read_zones_file(_file(tmp_path, Source.STORE_TIMEZONES))
    names = read_store_details_file(_file(tmp_path, Source.STORE_DETAILS))
    closures = read_closures_file(_file(tmp_path, Source.CLOSURES))
    polled = set(polls.polls.store_ids)
    with_hours, with_zone = set(hours.frame.store_id), set(zones.frame.store_id)
    assert len(polled | with_hours | with_zone) == 200
    assert summary == SampleSummary(
        stores=200,
        silent_stores=200 - len(polled),
        stores_without_hours=200 - len(with_hours),
        stores_without_zone=200 - len(with_zone),
        polls=len(polls.polls.line),
        bad_polls=len(polls.rejected),
        hours=len(hours.frame),
        bad_hours=len(hours.rejected),
        zones=len(zones.frame),
        bad_zones=len(zones.rejected),
        names=len(names.frame),
        bad_names=len(names.rejected),
        closures=len(closures.frame),
        bad_closures=len(closures.rejected),
    )
    assert (summary.silent_stores, summary.stores_without_zone) == (8, 8)
    assert 8 <= summary.stores_without_hours <= 16


def test_bad_rows_are_bad_for_the_reasons_that_the_readme_gives() -> None:
    polls = read_polls_file(DATA / "store_status.csv", now_us=NOW_US)
    hours = read_hours_file(DATA / "business_hours.csv")
    zones = read_zones_file(DATA / "timezones.csv")
    names = read_store_details_file(DATA / "stores.csv")
    closures = read_closures_file(DATA / "closures.csv")
    files = (polls, hours, zones, names, closures)
    reasons = [Counter(row.reason.value for row in r.rejected) for r in files]
    assert reasons == [
        {"unknown status": 2, "timestamp cannot be read": 2, "no store id": 1},
        {
            "weekday is not 0 to 6": 1,
            "time cannot be read": 1,
            "time is after 48:00": 1,
            "no store id": 1,
        },
        {"unknown time zone": 1, "no store id": 1},
        {"no store id": 1},
        {"closure does not end after its start": 1},
    ]
    assert [r.rows_read for r in files] == [8624, 427, 60, 58, 3]


def test_names_are_unique_and_regions_match_the_zones() -> None:
    rows = [row for row in rows_of(DATA / "stores.csv") if row["store_id"]]
    assert len({row["name"] for row in rows}) == len(rows) == 57
    groups = Counter(row["group"] for row in rows)
    assert len(groups) == 6
    assert groups["Taco Harbor"] > groups["Pizza Prima"] > groups[""] - 5 > 0
    zone = {row["store_id"]: row["timezone_str"] for row in rows_of(DATA / "timezones.csv")}
    zones_of = defaultdict(set)
    for row in rows:
        zones_of[row["region"]].add(zone.get(row["store_id"], "none"))
    assert zones_of["East"] == {"America/New_York"}
    assert zones_of["Mountain"] == {"America/Denver", "America/Phoenix"}
    assert zones_of["West"] == {"America/Los_Angeles", "Pacific/Honolulu"}
    assert zones_of["Overseas"] == {"Europe/London", "Asia/Kolkata", "Australia/Adelaide"}
    assert zones_of["Central"] >= {"America/Chicago"}


def test_one_store_is_closed_until_further_notice_and_one_was_closed_for_two_days() -> None:
    closures = read_closures_file(DATA / "closures.csv").frame
    length_us = closures["end_local_us"] - closures["start_local_us"]
    assert closures["reason"].tolist() == ["water damage", "repairs"]
    assert closures["end_local_us"][0] == OPEN_END
    assert length_us[1] == 48 * HOUR_US


def test_polls_are_about_hourly_within_the_days_asked_for(tmp_path: Path) -> None:
    write_sample_data(tmp_path, stores=100, days=4, seed=3)
    polls = read_polls_file(tmp_path / "store_status.csv", now_us=NOW_US).polls
    assert polls.polled_at_us.max() == END_US
    assert polls.polled_at_us.min() > END_US - 4 * 24 * HOUR_US
    times = defaultdict(list)
    for store, at_us in sorted(zip(polls.store.tolist(), polls.polled_at_us.tolist(), strict=True)):
        times[store].append(at_us)
    steps = [b - a for of_store in times.values() for a, b in itertools.pairwise(of_store)]
    assert min(steps) >= HOUR_US - 8 * 60_000_000 - 1_000_000
    assert max(steps) > 5 * HOUR_US
    cells = len(times) * 4 * 24
    assert 0.6 < len(polls.line) / cells < 0.72
    assert polls.polled_at_us.tolist() != sorted(polls.polled_at_us.tolist())


def test_stores_behave_in_all_the_ways_that_matter() -> None:
    statuses = defaultdict(list)
    for row in rows_of(DATA / "store_status.csv"):
        statuses[row["store_id"]].append(row["status"])
    statuses.pop("")
    shares = [of_store.count("inactive") / len(of_store) for of_store in statuses.values()]
    assert sum(share == 0 for share in shares) >= 25
    assert 3 <= sum(share > 0.95 for share in shares) <= 9
    assert sum(0 < share < 0.5 for share in shares) >= 10

    hours = defaultdict(list)
    for row in rows_of(DATA / "business_hours.csv"):
        hours[row["store_id"]].append(
            (row["dayOfWeek"], row["start_time_local"], row["end_time_local"])
        )
    assert sum(len({day for day, _, _ in rows}) < 7 for rows in hours.values()) >= 5
    assert sum(any(end < start for _, start, end in rows) for rows in hours.values()) >= 3
    assert sum(len({day for day, _, _ in rows}) < len(rows) for rows in hours.values()) >= 5
    all_day = [(str(day), "00:00:00", "23:59:00") for day in range(7)]
    assert sum(rows == all_day for rows in hours.values()) >= 3
    assert set(hours) - set(statuses) - {""}  # silent stores
    assert set(statuses) - set(hours)  # stores without hours

    zones = Counter(row["timezone_str"] for row in rows_of(DATA / "timezones.csv"))
    assert zones["America/New_York"] > zones["America/Los_Angeles"] > zones["America/Denver"] > 0
    assert zones["Asia/Kolkata"] == 1


def test_ids_are_integers_of_19_digits_and_uuids() -> None:
    ids = {row["store_id"] for row in rows_of(DATA / "store_status.csv")} - {""}
    integers = {text for text in ids if re.fullmatch(r"[1-9]\d{18}", text)}
    uuids = {
        text for text in ids if re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text)
    }
    assert integers | uuids == ids
    assert len(integers) > 50
    assert len(uuids) >= 2
    assert max(map(int, integers)) < 2**63


def test_the_end_may_be_chosen_in_any_zone(tmp_path: Path) -> None:
    end = datetime.fromisoformat("2024-03-10T12:00:00+05:30")
    write_sample_data(tmp_path, stores=3, days=1, seed=1, end=end)
    polls = read_polls_file(tmp_path / "store_status.csv", now_us=NOW_US * 2).polls
    expected = (end - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert polls.polled_at_us.max() == expected
    assert "2024-03-10 06:30:00 UTC" in {
        row["timestamp_utc"] for row in rows_of(tmp_path / "store_status.csv")
    }


@pytest.mark.parametrize(("stores", "days"), [(1, 1e-9), (1, 0.5), (2, 0.01)])
def test_very_little_data_can_be_requested(tmp_path: Path, stores: int, days: float) -> None:
    summary = write_sample_data(tmp_path, stores=stores, days=days, seed=1)
    polls = read_polls_file(tmp_path / "store_status.csv", now_us=NOW_US).polls
    assert polls.polled_at_us.max() == END_US
    assert summary.polls == len(polls.line) >= 1


@pytest.mark.parametrize(
    ("stores", "days"), [(0, 1.0), (-1, 1.0), (1, 0.0), (1, -1.0), (1, float("nan")), (1, 1e9)]
)
def test_impossible_sample_data_is_refused(tmp_path: Path, stores: int, days: float) -> None:
    with pytest.raises(ValueError, match="1 store or more and up to 3660 days"):
        write_sample_data(tmp_path / "out", stores=stores, days=days, seed=1)
    assert not (tmp_path / "out").exists()


def test_an_end_without_a_zone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        write_sample_data(tmp_path, stores=1, days=1, seed=1, end=datetime(2023, 1, 1))  # noqa: DTZ001
