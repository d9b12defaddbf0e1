"""Evaluations of alerts on a real database: which alerts are recorded, and when."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import dagster as dg
import pytest

from receiver import Receiver, receiving
from stored import at, execute, fetch, load, load_hours, load_rows, load_zones
from storemon_pipeline.alerts.conditions import Rules
from storemon_pipeline.alerts.evaluate import (
    EvaluationCounts,
    Notification,
    evaluate_rules,
    is_evaluation_due,
)
from storemon_pipeline.contract import ALERT_JOB, REFRESH_JOB
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.database.locks import AdvisoryLock
from storemon_pipeline.defs.alerts import alert_job, alerts
from storemon_pipeline.defs.resources import Alerting, Database
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.ingestion.ingest_files import ingest_source
from storemon_pipeline.ingestion.undo_load import undo_load
from storemon_pipeline.retention.enforce import drop_old_data
from storemon_pipeline.schedules.weekly_intervals import refresh_intervals
from storemon_pipeline.settings import Settings

NOTICE: Final = Notification(("json://receiver",), "https://storemon.example/")
SILENT_NOTICE: Final = Notification()
ALERTING: Final = Alerting.from_settings(Settings(alert_urls=None))


def look(
    url: str,
    clock: str,
    *,
    notification: Notification = NOTICE,
    rules: Rules = Rules(),  # noqa: B008 - frozen
    is_loading: bool = False,
) -> EvaluationCounts:
    watched = evaluate_rules(
        url, rules=rules, notification=notification, now=at(clock), is_loading=is_loading
    )
    assert watched is not None
    return watched


def recorded(url: str) -> list[str]:
    """Read `down A open` or `down A up again` for every alert, in order."""
    rows = fetch(url, "SELECT kind, subject, ending FROM alerts ORDER BY alert_id")
    return [f"{row['kind']} {row['subject']} {row['ending'] or 'open'}" for row in rows]


def titles(url: str) -> list[str]:
    rows = fetch(url, "SELECT title FROM alert_deliveries ORDER BY delivery_id")
    return [row["title"] for row in rows]


def held(url: str) -> list[bool]:
    rows = fetch(url, "SELECT is_held FROM alert_deliveries ORDER BY delivery_id")
    return [row["is_held"] for row in rows]


@pytest.fixture
def watched_url(database_url: str) -> str:
    """The URL of a database with one store, always open, that was looked at while it was up."""
    load(database_url, "A 08:00 up", "A 09:00 up")
    assert look(database_url, "09:01").is_evaluated
    return database_url


def test_a_store_that_is_down_for_long_opens_an_alert_and_closes_it_again(
    watched_url: str,
) -> None:
    load(watched_url, "A 10:00 down", "A 11:00 down")
    look(watched_url, "11:01")
    assert recorded(watched_url) == []
    load(watched_url, "A 12:00 down")
    look(watched_url, "12:01")
    load(watched_url, "A 13:00 up")
    look(watched_url, "13:01")
    (alert,) = fetch(watched_url, "SELECT * FROM alerts")
    assert (alert["opened_at"], alert["since"]) == (at("12:00"), at("09:30"))
    assert (alert["closed_at"], alert["ending"]) == (at("13:00"), "up again")
    assert alert["lost_us"] == 3 * 3_600_000_000
    bodies = fetch(watched_url, "SELECT body FROM alert_deliveries ORDER BY delivery_id")
    assert [row["body"] for row in bodies] == [
        (
            "Store A has been offline since Mon 23 Jan 2023 03:30 (America/Chicago). "
            "Opening hours lost so far: 2 h 30 min.\nhttps://storemon.example/store/A"
        ),
        (
            "Store A was offline from Mon 23 Jan 2023 03:30 (America/Chicago) to "
            "Mon 23 Jan 2023 06:30 (America/Chicago). Opening hours lost: 3 h.\nhttps://storemon.example/store/A"
        ),
    ]


def test_a_look_without_anything_new_judges_no_store(watched_url: str) -> None:
    assert not look(watched_url, "09:02").is_evaluated
    assert look(watched_url, "09:03", rules=Rules(down_us=1)).is_evaluated
    load(watched_url, "A 10:00 up")
    assert look(watched_url, "10:01", rules=Rules(down_us=1)).is_evaluated


def test_no_store_is_judged_while_a_refresh_is_loading(watched_url: str) -> None:
    load(watched_url, "A 10:00 down", "A 12:00 down")
    assert not look(watched_url, "12:01", is_loading=True).is_evaluated
    assert look(watched_url, "12:02").opened == 1


def test_the_first_evaluation_records_what_is_wrong_and_notifies_nobody(database_url: str) -> None:
    load(database_url, "A 01:00 up", "A 02:00 down", "A 09:00 down", "B 01:00 up", "B 09:00 up")
    look(database_url, "09:01")
    load(database_url, "A 10:00 up", "B 10:00 down", "B 12:00 down")
    look(database_url, "12:01")
    assert recorded(database_url) == ["down A up again", "down B open"]
    assert titles(database_url) == ["Offline: store B"]


def test_an_outage_of_a_closed_store_at_the_first_evaluation_is_no_news_when_it_opens(
    database_url: str,
) -> None:
    load(database_url, "A 08:00 up", "A 09:00 down", "A 15:00 down", "A 20:00 down")
    load_zones(database_url, "A,UTC")
    load_hours(database_url, *(f"A,{day},08:00,18:00" for day in range(7)))
    with bulk_transaction(database_url, is_writing_polls=True) as bulk:
        refresh_intervals(bulk)
    look(database_url, "20:01")
    load(database_url, "A 33:00 down")
    look(database_url, "33:01")
    assert recorded(database_url) == ["down A open"]
    assert titles(database_url) == []


def test_without_an_address_alerts_are_recorded_and_not_notified(watched_url: str) -> None:
    load(watched_url, "A 10:00 down", "A 12:00 down")
    look(watched_url, "12:01", notification=SILENT_NOTICE)
    load(watched_url, "A 13:00 up")
    look(watched_url, "13:01")
    assert recorded(watched_url) == ["down A up again"]
    assert titles(watched_url) == []


def test_every_address_gets_its_own_message(watched_url: str) -> None:
    load(watched_url, "A 10:00 down", "A 12:00 down")
    look(watched_url, "12:01", notification=Notification(("slack", "slack (2)")))
    rows = fetch(watched_url, "SELECT target FROM alert_deliveries ORDER BY delivery_id")
    assert [row["target"] for row in rows] == ["slack", "slack (2)"]


def test_an_alert_is_taken_back_when_undoing_a_load_shows_the_store_was_never_down(
    watched_url: str,
) -> None:
    load(watched_url, "A 10:00 down", "A 12:00 down", file_path="wrong.csv")
    look(watched_url, "12:01")
    (wrong,) = fetch(watched_url, "SELECT load_id FROM loads WHERE file_path = 'wrong.csv'")
    undo_load(watched_url, wrong["load_id"], now=at("12:02"), is_reloading=False)
    look(watched_url, "12:03")
    (alert,) = fetch(watched_url, "SELECT ending, opened_at, closed_at FROM alerts")
    assert alert["ending"] == "taken back"
    # The newest poll is of 09:00 again; nothing is closed before it was opened.
    assert alert["closed_at"] == alert["opened_at"] == at("12:00")
    assert titles(watched_url) == ["Offline: store A", "Correction: store A"]


def test_a_store_that_is_not_polled_any_more_ends_its_alert(watched_url: str) -> None:
    load(watched_url, "A 10:00 down", "A 12:00 down", "B 12:00 up")
    look(watched_url, "12:01")
    load(watched_url, "B 210:00 up")
    look(watched_url, "210:01")
    assert recorded(watched_url) == ["down A no longer polled"]


def test_a_store_that_was_never_seen_active_is_down_since_its_first_poll(watched_url: str) -> None:
    load(watched_url, "N 10:00 down", "N 11:00 down", "A 11:00 up")
    look(watched_url, "11:01")
    assert recorded(watched_url) == []
    load(watched_url, "N 12:00 down", "A 12:00 up")
    look(watched_url, "12:01")
    load(watched_url, "N 13:00 up", "A 13:00 up")
    look(watched_url, "13:01")
    (alert,) = fetch(watched_url, "SELECT since, ending, lost_us FROM alerts")
    assert alert == {"since": at("10:00"), "ending": "up again", "lost_us": 150 * 60_000_000}


def test_a_source_that_is_late_before_there_are_stores_notifies_nobody(database_url: str) -> None:
    execute(database_url, "INSERT INTO source_looks VALUES ('closures', '2023-01-23 08:00Z')")
    for minute in range(0, 240, 10):
        look(database_url, f"{8 + minute // 60:02}:{minute % 60:02}")
    assert recorded(database_url) == []


def test_a_silent_store_is_reported_until_it_is_polled(watched_url: str) -> None:
    load(watched_url, "B 15:00 up")
    look(watched_url, "15:01")
    assert recorded(watched_url) == []
    load(watched_url, "B 15:30 up")
    look(watched_url, "15:31")
    load(watched_url, "A 16:00 up")
    look(watched_url, "16:01")
    assert recorded(watched_url) == ["silent A polled again"]
    assert titles(watched_url) == ["No data: store A", "Data again: store A"]


@pytest.mark.parametrize(
    ("night", "down_from", "at_90", "at_120"),
    [
        # 01:00 to 05:00 by the clock has three hours: 02:00 to 03:00 does not occur.
        pytest.param("2023-03-12", "06:00", "08:30", "09:00", id="spring"),
        # It has five hours: 01:00 to 02:00 occurs twice. At 08:00 the clock says 02:00 again.
        pytest.param("2023-11-05", "05:00", "07:30", "08:00", id="autumn"),
    ],
)
def test_business_time_is_counted_as_it_elapses_when_clocks_change(
    database_url: str, night: str, down_from: str, at_90: str, at_120: str
) -> None:
    def poll(clock: str, *, is_active: bool) -> datetime:
        polled_at = datetime.fromisoformat(f"{night}T{clock}+00:00")
        row = ("A", int(polled_at.timestamp()) * 1_000_000, is_active)
        with bulk_transaction(database_url, is_writing_polls=True) as bulk:
            load_rows(bulk, [row], file_path=None)
        return polled_at

    def judged(polled_at: datetime) -> list[str]:
        evaluate_rules(
            database_url, rules=Rules(), notification=NOTICE, now=polled_at, is_loading=False
        )
        return recorded(database_url)

    load_zones(database_url, "A,America/Chicago")
    load_hours(database_url, "A,6,01:00,05:00")
    with bulk_transaction(database_url, is_writing_polls=True) as bulk:
        refresh_intervals(bulk)
    assert judged(poll("03:00", is_active=True)) == []
    poll(down_from, is_active=False)
    # Down since before 01:00 by the clock, which is 07:00 in winter and 06:00 in summer.
    assert judged(poll(at_90, is_active=False)) == []
    assert judged(poll(at_120, is_active=False)) == ["down A open"]
    (alert,) = fetch(database_url, "SELECT lost_us FROM alerts")
    assert alert["lost_us"] == 120 * 60_000_000


def test_an_alert_of_the_night_is_notified_when_the_store_opens(database_url: str) -> None:
    load(database_url, "A 08:00 up")
    load_zones(database_url, "A,UTC")
    load_hours(database_url, *(f"A,{day},08:00,18:00" for day in range(7)))
    with bulk_transaction(database_url, is_writing_polls=True) as bulk:
        refresh_intervals(bulk)
    look(database_url, "08:01")
    load(database_url, "A 15:00 down", "A 17:00 down")
    look(database_url, "17:01")
    assert held(database_url) == [False]
    load(database_url, "A 20:00 up")
    look(database_url, "20:01")
    # The opening, had it not been taken by now, would wait as well.
    assert held(database_url) == [True, True]
    load(database_url, "A 31:59 up")
    look(database_url, "31:59")
    assert held(database_url) == [True, True]
    load(database_url, "A 32:00 up")
    look(database_url, "32:01")
    assert held(database_url) == [False, False]
    assert recorded(database_url) == ["down A up again"]


def test_two_looks_at_once_are_one(watched_url: str) -> None:
    with bulk_transaction(watched_url) as bulk:
        bulk.scalar(f"SELECT pg_try_advisory_xact_lock({AdvisoryLock.EVALUATE_ALERTS:d})")
        found = evaluate_rules(
            watched_url, rules=Rules(), notification=NOTICE, now=at("09:02"), is_loading=False
        )
    assert found is None


class TestSources:
    """Sources are judged by the clock."""

    def keep_watching(self, url: str, start: str, end: str) -> None:
        """Look every ten minutes."""
        now = at(start)
        while now <= at(end):
            evaluate_rules(url, rules=Rules(), notification=NOTICE, now=now, is_loading=False)
            now += timedelta(minutes=10)

    @pytest.fixture
    def data(self, tmp_path: Path) -> Path:
        (tmp_path / "store_status.csv").write_text(
            "store_id,timestamp_utc,status\nA,2023-01-23 08:00:00,active\n"
        )
        return tmp_path

    def test_a_source_that_was_looked_at_is_refreshed_changed_or_not(
        self, database_url: str, data: Path
    ) -> None:
        def refresh(clock: str) -> None:
            ingest_source(database_url, data, Source.STORE_STATUS, now=at(clock), run_id=None)

        # No poll is newer than two hours either way: only the looks are meant here.
        execute(database_url, "INSERT INTO source_looks VALUES ('closures', '2023-01-23 08:00Z')")
        refresh("08:00")
        self.keep_watching(database_url, "08:00", "09:50")
        refresh("09:50")
        assert recorded(database_url) == []
        self.keep_watching(database_url, "10:00", "10:10")
        assert recorded(database_url) == ["source closures open", "source store_status open"]
        (look_at,) = fetch(database_url, "SELECT since FROM alerts WHERE subject = 'store_status'")
        assert look_at["since"] == at("08:00")  # the newest poll: the file says nothing new

    def test_a_source_that_cannot_be_used_is_not_refreshed(
        self, database_url: str, data: Path
    ) -> None:
        (data / "store_status.csv").write_text("nothing,of,use\n1,2,3\n")
        load = ingest_source(database_url, data, Source.STORE_STATUS, now=at("08:00"), run_id=None)
        assert load.refused
        assert fetch(database_url, "SELECT * FROM source_looks") == []

    def test_a_refused_file_is_an_alert_at_any_hour_until_it_is_corrected(
        self, database_url: str, tmp_path: Path
    ) -> None:
        def refresh(clock: str, text: str) -> None:
            path.write_text(text)
            os.utime(path, (at(clock).timestamp(), at(clock).timestamp()))
            ingest_source(database_url, tmp_path, Source.STORE_STATUS, now=at(clock), run_id=None)

        path = tmp_path / "store_status" / "a.csv"
        path.parent.mkdir()
        look(database_url, "07:00")
        refresh("08:00", "store_id,status\nA,active\n")
        look(database_url, "08:00:59")
        assert recorded(database_url) == []  # it may still be written
        assert is_evaluation_due(database_url, rules=Rules(), now=at("08:01"), is_loading=True)
        look(database_url, "08:01")
        assert recorded(database_url) == ["data file:store_status/a.csv open"]
        refresh("09:00", "store_id,timestamp_utc,status\nA,2023-01-23 08:00:00,active\n")
        look(database_url, "09:01")
        assert recorded(database_url)[0] == "data file:store_status/a.csv corrected"
        opened, closed, *_ = fetch(
            database_url, "SELECT title, body, is_held FROM alert_deliveries ORDER BY delivery_id"
        )
        assert opened == {
            "title": "File refused: store_status/a.csv",
            "body": (
                "store_status/a.csv cannot be used since Mon 23 Jan 2023 08:00 UTC: no column "
                "timestamp_utc (found: store_id, status): correct the header, or add the line "
                'columns = { timestamp_utc = "…" } to sources.toml. Its new rows are in no figure '
                "until it is corrected or removed.\nhttps://storemon.example/pages/data"
            ),
            "is_held": False,
        }
        assert closed == {
            "title": "File no longer refused: store_status/a.csv",
            "body": (
                "store_status/a.csv was corrected or removed by Mon 23 Jan 2023 09:01 UTC.\n"
                "https://storemon.example/pages/data"
            ),
            "is_held": False,
        }

    def test_hours_in_which_nothing_ran_do_not_count(self, database_url: str) -> None:
        load(database_url, "A 08:00 up")
        execute(database_url, "INSERT INTO source_looks VALUES ('closures', '2023-01-23 08:00Z')")
        self.keep_watching(database_url, "08:00", "09:00")
        look(database_url, "20:00")
        assert recorded(database_url) == []
        self.keep_watching(database_url, "20:10", "22:10")
        assert recorded(database_url) == ["source closures open", "source store_status open"]

    def test_polls_that_stop_are_one_alert_about_the_source_and_none_about_stores(
        self, database_url: str
    ) -> None:
        load(database_url, *(f"S{number} 08:00 up" for number in range(30)))
        self.keep_watching(database_url, "08:00", "20:00")
        assert recorded(database_url) == ["source store_status open"]
        assert titles(database_url) == ["Data feed late: store checks"]
        load(database_url, *(f"S{number} 20:00 up" for number in range(30)))
        look(database_url, "20:01")
        assert recorded(database_url) == ["source store_status refreshed again"]

    def test_a_history_that_is_loaded_is_no_feed_that_has_stopped(self, database_url: str) -> None:
        load(database_url, "A 08:00 up")
        self.keep_watching(database_url, "400:00", "404:00")
        assert recorded(database_url) == []


def test_closed_alerts_go_with_the_reports_and_open_ones_stay(watched_url: str) -> None:
    load(watched_url, "A 10:00 down", "A 12:00 down", "B 10:00 up", "B 11:00 down", "B 13:00 down")
    look(watched_url, "13:01")
    load(watched_url, "A 14:00 up", "B 200:00 down", "A 400:00 up", "B 390:00 down")
    look(watched_url, "400:01")
    days, now = timedelta(days=1), datetime(2023, 2, 1, tzinfo=UTC)
    dropped = drop_old_data(watched_url, keep_polls=900 * days, keep_reports=5 * days, now=now)
    assert dropped.alerts == 0
    execute(watched_url, "UPDATE alert_deliveries SET state = 'sent'")
    execute(watched_url, "UPDATE alerts SET closed_at = '2023-01-24Z' WHERE closed_at IS NOT NULL")
    dropped = drop_old_data(watched_url, keep_polls=900 * days, keep_reports=5 * days, now=now)
    assert dropped.alerts == 1
    assert recorded(watched_url) == ["down B open"]
    assert titles(watched_url) == ["Offline: store B"]


class TestSensor:
    """The sensor and the job, on a real instance of Dagster, with settings from the environment."""

    @pytest.fixture
    def instance(self) -> Iterator[dg.DagsterInstance]:
        with dg.DagsterInstance.ephemeral() as instance:
            yield instance

    @pytest.fixture
    def receiver(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
        with receiving() as receiver:
            monkeypatch.setenv("STOREMON_ALERT_URLS", receiver.url)
            yield receiver

    def tick(self, instance: dg.DagsterInstance, url: str) -> str:
        """Evaluate the sensor, and run the job when it asks for it, as the daemon would."""
        resources = {"database": Database(url=url), "alerting": Alerting.from_settings(Settings())}
        context = dg.build_sensor_context(instance=instance, resources=resources)
        result = alerts.evaluate_tick(context)
        if not result.run_requests:
            return str(result.skip_message)
        assert [request.run_key for request in result.run_requests] == [None]
        assert alert_job.execute_in_process(instance=instance, resources=resources).success
        return "ran"

    def watch(self, instance: dg.DagsterInstance, url: str) -> None:
        """Evaluate once, so that the next alert is not the first."""
        load(url, "A 08:00 up")
        assert self.tick(instance, url) == "ran"

    def test_the_job_evaluates_alerts_and_sends_their_messages(
        self, instance: dg.DagsterInstance, receiver: Receiver, database_url: str
    ) -> None:
        self.watch(instance, database_url)
        load(database_url, "A 09:00 down", "A 11:00 down")
        assert self.tick(instance, database_url) == "ran"
        assert receiver.titles == ["Offline: store A"]
        load(database_url, "A 12:00 up")
        assert self.tick(instance, database_url) == "ran"
        assert receiver.titles == ["Offline: store A", "Back online: store A"]

    def test_the_sensor_itself_opens_and_sends_nothing(
        self, instance: dg.DagsterInstance, receiver: Receiver, database_url: str
    ) -> None:
        self.watch(instance, database_url)
        load(database_url, "A 09:00 down", "A 11:00 down")
        resources = {"database": Database(url=database_url), "alerting": ALERTING}
        context = dg.build_sensor_context(instance=instance, resources=resources)
        assert alerts.evaluate_tick(context).run_requests
        assert recorded(database_url) == []
        assert receiver.requests == 0

    @pytest.mark.usefixtures("receiver")
    def test_no_run_is_started_while_nothing_changes(
        self, instance: dg.DagsterInstance, database_url: str
    ) -> None:
        assert self.tick(instance, database_url) == "ran"
        assert self.tick(instance, database_url).startswith("nothing has changed")
        load(database_url, "A 08:00 up")
        assert self.tick(instance, database_url) == "ran"
        assert self.tick(instance, database_url).startswith("nothing has changed")
        execute(
            database_url, "UPDATE alert_watch SET looked_at = looked_at - interval '10 minutes'"
        )
        assert self.tick(instance, database_url) == "ran"

    def test_no_run_is_started_while_one_is_active(
        self, instance: dg.DagsterInstance, receiver: Receiver, database_url: str
    ) -> None:
        self.watch(instance, database_url)
        load(database_url, "A 09:00 down", "A 11:00 down")
        instance.add_run(dg.DagsterRun(job_name=ALERT_JOB, status=dg.DagsterRunStatus.STARTED))
        assert self.tick(instance, database_url) == "the alert job is running"
        assert receiver.requests == 0

    def test_no_run_is_started_for_what_a_refresh_is_still_loading(
        self, instance: dg.DagsterInstance, receiver: Receiver, database_url: str
    ) -> None:
        self.watch(instance, database_url)
        load(database_url, "A 09:00 down", "A 11:00 down")
        run = instance.add_run(
            dg.DagsterRun(job_name=REFRESH_JOB, status=dg.DagsterRunStatus.STARTED)
        )
        assert self.tick(instance, database_url).startswith("nothing has changed")
        instance.delete_run(run.run_id)
        assert self.tick(instance, database_url) == "ran"
        assert receiver.titles == ["Offline: store A"]

    def test_the_settings_are_its_rules(
        self,
        instance: dg.DagsterInstance,
        receiver: Receiver,
        database_url: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("STOREMON_ALERT_DOWN_MINUTES", "500")
        self.watch(instance, database_url)
        load(database_url, "A 09:00 down", "A 12:00 down")
        assert self.tick(instance, database_url) == "ran"
        assert receiver.requests == 0
        monkeypatch.setenv("STOREMON_ALERT_DOWN_MINUTES", "30")
        assert self.tick(instance, database_url) == "ran"
        assert receiver.requests == 1


def test_an_evaluation_is_due_once_a_source_is_late(database_url: str) -> None:
    load(database_url, "A 08:00 up")
    execute(database_url, "INSERT INTO source_looks VALUES ('business_hours', '2023-01-23 09:00Z')")
    # A pause between two evaluations would mean that nobody watched the source.
    for minute in range(9 * 60, 11 * 60, 5):
        look(database_url, f"{minute // 60:02}:{minute % 60:02}")

    def is_due(clock: str) -> bool:
        return is_evaluation_due(database_url, rules=Rules(), now=at(clock), is_loading=False)

    assert not is_due("10:59")
    assert is_due("11:01")
    look(database_url, "11:01")
    assert "source business_hours open" in recorded(database_url)
    assert not is_due("11:02")


def test_now_is_in_utc_whatever_the_zone_of_the_server(watched_url: str) -> None:
    look(watched_url, "09:02")
    (row,) = fetch(watched_url, "SELECT looked_at FROM alert_watch")
    assert row["looked_at"] == datetime(2023, 1, 23, 9, 2, tzinfo=UTC)
