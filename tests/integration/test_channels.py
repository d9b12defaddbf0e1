"""Storefronts in the database: loaded, undone, and joined to the figures of their store."""

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import openpyxl
import pyarrow.parquet as pq
import pytest

from refreshed import days_downtime_minutes, downtime_minutes, refresh_figures
from stored import fetch
from storemon_pipeline.channels.keep_rule import keep_channel_rule
from storemon_pipeline.channels.storefronts import StorefrontsRefusedError
from storemon_pipeline.domain.channels import ChannelRule
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.figures.fit_status_model import fit_status_model
from storemon_pipeline.figures.refresh_daily import compare_all_days
from storemon_pipeline.ingestion.ingest_files import ingest_source
from storemon_pipeline.ingestion.source_load import SourceLoad
from storemon_pipeline.ingestion.undo_load import undo_load
from storemon_pipeline.reports.make_reports import make_waiting_reports

MINUTE_US = 60_000_000
NOW = datetime(2023, 2, 1, tzinfo=UTC)
HEADERS = {
    Source.STORE_STATUS: "store_id,timestamp_utc,status",
    Source.CHANNELS: "store_id,channel,channel_store_id",
    Source.STORE_TIMEZONES: "store_id,timezone_str",
    Source.STORE_EVENTS: "store_id,from_utc,to_utc,state,reason,source",
}
CHANNELS = ("A,uber,U", "A,doordash,D")


def polls(store_id: str, *, down: tuple[int, ...] = ()) -> list[str]:
    """Polls of each hour of a day, down at these hours."""
    return [
        f"{store_id},2023-01-24 {hour:02}:00:00,{'inactive' if hour in down else 'active'}"
        for hour in range(19)
    ]


# Uber is down for 3 hours, DoorDash for 2 of these and 1 more. B has no channels.
POLLS = [*polls("U", down=(9, 10, 11)), *polls("D", down=(10, 11, 12)), *polls("B", down=(3,))]


def ingest(url: str, folder: Path, source: Source, *rows: str) -> SourceLoad:
    lines = "".join(f"{row}\n" for row in (HEADERS[source], *rows))
    (folder / f"{source}.csv").write_text(lines)
    return ingest_source(url, folder, source, now=NOW, run_id=None)


@pytest.fixture
def folder(database_url: str, tmp_path: Path) -> Path:
    ingest(database_url, tmp_path, Source.STORE_STATUS, *POLLS)
    ingest(database_url, tmp_path, Source.STORE_TIMEZONES, *(f"{one},UTC" for one in "ABUD"))
    return tmp_path


def ask(client: httpx.Client, path: str) -> Any:  # noqa: ANN401 - a JSON body
    return client.get(path).raise_for_status().json()


def test_figures_follow_channels_their_rule_and_undoing(database_url: str, folder: Path) -> None:
    refresh_figures(database_url)
    alone = {"B": 60.0, "D": 180.0, "U": 180.0}
    assert downtime_minutes(database_url) == alone
    load = ingest(database_url, folder, Source.CHANNELS, *CHANNELS)
    refresh_figures(database_url)
    # Both are down from 9:30 to 11:30.
    assert downtime_minutes(database_url) == {"A": 120.0, "B": 60.0}
    assert days_downtime_minutes(database_url) == {"A": 120.0, "B": 60.0}
    assert keep_channel_rule(database_url, ChannelRule.ALL_UP, now=NOW)
    refresh_figures(database_url)
    # One of them is down from 8:30 to 12:30.
    assert downtime_minutes(database_url) == {"A": 240.0, "B": 60.0}
    assert days_downtime_minutes(database_url) == {"A": 240.0, "B": 60.0}
    assert compare_all_days(database_url).different == 0
    undo_load(database_url, load.load_ids[0], now=NOW)
    refresh_figures(database_url)
    assert downtime_minutes(database_url) == alone
    assert days_downtime_minutes(database_url) == alone


def test_by_share_every_place_sums_the_mean_of_the_storefronts(
    database_url: str, folder: Path, client: httpx.Client
) -> None:
    event = "A,2023-01-24 15:00:00,2023-01-24 15:20:00,down,power cut,till"
    ingest(database_url, folder, Source.STORE_EVENTS, event)
    ingest(database_url, folder, Source.CHANNELS, *CHANNELS)
    keep_channel_rule(database_url, ChannelRule.SHARE, now=NOW)
    fit_status_model(database_url, fitted_at=NOW)
    refresh_figures(database_url)
    # One of two is down for an hour before and after the two hours of both; then the event.
    expected = 120 + 30 + 30 + 20
    assert downtime_minutes(database_url)["A"] == expected
    assert days_downtime_minutes(database_url)["A"] == expected
    assert compare_all_days(database_url).different == 0
    figures = ask(client, "/stores/A")["figures"]["day"]
    assert figures["downtime_us"] == expected * MINUTE_US
    explained = ask(client, "/stores/A/explain?window=day")
    assert explained["downtime_us"] == expected * MINUTE_US
    shares = {(one["storefronts_up"], one["storefronts"]) for one in explained["entries"]}
    # The time that an event covers counts as that of one storefront.
    assert shares == {(2, 2), (1, 2), (0, 2), (0, 1)}
    hours = ask(client, "/stores/A/uptime?by=hour&from=2023-01-24T08:00:00Z")["periods"]
    assert [one["downtime_us"] / MINUTE_US for one in hours[:5]] == [15, 45, 60, 45, 15]
    # An outage is a time without any storefront.
    outages = ask(client, "/stores/A/incidents")["incidents"]
    assert [(one["start"][11:16], one["end"][11:16]) for one in outages] == [
        ("15:00", "15:20"),
        ("09:30", "11:30"),
    ]


def test_an_extended_report_lists_the_storefronts_of_each_store(
    database_url: str, folder: Path, client: httpx.Client
) -> None:
    ingest(database_url, folder, Source.CHANNELS, *CHANNELS, "A,later,L")
    refresh_figures(database_url)
    report_id = client.post("/trigger_report").raise_for_status().json()["report_id"]
    make_waiting_reports(database_url, run_id="run", is_manual=False)
    address = f"/reports/{report_id}"
    first, second = ask(client, f"{address}.json")["rows"]
    shown = [
        (one["channel"], one["channel_store_id"], one["downtime_last_day_us"])
        for one in first["storefronts"]
    ]
    hours = 3 * 60 * MINUTE_US
    assert shown == [("doordash", "D", hours), ("later", "L", None), ("uber", "U", hours)]
    assert second["store_id"] == "B"
    assert second["storefronts"] is None
    table = pq.read_table(io.BytesIO(client.get(f"{address}.parquet").content))
    assert [len(one or []) for one in table["storefronts"].to_pylist()] == [3, 0]
    sheet = openpyxl.load_workbook(io.BytesIO(client.get(f"{address}.xlsx").content))["storefronts"]
    head, *rows = ([cell.value for cell in row[:4]] for row in sheet.iter_rows())
    assert head == ["store_id", "channel", "channel_store_id", "uptime_last_hour_us"]
    assert [row[:3] for row in rows] == [
        ["A", "doordash", "D"],
        ["A", "later", "L"],
        ["A", "uber", "U"],
    ]
    csv = client.get(f"{address}.csv").text.splitlines()
    assert len(csv) == 3
    assert len(csv[1].split(",")) == 7


def test_a_list_of_stores_says_which_storefronts_are_down(
    database_url: str, folder: Path, client: httpx.Client
) -> None:
    ingest(database_url, folder, Source.CHANNELS, *CHANNELS)
    ingest(database_url, folder, Source.STORE_STATUS, "U,2023-01-24 18:30:00,inactive")
    refresh_figures(database_url)
    shown = [
        (one["store_id"], one["standing"], one["channels_down"])
        for one in ask(client, "/stores")["stores"]
    ]
    assert shown == [("A", "up", ["uber"]), ("B", "up", [])]


def test_polls_before_and_after_channels_are_of_the_same_storefront(
    database_url: str, tmp_path: Path
) -> None:
    ingest(database_url, tmp_path, Source.CHANNELS, *CHANNELS)
    ingest(database_url, tmp_path, Source.STORE_TIMEZONES, *(f"{one},UTC" for one in "AB"))
    ingest(database_url, tmp_path, Source.STORE_STATUS, *POLLS)
    refresh_figures(database_url)
    assert downtime_minutes(database_url) == {"A": 120.0, "B": 60.0}
    # A channel that moves to another store takes its polls along.
    ingest(database_url, tmp_path, Source.CHANNELS, "B,doordash,D", "A,uber,U")
    refresh_figures(database_url)
    # B is down from 2:30 to 3:30, when D is up.
    assert downtime_minutes(database_url) == {"A": 180.0, "B": 0.0}
    assert days_downtime_minutes(database_url) == {"A": 180.0, "B": 0.0}
    ingest(database_url, tmp_path, Source.CHANNELS, "D,doordash,D", "A,uber,U")
    refresh_figures(database_url)
    assert downtime_minutes(database_url) == {"A": 180.0, "B": 60.0, "D": 180.0}
    assert compare_all_days(database_url).different == 0


def test_a_store_shows_its_storefronts(
    database_url: str, folder: Path, client: httpx.Client
) -> None:
    ingest(database_url, folder, Source.CHANNELS, *CHANNELS, "A,later,L")
    refresh_figures(database_url)
    store = ask(client, "/stores/A")
    assert (store["channel_rule"], store["polls"]) == ("any_up", 38)
    shown = {
        one["channel"]: (
            one["channel_store_id"],
            one["standing"],
            one["figures"] and one["figures"]["day"]["downtime_us"] / 3_600_000_000,
        )
        for one in store["channels"]
    }
    assert shown == {
        "uber": ("U", "up", 3),
        "doordash": ("D", "up", 3),
        "later": ("L", "silent", None),
    }
    assert store["figures"]["day"]["downtime_us"] == 2 * 3_600_000_000
    assert store["last_poll_at"] == "2023-01-24T18:00:00Z"
    listed = [one["store_id"] for one in ask(client, "/stores")["stores"]]
    assert listed == ["A", "B"]
    assert ask(client, "/stores/B")["channels"] == []
    assert client.get("/stores/U").status_code == 404
    (outage,) = ask(client, "/stores/A/incidents")["incidents"]
    assert (outage["start"], outage["end"]) == ("2023-01-24T09:30:00Z", "2023-01-24T11:30:00Z")
    # Uber was polled down at 9:00 already, and Doordash at 12:00 still.
    explained = ask(client, "/stores/A/explain?window=day")
    assert explained["downtime_us"] == 2 * 3_600_000_000


def test_an_event_of_a_store_holds_for_its_storefronts_and_theirs_for_themselves(
    database_url: str, folder: Path, client: httpx.Client
) -> None:
    ingest(database_url, folder, Source.CHANNELS, *CHANNELS)
    ingest(
        database_url,
        folder,
        Source.STORE_EVENTS,
        "A,2023-01-24 13:00:00,2023-01-24 13:20:00,down,power cut,till",
        "U,2023-01-24 14:00:00,2023-01-24 15:00:00,down,tablet offline,uber",
        "D,2023-01-24 14:30:00,2023-01-24 14:40:00,down,driver shortage,doordash",
    )
    refresh_figures(database_url)
    # 9:30 to 11:30, the event of the store, and the ten minutes that both storefronts have.
    assert downtime_minutes(database_url)["A"] == 120 + 20 + 10
    assert days_downtime_minutes(database_url)["A"] == 120 + 20 + 10
    assert compare_all_days(database_url).different == 0
    events = ask(client, "/store-events")["events"]
    assert [one["store_id"] for one in events] == ["A", "U", "D"]


VIEWS = ("", "/uptime?by=day", "/incidents", "/timeline", "/explain?window=week")


def test_a_store_with_one_channel_shows_what_its_storefront_would_as_a_store(
    database_url: str, folder: Path, client: httpx.Client
) -> None:
    event = "U,2023-01-24 13:00:00,2023-01-24 13:20:00,down,power cut,till"
    ingest(database_url, folder, Source.STORE_EVENTS, event)
    ingest(database_url, folder, Source.CHANNELS, "A,uber,U")
    # Without the other storefront, which would be fitted, too.
    fit_status_model(database_url, fitted_at=NOW)
    refresh_figures(database_url)
    joined = [ask(client, f"/stores/A{view}") for view in VIEWS]
    assert joined[0]["figures"]["day"]["downtime_us"] == 200 * 60_000_000
    assert joined[0]["figures"]["day"]["likely_lowest_uptime_us"] is not None
    assert len(joined[3]["polls"]) == 19
    ingest(database_url, folder, Source.CHANNELS, "U,uber,U")
    fit_status_model(database_url, fitted_at=NOW)
    refresh_figures(database_url)
    alone = [ask(client, f"/stores/U{view}") for view in VIEWS]
    for one in (joined[0], alone[0]):
        del one["channel_rule"], one["channels"]
    as_named = json.dumps(joined).replace('"A"', '"U"').replace("/stores/A/", "/stores/U/")
    assert json.loads(as_named) == json.loads(
        json.dumps(alone).replace('"status_model": 2', '"status_model": 1')
    )


def test_totals_by_reason_have_the_events_of_a_single_storefront_as_its_store_has(
    database_url: str, folder: Path, client: httpx.Client
) -> None:
    ingest(
        database_url,
        folder,
        Source.STORE_EVENTS,
        "U,2023-01-24 13:00:00,2023-01-24 13:20:00,down,tablet offline,uber",
        "A,2023-01-24 13:10:00,2023-01-24 13:15:00,down,power cut,till",
        "A,2023-01-24 15:00:00,2023-01-24 15:01:00,up,test,till",
    )
    ingest(database_url, folder, Source.CHANNELS, "A,uber,U")
    refresh_figures(database_url)
    # 9:00 to 11:00 by polls, and 20 minutes by events, of which the store's own hold.
    assert downtime_minutes(database_url)["A"] == 3 * 60 + 20
    expected = [("uber", "tablet offline", 15), ("till", "power cut", 5)]
    days = "from=2023-01-24&to=2023-01-25"
    for found in (
        ask(client, f"/fleet/reasons?{days}")["reasons"],
        ask(client, f"/fleet/reasons?{days}&store_id=A")["reasons"],
        ask(client, "/stores/A/incidents")["summary"]["reasons"],
        ask(client, "/incidents?from=2023-01-24T00:00:00Z")["summary"]["reasons"],
        ask(client, "/statement?period=2023-W04")["reasons"],
    ):
        reasons = [(one["source"], one["reason"], one["lost_us"] // 60_000_000) for one in found]
        assert reasons == expected


def test_a_store_with_more_storefronts_than_can_be_counted_is_refused(
    database_url: str, folder: Path
) -> None:
    rows = [f"A,uber,front {number}" for number in range(32_767)]
    refused = ingest(database_url, folder, Source.CHANNELS, *rows).refused
    assert [one.reason for one in refused] == ["store A has 32,767 storefronts, of at most 32,766"]
    assert ingest(database_url, folder, Source.CHANNELS, *rows[1:]).refused == ()
    # The rows of another file, or of a storefront of a storefront, count together with these.
    with pytest.raises(StorefrontsRefusedError, match="Store A would have 32,767 storefronts"):
        ingest(database_url, folder, Source.CHANNELS, "front 7,uber,one more")
    assert fetch(database_url, "SELECT count(*) AS n FROM storefronts") == [{"n": 32_766}]
