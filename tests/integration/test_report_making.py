"""Computing reports and the newest figures: what one run reads, computes and writes."""

import csv
import io
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfoNotFoundError

import adbc_driver_manager
import pytest
import sqlalchemy as sa

from asked_reports import csv_of, read, request
from stored import at, execute, fetch, load, load_hours, load_rows, load_zones
from storemon_pipeline.database.bulk import Bulk, bulk_transaction
from storemon_pipeline.database.connections import create_engine
from storemon_pipeline.domain.amounts import ROUNDED_COLUMNS
from storemon_pipeline.domain.windows import Policy
from storemon_pipeline.figures.compute_uptime import InvariantError
from storemon_pipeline.figures.refresh_uptime import refresh_uptime
from storemon_pipeline.figures.uptime_table import UptimeState, newest_poll, read_uptime_state
from storemon_pipeline.reports import make_reports
from storemon_pipeline.reports.csv_file import HEADER
from storemon_pipeline.reports.diffs import DifferenceCounts, compare_results
from storemon_pipeline.reports.make_reports import (
    NO_POLLS,
    ReportsMade,
    make_waiting_reports,
)
from storemon_pipeline.reports.requests import ReportState
from storemon_pipeline.reports.results import Question, WaitingReport, take_waiting_reports
from storemon_pipeline.reports.rows import read_report_table
from storemon_pipeline.reports.totals import read_report_totals
from storemon_pipeline.schedules.weekly_intervals import refresh_intervals

NOW = datetime(2023, 2, 1, 12, tzinfo=UTC)
AS_OF = at("200:00")
"""The newest of the polls below."""

POLLS = [
    "up 200:00 up",
    "down 199:30 down",
    # Nearest: the change lies midway, at 194:30. Previous: at 199:00.
    "change 190:00 up",
    "change 199:00 down",
    # The look-back begins at 08:00.
    "silent 08:00 up",
]
NEAREST = f"""{HEADER}
change,0.0000,18.5000,162.5000,60.0000,5.5000,5.5000
down,0.0000,0.0000,0.0000,60.0000,24.0000,168.0000
up,60.0000,24.0000,168.0000,0.0000,0.0000,0.0000
"""
PREVIOUS = f"""{HEADER}
change,0.0000,23.0000,167.0000,60.0000,1.0000,1.0000
down,0.0000,0.0000,0.0000,60.0000,24.0000,168.0000
up,60.0000,24.0000,168.0000,0.0000,0.0000,0.0000
"""
# At 195:00 the store "down" has no poll yet, and "up" neither.
EARLIER = f"""{HEADER}
change,60.0000,24.0000,168.0000,0.0000,0.0000,0.0000
silent,60.0000,24.0000,168.0000,0.0000,0.0000,0.0000
"""


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = create_engine(database_url, application_name="test", pool_size=2)
    yield engine
    engine.dispose()


def make(url: str, *, is_manual: bool = False) -> ReportsMade:
    return make_waiting_reports(url, run_id="run", is_manual=is_manual)


class TestReports:
    """A run makes every report that waits."""

    def test_a_report_is_as_of_the_newest_poll(self, engine: sa.Engine, database_url: str) -> None:
        load(database_url, *POLLS)
        load_zones(database_url, "known,UTC")
        report_id = request(engine)
        made = make(database_url)
        assert csv_of(engine, report_id) == NEAREST
        report = read(engine, report_id)
        assert (report.as_of, report.policy) == (AS_OF, Policy.NEAREST)
        # Silent: one whose polls are too old, and one that has only a zone.
        assert (report.stores, report.silent_stores) == (3, 2)
        assert (made.failed, [result.reports for result in made.made]) == (0, [1])

    def test_reports_of_one_instant_and_policy_share_a_result(
        self, engine: sa.Engine, database_url: str
    ) -> None:
        load(database_url, *POLLS)
        newest = [request(engine), request(engine, as_of=AS_OF), request(engine)]
        previous = request(engine, policy=Policy.PREVIOUS)
        earlier = [request(engine, as_of=at("195:00")) for _ in range(2)]
        made = make(database_url)
        assert sorted(result.reports for result in made.made) == [1, 2, 3]
        results = [read(engine, report_id).result_id for report_id in newest]
        assert len(set(results)) == 1
        assert {csv_of(engine, report_id) for report_id in newest} == {NEAREST}
        assert csv_of(engine, previous) == PREVIOUS
        assert {csv_of(engine, report_id) for report_id in earlier} == {EARLIER}
        assert read(engine, earlier[0]).as_of == at("195:00")

    def test_hours_and_zones_count(self, engine: sa.Engine, database_url: str) -> None:
        # 200:00 is Tuesday 08:00 UTC, 09:00 in Berlin.
        load(database_url, "A 200:00 up", "B 200:00 up")
        load_hours(database_url, "A,1,08:30,08:45", "A,0,12:00,13:00", "B,0,22:00,01:00")
        load_zones(database_url, "A,Europe/Berlin", "B,Asia/Kolkata")
        report_id = request(engine)
        make_intervals(database_url)
        make(database_url)
        assert csv_of(engine, report_id).splitlines()[1:] == [
            "A,15.0000,1.2500,1.2500,0.0000,0.0000,0.0000",
            "B,0.0000,3.0000,3.0000,0.0000,0.0000,0.0000",
        ]

    def test_before_any_poll_a_report_fails_with_a_sentence(
        self, engine: sa.Engine, database_url: str
    ) -> None:
        load_zones(database_url, "known,UTC")
        ids = [request(engine), request(engine, as_of=AS_OF)]
        assert make(database_url) == ReportsMade((), 2)
        for report_id in ids:
            report = read(engine, report_id)
            assert (report.state, report.error) == (ReportState.FAILED, NO_POLLS)

    @pytest.mark.parametrize(
        "as_of",
        [at("199:59:59.999999"), at("400:00"), datetime(1, 1, 1, tzinfo=UTC)],
        ids=["before the first poll", "192 hours after the last", "the first instant of all"],
    )
    def test_an_instant_without_polls_gives_only_the_header(
        self, engine: sa.Engine, database_url: str, as_of: datetime
    ) -> None:
        load(database_url, "A 200:00 up", "A 208:00 up")
        report_id = request(engine, as_of=as_of)
        make(database_url)
        assert csv_of(engine, report_id) == f"{HEADER}\n"
        assert (read(engine, report_id).stores, read(engine, report_id).silent_stores) == (0, 1)

    def test_rows_come_in_the_order_of_bytes_and_safe_for_spreadsheets(
        self, engine: sa.Engine, database_url: str
    ) -> None:
        ids = ["a", "10", "B", "9", "=1+1", "-5", "-x", '"q"', "a,b", "é", "@x", "+7"]
        load(database_url, *(f"{store_id} 200:00 up" for store_id in ids))
        report_id = request(engine)
        make(database_url)
        rows = list(csv.reader(io.StringIO(csv_of(engine, report_id))))[1:]
        assert [row[0] for row in rows] == [
            '"q"',
            "+7",
            "-5",
            "'-x",
            "10",
            "9",
            "'=1+1",
            "'@x",
            "B",
            "a",
            "a,b",
            "é",
        ]

    @pytest.mark.parametrize("stores_per_chunk", [1, 2, 7])
    def test_made_some_stores_at_a_time_a_report_is_the_same(
        self, engine: sa.Engine, database_url: str, stores_per_chunk: int
    ) -> None:
        load(database_url, *POLLS)
        # Later stores lie between the earlier ones, with keys behind all of theirs.
        load(database_url, *(f"{store_id} 200:00 up" for store_id in ["a", "c", "dx", "é", "z"]))
        load_hours(database_url, "a,1,08:30,08:45", "up,0,12:00,13:00", "z,0,22:00,01:00")
        load_zones(database_url, "c,Europe/Berlin", "z,Asia/Kolkata")
        make_intervals(database_url)
        whole = request(engine)
        make(database_url)
        parts = request(engine)
        make_waiting_reports(
            database_url, run_id="run", is_manual=False, stores_per_chunk=stores_per_chunk
        )
        assert csv_of(engine, parts) == csv_of(engine, whole)
        first, second = (report_rows(engine, report_id) for report_id in (whole, parts))
        assert len(first) == 8
        assert first == second

    @pytest.mark.parametrize(("stores_before", "stores_after"), [(9, 9), (1, 9), (2, 3), (3, 1)])
    def test_two_reports_are_compared_whatever_their_parts(
        self, engine: sa.Engine, database_url: str, stores_before: int, stores_after: int
    ) -> None:
        load(database_url, *(f"{store_id} 190:00 up" for store_id in "bdfhz"))
        ids = []
        for stores, late in ((stores_before, "a 200:00 up"), (stores_after, "i 200:00 up")):
            ids.append(request(engine, as_of=at("200:00")))
            load(database_url, late, *(["d 189:00 down"] if ids[1:] else []))
            make_waiting_reports(
                database_url, run_id="run", is_manual=False, stores_per_chunk=stores
            )
        results = (read(engine, ids[0]).result_id or 0, read(engine, ids[1]).result_id or 0)
        with engine.connect() as connection:
            there = compare_results(connection, results=results, behind="", limit=9)
            back = compare_results(connection, results=results[::-1], behind="", limit=9)
            page = compare_results(connection, results=results, behind="d", limit=9)
            one = compare_results(connection, results=results, behind="", limit=1)
            some = compare_results(
                connection, results=results, behind="", limit=9, stores={"i", "z", "none"}
            )
            (total,) = read_report_totals(connection, results[1], split=None, store_ids=None)
        assert there.counts == DifferenceCounts(changed=1, appeared=1, vanished=0)
        assert [(d.store_id, d.before is None) for d in there.stores] == [("d", False), ("i", True)]
        assert back.counts == DifferenceCounts(changed=1, appeared=0, vanished=1)
        assert [(d.store_id, d.after is None) for d in back.stores] == [("d", False), ("i", True)]
        assert [d.store_id for d in page.stores] == ["i"]
        assert [d.store_id for d in one.stores] == ["d"]
        assert (some.counts.appeared, [d.store_id for d in some.stores]) == (1, ["i"])
        assert page.counts == one.counts == there.counts
        assert total.stores == 7
        assert total.amounts["business_last_hour_us"] == 7 * 3_600_000_000

    def test_the_table_equals_the_csv(self, engine: sa.Engine, database_url: str) -> None:
        load(database_url, *POLLS)
        report_id = request(engine)
        make(database_url)
        rows = report_rows(engine, report_id)
        lines = csv_of(engine, report_id).splitlines()[1:]
        columns = ("store_id", *ROUNDED_COLUMNS)
        assert [",".join(str(row[name]) for name in columns) for row in rows] == lines

    def test_a_complete_report_never_changes(self, engine: sa.Engine, database_url: str) -> None:
        load(database_url, *POLLS)
        old = request(engine)
        make(database_url)
        before = read(engine, old), csv_of(engine, old), report_rows(engine, old)
        load(database_url, "up 195:00 down", "change 201:00 up", "new 200:30 up")
        load_hours(database_url, "up,0,09:00,10:00")
        make_intervals(database_url)
        new = request(engine)
        make(database_url)
        assert csv_of(engine, new) != csv_of(engine, old)
        assert (read(engine, old), csv_of(engine, old), report_rows(engine, old)) == before
        assert make(database_url) == ReportsMade((), 0)

    def test_a_run_by_hand_makes_a_report_of_its_own_when_none_waits(
        self, engine: sa.Engine, database_url: str
    ) -> None:
        load(database_url, *POLLS)
        (by_hand,) = make(database_url, is_manual=True).made
        assert by_hand.question == Question(AS_OF, Policy.NEAREST, None)
        assert by_hand.reports == 1
        request(engine, policy=Policy.PREVIOUS)
        (requested,) = make(database_url, is_manual=True).made
        assert requested.question.policy is Policy.PREVIOUS
        assert fetch(database_url, "SELECT count(*)::int AS n FROM reports") == [{"n": 2}]

    def test_a_run_by_hand_without_polls_leaves_a_failed_report(
        self, engine: sa.Engine, database_url: str
    ) -> None:
        assert make(database_url, is_manual=True) == ReportsMade((), 1)
        (row,) = fetch(database_url, "SELECT report_id::text AS report_id FROM reports")
        assert read(engine, row["report_id"]).error == NO_POLLS

    def test_a_run_that_fails_leaves_every_report_waiting_and_no_result(
        self, engine: sa.Engine, database_url: str
    ) -> None:
        load(database_url, *POLLS)
        ids = [request(engine, policy=policy) for policy in Policy]
        load_zones(database_url, "up,UTC")
        execute(database_url, "UPDATE store_timezones SET timezone = 'America/Springfield'")
        with pytest.raises(ZoneInfoNotFoundError):
            make(database_url)
        assert {read(engine, report_id).state for report_id in ids} == {ReportState.WAITING}
        for table in ("report_results", "report_columns"):
            assert fetch(database_url, f"SELECT count(*)::int AS n FROM {table}") == [{"n": 0}]
        execute(database_url, "UPDATE store_timezones SET timezone = 'UTC'")
        make(database_url)
        assert [csv_of(engine, report_id) for report_id in ids] == [NEAREST, PREVIOUS]

    def test_figures_that_contradict_themselves_are_never_shown(
        self, engine: sa.Engine, database_url: str
    ) -> None:
        load(database_url, *POLLS)
        report_id = request(engine)
        # Two runs of one store that overlap, which no load leaves.
        execute(
            database_url,
            "UPDATE status_runs SET last_poll_at = last_poll_at + interval '20 hours'"
            " WHERE is_active AND store_key = (SELECT store_key FROM stores"
            " WHERE store_id = 'change')",
        )
        with pytest.raises(InvariantError, match="first for change"):
            make(database_url)
        assert read(engine, report_id).state is ReportState.WAITING

    def test_runs_at_the_same_time_make_each_report_once(
        self, engine: sa.Engine, database_url: str
    ) -> None:
        load(database_url, *POLLS)
        ids = [request(engine) for _ in range(20)]
        made: list[ReportsMade] = []

        def make_until_it_succeeds(run_id: str) -> None:
            for _ in range(5):
                try:
                    made.append(make_waiting_reports(database_url, run_id=run_id, is_manual=False))
                except adbc_driver_manager.OperationalError:
                    continue  # another run was quicker: the step would be tried again
                return

        runs = [
            threading.Thread(target=make_until_it_succeeds, args=(f"run {number}",))
            for number in range(3)
        ]
        for run in runs:
            run.start()
        for run in runs:
            run.join(180)
        assert {csv_of(engine, report_id) for report_id in ids} == {NEAREST}
        assert sum(result.reports for run in made for result in run.made) == 20

    def test_a_report_is_not_stopped_by_a_load_that_goes_on(
        self, engine: sa.Engine, database_url: str
    ) -> None:
        load(database_url, *POLLS)
        report_id = request(engine)
        with bulk_transaction(database_url, is_writing_polls=True) as bulk:
            load_rows(bulk, [("up", 0, False), ("new", 1, True)], file_path="b.csv")
            make(database_url)
        assert csv_of(engine, report_id) == NEAREST


def report_rows(engine: sa.Engine, report_id: str) -> list[dict[str, object]]:
    result_id = read(engine, report_id).result_id
    assert result_id is not None
    with engine.connect() as connection:
        rows: list[dict[str, object]] = read_report_table(connection, result_id).to_pylist()
    return rows


class TestNewestFigures:
    """`store_uptime` speaks of the newest poll and never moves back."""

    def test_before_any_poll_it_has_no_instant(self, engine: sa.Engine, database_url: str) -> None:
        with engine.connect() as connection:
            assert read_uptime_state(connection) is None
            assert newest_poll(connection) is None
        load_zones(database_url, "A,UTC")
        expected = UptimeState(None, NOW, stores=0, silent_stores=1)
        assert refresh_uptime(database_url, refreshed_at=NOW) == expected
        with engine.connect() as connection:
            assert read_uptime_state(connection) == expected

    def test_it_holds_the_figures_of_the_newest_poll(
        self, engine: sa.Engine, database_url: str
    ) -> None:
        load(database_url, *POLLS)
        state = refresh_uptime(database_url, refreshed_at=NOW)
        assert state == UptimeState(AS_OF, NOW, stores=3, silent_stores=1)
        with engine.connect() as connection:
            assert read_uptime_state(connection) == state
            assert newest_poll(connection) == AS_OF
        assert uptime_rows(database_url) == NEAREST.splitlines()[1:]

    def test_a_second_refresh_leaves_the_same_rows(self, database_url: str) -> None:
        load(database_url, *POLLS)
        refresh_uptime(database_url, refreshed_at=NOW)
        before = fetch(database_url, "SELECT * FROM store_uptime ORDER BY store_key")
        later = NOW + timedelta(hours=1)
        assert refresh_uptime(database_url, refreshed_at=later).refreshed_at == later
        assert fetch(database_url, "SELECT * FROM store_uptime ORDER BY store_key") == before

    def test_late_polls_change_figures_and_not_the_instant(self, database_url: str) -> None:
        load(database_url, *POLLS)
        refresh_uptime(database_url, refreshed_at=NOW)
        load(database_url, "up 199:59 down", "late 199:00 up")
        assert refresh_uptime(database_url, refreshed_at=NOW).as_of == AS_OF
        assert uptime_rows(database_url) == [
            "change,0.0000,18.5000,162.5000,60.0000,5.5000,5.5000",
            "down,0.0000,0.0000,0.0000,60.0000,24.0000,168.0000",
            "late,60.0000,24.0000,168.0000,0.0000,0.0000,0.0000",
            # The change lies midway between 199:59 and 200:00: half a minute.
            "up,0.5000,0.0083,0.0083,59.5000,23.9917,167.9917",
        ]

    def test_it_moves_forward_and_never_back(self, database_url: str) -> None:
        load(database_url, *POLLS)
        refresh_uptime(database_url, refreshed_at=NOW)
        load(database_url, "up 201:00 up")
        assert refresh_uptime(database_url, refreshed_at=NOW).as_of == at("201:00")
        execute(database_url, "DELETE FROM status_runs WHERE last_poll_at > '2023-01-31 08:30Z'")
        assert refresh_uptime(database_url, refreshed_at=NOW).as_of == at("201:00")

    def test_stores_that_have_become_silent_leave_it(self, database_url: str) -> None:
        load(database_url, *POLLS)
        refresh_uptime(database_url, refreshed_at=NOW)
        load(database_url, "up 391:00 up")
        state = refresh_uptime(database_url, refreshed_at=NOW)
        assert (state.stores, state.silent_stores) == (2, 2)
        assert [row.split(",")[0] for row in uptime_rows(database_url)] == ["down", "up"]


def uptime_rows(url: str) -> list[str]:
    """Read `store_uptime` in the form of the CSV's lines."""
    rows = fetch(
        url,
        "SELECT store_id, uptime_last_hour_minutes, uptime_last_day_hours,"
        " uptime_last_week_hours, downtime_last_hour_minutes, downtime_last_day_hours,"
        " downtime_last_week_hours"
        " FROM store_uptime JOIN stores USING (store_key) ORDER BY store_id",
    )
    return [",".join(row.values()) for row in rows]


def make_intervals(url: str) -> None:
    with bulk_transaction(url, is_writing_polls=True) as bulk:
        refresh_intervals(bulk)


def test_a_report_that_the_dispatcher_changes_just_before_its_lock_is_made_all_the_same(
    engine: sa.Engine, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(database_url, *POLLS)
    report_id = request(engine)
    tries: list[bool] = []

    def take_late(bulk: Bulk) -> list[WaitingReport]:
        bulk.fetch("SELECT count(*) AS reports FROM reports")  # takes the snapshot
        if not tries:
            execute(database_url, "UPDATE reports SET attempts = attempts + 1")
        tries.append(True)
        return take_waiting_reports(bulk)

    monkeypatch.setattr(make_reports, "take_waiting_reports", take_late)
    made = make_waiting_reports(database_url, run_id="run", is_manual=False)
    assert len(made.made) == 1
    assert len(tries) == 2
    assert read(engine, report_id).state is ReportState.COMPLETE
