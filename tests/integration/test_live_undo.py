"""Undoing loads and replaying rejected rows: the rows afterwards."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import strategies as st

from properties import holds_for
from stored import (
    HOUR,
    MAX_GAP,
    PUSHED,
    Row,
    at_us,
    execute,
    fetch,
    load,
    load_rows,
    stored_polls,
    stored_runs,
    superseded_polls,
)
from storemon_pipeline.checks.table_checks import count_interval_faults, count_unaccounted_polls
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.database.tables import metadata
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.ingestion.ingest_files import ingest_source
from storemon_pipeline.ingestion.push_schedules import cancel_pushed_closure, push_rows
from storemon_pipeline.ingestion.replay_rejected import list_rejected, replay_rejected
from storemon_pipeline.ingestion.undo_load import UndoError, list_loads, undo_load
from storemon_pipeline.polls.poll_bodies import BodyFormat
from storemon_pipeline.polls.push_polls import push_polls

NOW = datetime(2023, 2, 2, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
PATIENCE = timedelta(seconds=2)


def undo(url: str, load_id: int, *, is_reloading: bool = False) -> None:
    undo_load(url, load_id, now=NOW, is_reloading=is_reloading)


def unaccounted(url: str) -> int:
    with bulk_transaction(url) as bulk:
        return count_unaccounted_polls(bulk)


def test_polls_of_only_the_undone_load_are_gone(database_url: str) -> None:
    load(database_url, "A 09:00 up", "A 12:00 up", file_path="right.csv")
    load(database_url, "A 10:00 down", "B 10:00 up", file_path="wrong.csv")
    undo(database_url, 2)
    assert stored_polls(database_url) == ["A 09:00 up", "A 12:00 up"]
    assert stored_runs(database_url) == ["A 09:00 to 12:00 up, 2 polls"]
    assert unaccounted(database_url) == 0


def test_polls_that_the_load_replaced_return(database_url: str) -> None:
    load(database_url, "A 09:00 up", "A 10:00 up", "A 11:00 up", file_path="first.csv")
    load(database_url, "A 10:00 down", "A 11:00 down", file_path="second.csv")
    load(database_url, "A 11:00 up", file_path="third.csv")
    undo(database_url, 2)
    assert stored_polls(database_url) == ["A 09:00 up", "A 10:00 up", "A 11:00 up"]
    assert stored_runs(database_url) == ["A 09:00 to 11:00 up, 3 polls"]
    assert superseded_polls(database_url) == ["A 11:00 up of load 1"]
    undo(database_url, 3)
    assert stored_polls(database_url) == ["A 09:00 up", "A 10:00 up", "A 11:00 up"]
    assert superseded_polls(database_url) == []


def test_rows_of_later_loads_stay(database_url: str) -> None:
    load(database_url, "A 09:00 up", "A 10:00 up", file_path=PUSHED)
    load(database_url, "A 09:00 up", file_path=PUSHED)
    undo(database_url, 1)
    assert stored_polls(database_url) == ["A 09:00 up"]
    assert unaccounted(database_url) == 0
    undo(database_url, 2)
    assert stored_polls(database_url) == []
    assert stored_runs(database_url) == []
    assert unaccounted(database_url) == 0


def test_rows_that_the_same_file_repeated_do_not_belong_to_the_later_load(
    database_url: str,
) -> None:
    load(database_url, "A 09:00 up", file_path="polls.csv")
    load(database_url, "A 09:00 up", "A 10:00 up", file_path="polls.csv")
    undo(database_url, 1)
    assert stored_polls(database_url) == ["A 10:00 up"]


def test_the_newest_figures_go_back_with_the_polls(database_url: str) -> None:
    load(database_url, "A 09:00 up", file_path="right.csv")
    load(database_url, "A 200:00 up", file_path="wrong.csv")
    undo(database_url, 2)
    (state,) = fetch(database_url, "SELECT as_of FROM store_uptime_state")
    assert state["as_of"] == datetime(2023, 1, 23, 9, tzinfo=UTC)
    undo(database_url, 1)
    (state,) = fetch(database_url, "SELECT as_of, stores FROM store_uptime_state")
    assert state == {"as_of": None, "stores": 0}


def test_an_undoing_is_in_the_list_of_loads(database_url: str) -> None:
    load(database_url, "A 09:00 up", "A 10:00 up", file_path="wrong.csv")
    undo(database_url, 1)
    newest, oldest = list_loads(database_url, limit=10)
    assert (newest.load_id, newest.undoes_load_id, newest.rows_removed) == (2, 1, 2)
    assert (oldest.load_id, oldest.undone_at, oldest.file_path) == (1, NOW, "wrong.csv")
    assert [one.load_id for one in list_loads(database_url, limit=1)] == [2]


@pytest.mark.parametrize(
    ("load_id", "words"),
    [(7, "There is no load 7"), (1, "Load 1 was undone already"), (2, "is the undoing of load 1")],
)
def test_a_load_that_cannot_be_undone_says_why(database_url: str, load_id: int, words: str) -> None:
    load(database_url, "A 09:00 up")
    undo(database_url, 1)
    with pytest.raises(UndoError, match=words):
        undo(database_url, load_id)


def test_a_load_with_polls_that_are_not_kept_cannot_be_undone(database_url: str) -> None:
    load(database_url, "A 09:00 up")
    execute(database_url, "INSERT INTO retention_state (polls_kept_from) VALUES ('2023-01-30')")
    with pytest.raises(UndoError, match="raw polls of that age are not kept"):
        undo(database_url, 1)


# Files: an undone mistake does not come back by itself.


def write(folder: Path, source: Source, *lines: str) -> None:
    header = {
        Source.STORE_STATUS: "store_id,timestamp_utc,status",
        Source.BUSINESS_HOURS: "store_id,day,start_time_local,end_time_local",
        Source.STORE_TIMEZONES: "store_id,timezone_str",
        Source.CLOSURES: "store_id,start_local,end_local,reason",
    }[source]
    (folder / f"{source.value}.csv").write_text("\n".join([header, *lines, ""]))


def ingest(url: str, folder: Path, source: Source, *, now: datetime = NOW) -> int:
    """Give the number of loads that this made."""
    return len(ingest_source(url, folder, source, now=now, run_id=None).loads)


def test_the_next_refresh_does_not_bring_undone_polls_back(
    database_url: str, tmp_path: Path
) -> None:
    write(tmp_path, Source.STORE_STATUS, "A,2023-01-23 09:00:00,active")
    ingest(database_url, tmp_path, Source.STORE_STATUS)
    undo(database_url, 1)
    assert ingest(database_url, tmp_path, Source.STORE_STATUS) == 0
    with (tmp_path / "store_status.csv").open("a") as file:
        file.write("A,2023-01-23 10:00:00,active\n")
    ingest(database_url, tmp_path, Source.STORE_STATUS)
    assert stored_polls(database_url) == ["A 10:00 up"]


def test_a_file_is_read_again_on_request(database_url: str, tmp_path: Path) -> None:
    write(tmp_path, Source.STORE_STATUS, "A,2023-01-23 09:00:00,active")
    ingest(database_url, tmp_path, Source.STORE_STATUS)
    undo(database_url, 1, is_reloading=True)
    assert ingest(database_url, tmp_path, Source.STORE_STATUS) == 1
    assert stored_polls(database_url) == ["A 09:00 up"]
    assert unaccounted(database_url) == 0


def hours_in_force(url: str) -> list[tuple[str, bool, int]]:
    rows = fetch(
        url,
        "SELECT store_id, valid_from = '-infinity' AS is_always,"
        " start_us_of_week / 3600000000 AS start FROM business_hour_intervals"
        " JOIN stores USING (store_key) WHERE load_id IS NOT NULL ORDER BY 1, valid_from",
    )
    return [(row["store_id"], row["is_always"], row["start"]) for row in rows]


def test_hours_of_a_wrong_file_are_taken_back(database_url: str, tmp_path: Path) -> None:
    write(tmp_path, Source.BUSINESS_HOURS, "A,0,9:00,17:00", "B,0,9:00,17:00")
    ingest(database_url, tmp_path, Source.BUSINESS_HOURS)
    write(tmp_path, Source.BUSINESS_HOURS, "A,0,1:00,2:00", "B,0,9:00,17:00")
    ingest(database_url, tmp_path, Source.BUSINESS_HOURS, now=LATER)
    undo(database_url, 2)
    assert hours_in_force(database_url) == [("A", True, 9), ("B", True, 9)]
    assert ingest(database_url, tmp_path, Source.BUSINESS_HOURS) == 0
    write(tmp_path, Source.BUSINESS_HOURS, "A,0,8:00,17:00", "B,0,9:00,17:00")
    ingest(database_url, tmp_path, Source.BUSINESS_HOURS, now=LATER)
    undo(database_url, 4)
    assert hours_in_force(database_url) == [("A", True, 9), ("B", True, 9)]
    with bulk_transaction(database_url) as bulk:
        assert count_interval_faults(bulk) == 0


def test_without_the_first_hours_the_next_ones_hold_always(
    database_url: str, tmp_path: Path
) -> None:
    write(tmp_path, Source.BUSINESS_HOURS, "A,0,9:00,17:00")
    ingest(database_url, tmp_path, Source.BUSINESS_HOURS)
    write(tmp_path, Source.BUSINESS_HOURS, "A,0,10:00,17:00")
    ingest(database_url, tmp_path, Source.BUSINESS_HOURS, now=LATER)
    undo(database_url, 1)
    assert hours_in_force(database_url) == [("A", True, 10)]


def test_rows_that_a_later_snapshot_repeated_are_read_again(
    database_url: str, tmp_path: Path
) -> None:
    write(tmp_path, Source.BUSINESS_HOURS, "A,0,9:00,17:00", "B,0,9:00,17:00")
    ingest(database_url, tmp_path, Source.BUSINESS_HOURS)
    write(tmp_path, Source.BUSINESS_HOURS, "A,0,9:00,17:00", "B,0,10:00,17:00")
    ingest(database_url, tmp_path, Source.BUSINESS_HOURS, now=LATER)
    undo(database_url, 1)
    assert hours_in_force(database_url) == [("B", True, 10)]
    ingest(database_url, tmp_path, Source.BUSINESS_HOURS, now=LATER)
    with bulk_transaction(database_url) as bulk:
        starts = bulk.fetch("SELECT DISTINCT start_us / 3600000000 AS s, store_id"
                            " FROM business_hours JOIN stores USING (store_key)")  # fmt: skip
    assert {(row["store_id"], row["s"]) for row in starts.to_pylist()} == {("A", 9), ("B", 10)}


def test_zones_are_taken_back(database_url: str) -> None:
    for zone, now in (("Europe/Berlin", NOW), ("Asia/Tokyo", LATER)):
        row = {"store_id": "A", "timezone_str": zone}
        push_rows(database_url, Source.STORE_TIMEZONES, [row], now=now, patience=PATIENCE)
    undo(database_url, 2)
    assert fetch(database_url, "SELECT timezone FROM store_timezones") == [
        {"timezone": "Europe/Berlin"}
    ]


def test_closures_are_taken_back_and_cancelled_ones_hold_again(
    database_url: str, tmp_path: Path
) -> None:
    def held() -> list[str]:
        rows = fetch(
            database_url,
            "SELECT reason FROM closures WHERE cancelled_by_load_id IS NULL ORDER BY reason",
        )
        return [row["reason"] for row in rows]

    write(tmp_path, Source.CLOSURES, "*,2023-01-01 00:00,,holiday", "*,2023-02-01 00:00,,sale")
    ingest(database_url, tmp_path, Source.CLOSURES)
    write(tmp_path, Source.CLOSURES, "*,2023-01-01 00:00,,holiday", "*,2023-03-01 00:00,,move")
    ingest(database_url, tmp_path, Source.CLOSURES)
    assert held() == ["holiday", "move"]
    undo(database_url, 2)
    assert held() == ["holiday", "sale"]
    cancel_pushed_closure(database_url, 1, now=NOW, patience=PATIENCE)
    assert held() == ["sale"]
    undo(database_url, 4)
    assert held() == ["holiday", "sale"]


# The property: as if what was undone had never been loaded.

Loads = Sequence[Sequence[Row]]
polls_rows = st.tuples(
    st.sampled_from(["A", "B"]),
    st.integers(0, 24).map(lambda half_hours: at_us("00:00") + half_hours * HOUR // 2),
    st.booleans(),
)
far_rows = st.tuples(
    st.sampled_from(["A", "B"]),
    st.sampled_from([at_us("00:00") + n * (MAX_GAP + d) for n in range(5) for d in (-1, 0, 1)]),
    st.booleans(),
)


@st.composite
def histories(draw: st.DrawFn) -> tuple[Loads, list[int]]:
    """Draw loads, and the order in which some of them are undone (a load before the others)."""
    loads = draw(st.lists(st.lists(polls_rows | far_rows, min_size=1, max_size=8), min_size=1,
                          max_size=6))  # fmt: skip
    undone = draw(st.permutations(range(len(loads))))
    return loads, undone[: draw(st.integers(0, len(loads)))]


@holds_for(8, 80, history=histories(), is_pushed=st.booleans(), early=st.integers(0, 6))
def test_undoing_loads_leaves_the_result_of_the_other_loads(
    database_url: str, history: tuple[Loads, list[int]], early: int, *, is_pushed: bool
) -> None:
    loads, undone = history

    def name(number: int) -> str | None:
        return PUSHED if is_pushed else f"{number}.csv"

    def run(chosen: Sequence[int], undo_at: Callable[[int, dict[int, int]], None]) -> None:
        tables = ", ".join(table.name for table in metadata.sorted_tables)
        execute(database_url, f"TRUNCATE {tables}")
        load_ids: dict[int, int] = {}
        for number in chosen:
            with bulk_transaction(database_url, is_writing_polls=True) as bulk:
                load_rows(bulk, loads[number], file_path=name(number))
                load_ids[number] = bulk.scalar("SELECT max(load_id) AS n FROM loads")
            undo_at(number, load_ids)

    done: set[int] = set()

    def undo_some(number: int, load_ids: dict[int, int]) -> None:
        """Undo what is loaded so far, early or at the end."""
        is_end = number == len(loads) - 1
        for wrong in undone:
            if wrong not in done and wrong in load_ids and (is_end or wrong + early <= number):
                done.add(wrong)
                undo(database_url, load_ids[wrong])

    run(range(len(loads)), undo_some)
    polls, runs = stored_polls(database_url), stored_runs(database_url)
    assert unaccounted(database_url) == 0
    kept = [number for number in range(len(loads)) if number not in undone]
    run(kept, lambda *_: None)
    assert (polls, runs) == (stored_polls(database_url), stored_runs(database_url))


# Rejected rows.


def test_polls_from_the_future_are_taken_when_their_time_has_come(
    database_url: str, tmp_path: Path
) -> None:
    write(tmp_path, Source.STORE_STATUS, "A,2023-02-02 03:00:00,active", 'B,"so,on",active',
          "A,2023-01-23 09:00:00,active")  # fmt: skip
    ingest(database_url, tmp_path, Source.STORE_STATUS)
    assert replay_rejected(database_url, load_id=None, now=NOW)[0].taken == 0
    (replayed,) = replay_rejected(database_url, load_id=1, now=NOW + timedelta(hours=4))
    assert (replayed.rows, replayed.taken, replayed.load_id) == (2, 1, 2)
    assert stored_polls(database_url) == ["A 09:00 up", "A 243:00 up"]
    (waiting,) = list_rejected(database_url, load_id=None, limit=10)
    assert (waiting.line, waiting.reason) == (3, "timestamp cannot be read")
    assert unaccounted(database_url) == 0
    undo(database_url, 2)
    assert stored_polls(database_url) == ["A 09:00 up"]
    assert len(list_rejected(database_url, load_id=None, limit=10)) == 2


def test_a_rejected_row_is_kept_whole_and_can_be_replayed(database_url: str) -> None:
    note = "é\t" * 9_000
    body = f"note,store_id,timestamp_utc,status\n{note},A,2023-02-02 03:00:00,active\n"
    push_polls(
        database_url, body.encode(), BodyFormat.CSV, now=NOW, is_rejecting=True, patience=PATIENCE
    )
    (waiting,) = list_rejected(database_url, load_id=1, limit=1)
    assert waiting.row == body.splitlines()[1].encode()
    assert waiting.text == note.replace("\t", "\\t") + ",A,2023-02-02 03:00:00,active"
    replay_rejected(database_url, load_id=None, now=NOW + timedelta(hours=4))
    assert stored_polls(database_url) == ["A 243:00 up"]
    assert list_rejected(database_url, load_id=None, limit=1) == []


def test_rejected_rows_of_an_undone_load_do_not_wait(database_url: str) -> None:
    body = b"store_id,timestamp_utc,status\nA,2023-02-02 03:00:00,active\n"
    push_polls(database_url, body, BodyFormat.CSV, now=NOW, is_rejecting=True, patience=PATIENCE)
    undo(database_url, 1)
    assert replay_rejected(database_url, load_id=None, now=NOW + timedelta(hours=4)) == []
    assert stored_polls(database_url) == []


def test_a_rejected_row_of_a_snapshot_is_tried_again_with_its_whole_file(
    database_url: str, tmp_path: Path
) -> None:
    write(tmp_path, Source.STORE_TIMEZONES, "A,Europe/Berlin", "B,Mars/Olympus")
    ingest(database_url, tmp_path, Source.STORE_TIMEZONES)
    (replayed,) = replay_rejected(database_url, load_id=None, now=NOW)
    assert replayed.is_file_forgotten
    assert ingest(database_url, tmp_path, Source.STORE_TIMEZONES) == 1
    (waiting,) = list_rejected(database_url, load_id=None, limit=10)
    assert (waiting.load_id, waiting.text) == (2, "B,Mars/Olympus")
