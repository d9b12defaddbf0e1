"""Each check of the tables finds a fault that was planted by SQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import pytest

from stored import (
    LOADED_AT,
    MAX_GAP,
    at,
    execute,
    fetch,
    load,
    load_hours,
)
from storemon_pipeline.checks.check_intervals import check_intervals
from storemon_pipeline.checks.table_checks import (
    RejectedExample,
    StatusRunComparison,
    compare_status_runs,
    count_interval_faults,
    count_unaccounted_polls,
    count_uptime_faults,
    read_rejected,
)
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.domain.rejections import Reason, RejectedRow
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.figures.refresh_uptime import refresh_uptime
from storemon_pipeline.loads.load_log import RowCounts, close_load, open_load
from storemon_pipeline.reports.make_reports import make_waiting_reports
from storemon_pipeline.reports.results import count_result_faults
from storemon_pipeline.schedules.weekly_intervals import refresh_intervals

ADDED = "INSERT INTO business_hour_intervals VALUES"


class TestPolls:
    """The runs count every poll that a load has counted as new."""

    def test_every_poll_is_accounted_for(self, database_url: str) -> None:
        assert unaccounted(database_url) == 0
        load(database_url, "A 09:00 up", "A 10:00 up", "A 10:00 down", "B 09:00 up")
        load(database_url, "A 10:00 up", "A 09:30 down", "A 09:00 up")
        load(database_url, "A 10:00 down", "A 11:00 down", file_path=None)
        assert unaccounted(database_url) == 0

    @pytest.mark.parametrize(
        ("fault", "missing"),
        [
            ("DELETE FROM status_runs WHERE polls = 2", 2),
            ("UPDATE status_runs SET polls = polls - 1 WHERE polls = 2", 1),
            ("UPDATE status_runs SET polls = polls + 1 WHERE polls = 2", -1),
            ("UPDATE loads SET rows_loaded = rows_loaded + 5, rows_read = rows_read + 5", 5),
        ],
    )
    def test_polls_that_runs_do_not_count_are_found(
        self, database_url: str, fault: str, missing: int
    ) -> None:
        load(database_url, "A 09:00 up", "A 10:00 up", "B 09:00 up")
        execute(database_url, fault)
        assert unaccounted(database_url) == missing

    def test_rows_of_other_sources_are_no_polls(self, database_url: str) -> None:
        load(database_url, "A 09:00 up")
        load_hours(database_url, "A,0,09:00,17:00", "A,1,09:00,17:00")
        assert unaccounted(database_url) == 0


def unaccounted(url: str) -> int:
    with bulk_transaction(url) as bulk:
        return count_unaccounted_polls(bulk)


RUN_FAULTS = {
    "a run that ends too late": "UPDATE status_runs SET last_poll_at = last_poll_at + interval"
    " '1 hour' WHERE first_poll_at = '2023-01-23 10:00Z'",
    "a run that begins too early": "UPDATE status_runs SET first_poll_at = first_poll_at -"
    " interval '1 minute' WHERE first_poll_at = '2023-01-23 10:00Z'",
    "a run of the wrong status": "UPDATE status_runs SET is_active = NOT is_active"
    " WHERE first_poll_at = '2023-01-23 10:00Z'",
    "a run that counts too few polls": "UPDATE status_runs SET polls = polls - 1"
    " WHERE first_poll_at = '2023-01-23 10:00Z'",
    "a run that is missing": "DELETE FROM status_runs WHERE first_poll_at = '2023-01-23 10:00Z'",
    "a run of nothing": "INSERT INTO status_runs SELECT store_key, '2023-01-23 20:00Z',"
    " '2023-01-23 21:00Z', true, 2 FROM stores WHERE store_id = 'A'",
    "a poll that the runs do not know": "INSERT INTO store_status SELECT store_key,"
    " '2023-01-23 20:00Z', true, 1 FROM stores WHERE store_id = 'A'",
    "a poll that is gone": "DELETE FROM store_status WHERE polled_at = '2023-01-23 11:00Z'",
    "a poll whose status was changed beside the runs": "UPDATE store_status"
    " SET is_active = NOT is_active WHERE polled_at = '2023-01-23 11:00Z'",
    "a run of the wrong store": "UPDATE status_runs SET store_key = 3 WHERE store_key = 2",
}


class TestRuns:
    """Made again from the polls, the runs are the same."""

    POLLS = (
        "A 08:00 down",
        "A 10:00 up",
        "A 11:00 up",
        "A 12:00 down",
        "B 09:00 up",
        "B 09:30 up",
        "B 13:00 up",
    )

    @pytest.mark.parametrize("since", ["00:00", "08:00", "09:15", "10:30", "12:00", "13:00:01"])
    def test_runs_of_loaded_polls_are_the_same_from_any_instant_on(
        self, database_url: str, since: str
    ) -> None:
        load(database_url, *self.POLLS)
        compared = compared_runs(database_url, at(since))
        assert compared.different == 0
        expected = {"00:00": 5, "08:00": 5, "09:15": 4, "10:30": 3, "12:00": 2, "13:00:01": 0}
        assert compared.compared == expected[since]

    @pytest.mark.parametrize("fault", RUN_FAULTS.values(), ids=RUN_FAULTS.keys())
    def test_a_fault_is_found(self, database_url: str, fault: str) -> None:
        load(database_url, *self.POLLS)
        execute(database_url, fault)
        assert compared_runs(database_url, at("00:00")).different > 0

    def test_a_fault_before_the_instant_is_not_looked_for(self, database_url: str) -> None:
        load(database_url, *self.POLLS)
        execute(database_url, RUN_FAULTS["a run that is missing"])
        assert compared_runs(database_url, at("11:30")).different == 0

    def test_without_polls_there_is_nothing_to_compare(self, database_url: str) -> None:
        assert compared_runs(database_url, at("00:00")) == StatusRunComparison(0, 0)


def compared_runs(url: str, since: datetime) -> StatusRunComparison:
    with bulk_transaction(url) as bulk:
        return compare_status_runs(bulk, since=since, max_gap_us=MAX_GAP)


class TestIntervals:
    """Intervals of a week lie apart, and every store has one."""

    @pytest.mark.parametrize(
        ("fault", "faults"),
        [
            ("UPDATE business_hour_intervals SET load_id = load_id", 0),
            # 10:00 to 11:00 of Monday lies inside, 17:00 to 18:00 touches.
            (
                f"{ADDED} (1, '-infinity', 36000000000, 39600000000, 1)",
                1,
            ),
            (
                f"{ADDED} (1, '-infinity', 61200000000, 64800000000, 1)",
                1,
            ),
            # The same time of another version is none.
            (
                f"{ADDED} (1, '2023-01-01Z', 36000000000, 39600000000, NULL)",
                0,
            ),
            ("DELETE FROM store_weeks", 1),
            ("DELETE FROM business_hour_intervals WHERE store_key = 2", 1),
            ("DELETE FROM business_hour_intervals", 3),
        ],
        ids=[
            "none",
            "overlap",
            "touch",
            "another version",
            "no pattern",
            "a store without",
            "none at all",
        ],
    )
    def test_a_fault_is_found(self, database_url: str, fault: str, faults: int) -> None:
        load_hours(database_url, "A,0,09:00,12:00", "A,0,13:00,17:00")
        load(database_url, "B 09:00 up")
        with bulk_transaction(database_url, is_writing_polls=True) as bulk:
            refresh_intervals(bulk)
        # The first check is of all weeks, the later ones of those that have changed since.
        assert check_intervals(database_url) == 0
        execute(database_url, fault)
        assert check_intervals(database_url) == faults
        assert check_intervals(database_url) == faults
        with bulk_transaction(database_url) as bulk:
            assert count_interval_faults(bulk) == faults

    def test_a_fault_is_found_by_the_first_check(self, database_url: str) -> None:
        load_hours(database_url, "A,0,09:00,12:00", "A,0,13:00,17:00")
        with bulk_transaction(database_url, is_writing_polls=True) as bulk:
            refresh_intervals(bulk)
        execute(database_url, "DELETE FROM store_weeks")
        assert check_intervals(database_url) == 1
        assert check_intervals(database_url) == 1

    def test_only_weeks_that_have_changed_are_checked_again(self, database_url: str) -> None:
        load_hours(database_url, "A,0,09:00,12:00", "B,0,09:00,12:00")
        refresh_and_check(database_url)
        assert unchecked(database_url) == []
        load_hours(database_url, "A,0,09:00,12:00", "B,0,09:00,13:00", "C,0,09:00,12:00")
        with bulk_transaction(database_url, is_writing_polls=True) as bulk:
            refresh_intervals(bulk)
        assert unchecked(database_url) == ["B", "C"]
        assert check_intervals(database_url) == 0
        assert unchecked(database_url) == []

    def test_a_new_store_that_gets_no_week_is_found(self, database_url: str) -> None:
        load(database_url, "A 09:00 up")
        refresh_and_check(database_url)
        load(database_url, "B 09:00 up")
        execute(database_url, "UPDATE intervals_state SET last_store_key = 2")
        assert check_intervals(database_url) == 1

    def test_a_store_that_came_since_the_refresh_is_no_fault(self, database_url: str) -> None:
        load(database_url, "A 09:00 up")
        with bulk_transaction(database_url, is_writing_polls=True) as bulk:
            refresh_intervals(bulk)
        load(database_url, "B 09:00 up")
        with bulk_transaction(database_url) as bulk:
            assert count_interval_faults(bulk) == 0


def refresh_and_check(url: str) -> None:
    with bulk_transaction(url, is_writing_polls=True) as bulk:
        refresh_intervals(bulk)
    assert check_intervals(url) == 0


def unchecked(url: str) -> list[str]:
    rows = fetch(url, "SELECT store_id FROM unchecked_weeks JOIN stores USING (store_key)")
    return sorted(row["store_id"] for row in rows)


class TestUptime:
    """Uptime and downtime are business time."""

    @pytest.mark.parametrize("amount", ["uptime", "downtime", "business"])
    @pytest.mark.parametrize("window", ["hour", "day", "week"])
    def test_a_fault_is_found(self, database_url: str, amount: str, window: str) -> None:
        load(database_url, "A 09:00 up", "B 09:00 down", "C 08:00 up")
        refresh_uptime(database_url, refreshed_at=LOADED_AT)
        with bulk_transaction(database_url) as bulk:
            assert count_uptime_faults(bulk) == 0
        column = f"{amount}_last_{window}_us"
        execute(
            database_url, f"UPDATE store_uptime SET {column} = {column} + 1 WHERE store_key < 3"
        )
        with bulk_transaction(database_url) as bulk:
            assert count_uptime_faults(bulk) == 2


class TestResults:
    """A result's rows, bytes and counts tell of the same stores."""

    @pytest.mark.parametrize(
        "fault",
        [
            "DELETE FROM report_columns",
            "UPDATE report_columns SET stores = stores - 1",
            "UPDATE report_results SET csv_chunks = 2",
            "UPDATE report_results SET silent_stores = silent_stores - 1",
            "UPDATE report_results SET stores = stores + 1, silent_stores = silent_stores - 1",
        ],
    )
    def test_a_fault_is_found(self, database_url: str, fault: str) -> None:
        load(database_url, "A 209:00 up", "B 209:00 down", "C 00:00 up")
        (made,) = make_waiting_reports(database_url, run_id="run", is_manual=True).made
        result_id = made.result.result_id
        with bulk_transaction(database_url) as bulk:
            assert count_result_faults(bulk, result_id) == 0
        execute(database_url, fault)
        with bulk_transaction(database_url) as bulk:
            assert count_result_faults(bulk, result_id) > 0


class Rejection(NamedTuple):
    """A load of zones and the reasons for which it rejected rows."""

    file_path: str | None
    reasons: Sequence[Reason]


class TestRejected:
    """The rows that the last load of a source's files has rejected."""

    def load(self, url: str, rejection: Rejection) -> None:
        with bulk_transaction(url, is_writing_polls=True) as bulk:
            made = open_load(
                bulk,
                Source.STORE_TIMEZONES,
                file_path=rejection.file_path,
                run_id=None,
                loaded_at=LOADED_AT,
            )
            rejected = [
                RejectedRow(line, f"store {line}", reason)
                for line, reason in enumerate(rejection.reasons, 2)
            ]
            close_load(bulk, made, RowCounts(0, 0, 0, len(rejected)), rejected)

    def rejected(
        self, url: str, reason: Reason | None = None, *, limit: int = 20
    ) -> tuple[int, list[RejectedExample]]:
        with bulk_transaction(url) as bulk:
            return read_rejected(bulk, Source.STORE_TIMEZONES, reason=reason, limit=limit)

    def test_rows_are_counted_and_the_first_ones_given(self, database_url: str) -> None:
        reasons = [Reason.UNKNOWN_ZONE, Reason.NO_STORE_ID, Reason.UNKNOWN_ZONE]
        self.load(database_url, Rejection("timezones.csv", reasons))
        assert self.rejected(database_url, limit=2) == (
            3,
            [RejectedExample(2, "store 2"), RejectedExample(3, "store 3")],
        )
        assert self.rejected(database_url, Reason.UNKNOWN_ZONE) == (
            2,
            [RejectedExample(2, "store 2"), RejectedExample(4, "store 4")],
        )
        assert self.rejected(database_url, Reason.FIELD_COUNT) == (0, [])

    def test_only_the_last_load_of_a_file_counts(self, database_url: str) -> None:
        assert self.rejected(database_url) == (0, [])
        self.load(database_url, Rejection("timezones.csv", [Reason.UNKNOWN_ZONE]))
        self.load(database_url, Rejection("timezones.csv", []))
        self.load(database_url, Rejection(None, [Reason.NO_STORE_ID]))
        assert self.rejected(database_url) == (0, [])

    def test_other_sources_are_not_listed(self, database_url: str) -> None:
        self.load(database_url, Rejection("timezones.csv", [Reason.UNKNOWN_ZONE]))
        load_hours(database_url, "A,0,09:00,17:00")
        assert self.rejected(database_url)[0] == 1
