"""Dispute packs of stores with storefronts: their figures are recomputed from each one's polls."""

import csv
import gzip
import io
import json
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from typer.testing import CliRunner

from api_server import serve
from clock_changes import AUTUMN, PUSHED_AT, SPRING, draw, draw_events, event_rows, fill, push
from databases import Databases
from stored import execute
from storemon_pipeline.channels.keep_rule import keep_channel_rule
from storemon_pipeline.commands.cli import app
from storemon_pipeline.dispute_packs.pack_file import BrokenPackError, read_pack, write_pack
from storemon_pipeline.dispute_packs.signing_key import signing_key
from storemon_pipeline.domain.channels import ChannelRule
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.ingestion.ingest_files import ingest_source
from storemon_pipeline.lake_files.lake_folder import LakeFolder
from storemon_pipeline.retention.enforce import drop_old_data
from verified_packs import forged, verify

MINUTE_US: Final = 60_000_000
PERIODS: Final = {SPRING: ("2023-W10", "2023-03"), AUTUMN: ("2023-W44", "2023-11")}
OLD_PACKS: Final = Path(__file__).parent.parent / "packs"
HEADERS: Final = {
    Source.STORE_STATUS: "store_id,timestamp_utc,status",
    Source.CHANNELS: "store_id,channel,channel_store_id",
    Source.STORE_TIMEZONES: "store_id,timezone_str",
}
RULES: Final = pytest.mark.parametrize("rule", list(ChannelRule))


def ingest(url: str, folder: Path, source: Source, *rows: str) -> None:
    lines = "".join(f"{row}\n" for row in (HEADERS[source], *rows))
    (folder / f"{source}.csv").write_text(lines)
    ingest_source(url, folder, source, now=PUSHED_AT, run_id=None)


def pack_of(client: httpx.Client, path: str, **parameters: str) -> bytes:
    answer = client.get(path, params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.content


def polls(store_id: str, *down: int) -> list[str]:
    """Polls of each hour of a day, down at these hours."""
    return [
        f"{store_id},2023-01-24 {hour:02}:00:00,{'inactive' if hour in down else 'active'}"
        for hour in range(19)
    ]


def table(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(gzip.decompress(content).decode())))


def uptime_of_ledger(rows: list[dict[str, str]]) -> dict[str, int]:
    """The microseconds of open time up in each store's intervals, by share where there are any."""
    found: dict[str, Fraction] = {}
    for row in rows:
        start, end = (datetime.fromisoformat(row[name]) for name in ("start", "end"))
        share = Fraction(int(row.get("storefronts_up", 1)), int(row.get("storefronts", 1)))
        if "storefronts_up" not in row:
            share = Fraction(row["status"] == "up")
        is_counted = row["hours"] == "open" and row["status"] != "unknown"
        uptime_us = is_counted * share * ((end - start) // timedelta(microseconds=1))
        found[row["store_id"]] = found.get(row["store_id"], Fraction()) + uptime_us
    return {store_id: int(uptime_us) for store_id, uptime_us in found.items()}


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home") / "key.pem"


@pytest.fixture(scope="module")
def by_hand(
    databases: Databases, key: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, httpx.Client]]:
    """Give a database and its API: Uber is down for 3 hours, DoorDash for 2 of these and 1 more."""
    folder = tmp_path_factory.mktemp("data")
    with databases.taken() as url:
        rows = [*polls("U\nVALID", 9, 10, 11), *polls("D", 10, 11, 12), *polls("B", 3)]
        rows = [row.replace("U\nVALID", '"U\nVALID"') for row in rows]
        ingest(url, folder, Source.STORE_STATUS, *rows)
        ingest(url, folder, Source.STORE_TIMEZONES, "A,UTC", "B,UTC")
        ingest(url, folder, Source.CHANNELS, 'A,uber,"U\nVALID"', "A,doordash,D")
        with serve(url, signing_key=key) as client:
            yield url, client


@pytest.mark.parametrize(
    ("rule", "down_minutes", "outage"),
    [
        # Both are down from 9:30 to 11:30, one of them from 8:30 to 12:30.
        pytest.param(ChannelRule.ANY_UP, 120, ("09:30", "11:30"), id="any up"),
        pytest.param(ChannelRule.ALL_UP, 240, ("08:30", "12:30"), id="all up"),
        pytest.param(ChannelRule.SHARE, 180, ("09:30", "11:30"), id="share"),
    ],
)
def test_a_pack_recomputes_the_figures_from_the_polls_of_each_storefront(
    by_hand: tuple[str, httpx.Client],
    tmp_path: Path,
    rule: ChannelRule,
    down_minutes: int,
    outage: tuple[str, str],
) -> None:
    url, client = by_hand
    keep_channel_rule(url, rule, now=PUSHED_AT)
    content = pack_of(client, "/statement/dispute-pack", period="2023-W04")
    status, output = verify(content, tmp_path)
    assert status == 0, output
    assert (
        f"ok    A: computed from its storefronts doordash (D), uber (U\\nVALID), by {rule}\n"
        in output
    )
    assert "they are those of the 57 polls in the file\n" in output
    pack = read_pack(content)
    assert pack.about["format"] == "storemon-dispute-pack/2"
    assert json.loads(pack.files["storefronts.json"]) == {
        "rule": rule.value,
        "storefronts": [
            {"store_id": "A", "channel": "doordash", "channel_store_id": "D"},
            {"store_id": "A", "channel": "uber", "channel_store_id": "U\nVALID"},
        ],
    }
    counted: dict[str, int] = {}
    for row in table(pack.files["polls.csv.gz"]):
        counted[row["store_id"]] = counted.get(row["store_id"], 0) + 1
    assert counted == {"B": 19, "D": 19, "U\nVALID": 19}
    of_a, of_b = json.loads(pack.files["statement.json"])["stores"]
    assert of_a["summary"]["down_us"] == down_minutes * MINUTE_US
    assert of_b["summary"]["down_us"] == 60 * MINUTE_US
    assert uptime_of_ledger(table(pack.files["ledger.csv.gz"])) == {
        store["store_id"]: store["summary"]["up_us"] for store in (of_a, of_b)
    }

    start, end = (f"2023-01-24T{clock}:00+00:00" for clock in outage)
    content = pack_of(client, "/stores/A/dispute-pack", start=start)
    status, output = verify(content, tmp_path)
    assert status == 0, output
    packed = json.loads(read_pack(content).files["incident.json"])
    assert (packed["store_id"], packed["start"], packed["end"]) == ("A", start, end)


def test_a_pack_without_storefronts_has_the_first_format(
    by_hand: tuple[str, httpx.Client],
) -> None:
    content = pack_of(by_hand[1], "/statement/dispute-pack", period="2023-W04", store_id="B")
    pack = read_pack(content)
    assert pack.about["format"] == "storemon-dispute-pack/1"
    assert "storefronts.json" not in pack.files


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        pytest.param("storefronts.json", "any_up", "all_up", "down_us is stated as", id="rule"),
        pytest.param(
            "storefronts.json", '"channel_store_id": "D"', '"channel_store_id": "B"', "", id="whose"
        ),
        pytest.param("storefronts.json", "any_up", "some", "cannot be read", id="unknown rule"),
        pytest.param(
            *("polls.csv.gz", "D,2023-01-24T10:00:00.000000Z,inactive"),
            *("D,2023-01-24T10:00:00.000000Z,active", "D: polls and status runs differ"),
            id="poll",
        ),
        pytest.param(
            *("status-runs.csv.gz", "D,2023-01-24T10:00:00.000000Z,2023-01-24T12"),
            *("D,2023-01-24T10:00:00.000000Z,2023-01-24T11", "D: polls and status runs differ"),
            id="status run",
        ),
        pytest.param("ledger.csv.gz", "open,down", "open,up", "ledger", id="ledger"),
    ],
)
def test_what_was_changed_of_a_storefront_is_named_even_when_the_pack_is_signed(
    by_hand: tuple[str, httpx.Client],
    key: Path,
    tmp_path: Path,
    name: str,
    old: str,
    new: str,
    expected: str,
) -> None:
    url, client = by_hand
    keep_channel_rule(url, ChannelRule.ANY_UP, now=PUSHED_AT)
    content = pack_of(client, "/statement/dispute-pack", period="2023-W04")
    status, output = verify(forged(content, name, old, new, key=key), tmp_path)
    assert status == 1
    assert expected in output
    assert "NOT VALID" in output


def test_random_bytes_that_change_are_noticed(by_hand: tuple[str, httpx.Client]) -> None:
    content = pack_of(by_hand[1], "/statement/dispute-pack", period="2023-W04", store_id="A")
    dice = random.Random(7)  # noqa: S311 - a test's dice
    for _ in range(300):
        changed = bytearray(content)
        changed[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
        with pytest.raises(BrokenPackError):
            read_pack(bytes(changed))


def test_a_pack_of_a_format_that_is_not_known_asks_for_a_newer_version(
    by_hand: tuple[str, httpx.Client], key: Path, tmp_path: Path
) -> None:
    pack = read_pack(pack_of(by_hand[1], "/statement/dispute-pack", period="2023-W04"))
    about = pack.about | {"format": "storemon-dispute-pack/3"}
    status, output = verify(write_pack(about, pack.files, signing_key(key)), tmp_path)
    assert status == 1
    assert "verify it with a newer storemon" in output


@pytest.mark.parametrize("name", ["statement-format-1", "incident-format-1"])
def test_a_pack_of_the_first_format_that_an_earlier_version_made_still_verifies(name: str) -> None:
    result = CliRunner().invoke(app, ["verify", str(OLD_PACKS / f"{name}.zip")])
    assert result.exit_code == 0, result.output
    assert "format: storemon-dispute-pack/1" in result.output
    assert result.output.endswith("VALID\n")


def drawn(url: str, folder: Path, begin: datetime, seed: int) -> None:
    """Fill a database over a clock change: B and sometimes its own id are storefronts of A.

    D has one storefront alone. All have events, and some have corrections.
    """
    inputs = draw(begin, seed)
    fill(url, inputs)
    only = [
        f"only,{poll.polled_at:%Y-%m-%d %H:%M:%S},{'active' if poll.is_active else 'inactive'}"
        for poll in inputs.polls
        if poll.store_id == "C"
    ]
    ingest(url, folder, Source.STORE_STATUS, *only)
    end = begin + timedelta(days=12)
    events = event_rows(draw_events(begin, end, seed))
    of_only = [row | {"store_id": "only"} for row in events if row["store_id"] == "C"]
    push(url, Source.STORE_EVENTS, [*events, *of_only])
    for store_id, day, kind in (("A", 3, "down"), ("A", 6, "taken_out"), ("C", 5, "up")):
        start = begin + timedelta(days=day, hours=seed)
        execute(
            url,
            "INSERT INTO corrections (store_key, from_at, to_at, kind, reason, author,"
            f" recorded_at, load_id) SELECT store_key, '{start}', '{start + timedelta(hours=2)}',"
            f" '{kind}', 'power cut', 'Ann', '{end}', 1 FROM stores WHERE store_id = '{store_id}'",
        )
    ingest(url, folder, Source.CHANNELS, "A,uber,B", "D,only,only", *["A,own,A"][: seed % 2])


@RULES
@pytest.mark.parametrize("begin", [SPRING, AUTUMN], ids=["spring", "autumn"])
@pytest.mark.parametrize(
    "seed", [0, pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)]
)
def test_every_pack_over_a_clock_change_verifies_and_states_the_engine_s_figures(
    databases: Databases,
    key: Path,
    tmp_path: Path,
    begin: datetime,
    rule: ChannelRule,
    seed: int,
) -> None:
    with databases.taken() as url:
        drawn(url, tmp_path, begin, seed)
        keep_channel_rule(url, rule, now=PUSHED_AT)
        with serve(url, signing_key=key) as client:
            for period in PERIODS[begin]:
                content = pack_of(client, "/statement/dispute-pack", period=period)
                status, output = verify(content, tmp_path)
                assert status == 0, output
                files = read_pack(content).files
                packed = json.loads(files["statement.json"])
                statement = client.get("/statement", params={"period": period}).json()
                for name in ("total", "stores", "incidents", "reasons", "corrections"):
                    assert packed[name] == statement[name]
                assert {row["store_id"] for row in packed["stores"]} == {"A", "C", "D"}
                uptime = uptime_of_ledger(table(files["ledger.csv.gz"]))
                for row in packed["stores"]:
                    assert uptime[row["store_id"]] == row["summary"]["up_us"]
            for store_id in ("A", "D"):
                for incident in outages(client, store_id)[:4]:
                    path = f"/stores/{store_id}/dispute-pack"
                    content = pack_of(client, path, start=incident["start"])
                    status, output = verify(content, tmp_path)
                    assert status == 0, output
                    packed = json.loads(read_pack(content).files["incident.json"])
                    assert packed["lost_us"] == incident["lost_us"]
                    assert packed["checks"] == incident["polls"]


def outages(client: httpx.Client, store_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(f"/stores/{store_id}/incidents").json()["incidents"]
    assert found
    return found


def test_polls_of_old_weeks_come_from_the_lake(
    databases: Databases, key: Path, tmp_path: Path
) -> None:
    with databases.taken() as url:
        fill(url, draw(SPRING, seed=3))
        with serve(url, signing_key=key) as client:
            ingest(url, tmp_path, Source.STORE_STATUS, "A,2023-04-05 00:00:00,active")
            # A lake holds no storefronts: these weeks came into it before there were any.
            dropped = drop_old_data(
                url,
                keep_polls=timedelta(days=7),
                keep_reports=timedelta(days=900),
                now=PUSHED_AT,
                lake=LakeFolder(str(tmp_path / "lake")),
            )
            assert dropped.poll_partitions == 3
            ingest(url, tmp_path, Source.CHANNELS, "A,uber,B", "A,doordash,C")
            content = pack_of(client, "/statement/dispute-pack", period="2023-W10")
            status, output = verify(content, tmp_path)
            assert status == 0, output
            assert "no raw polls" not in output
            rows = table(read_pack(content).files["polls.csv.gz"])
            week = [row for row in rows if row["polled_at"] < "2023-03-13"]
            assert {row["store_id"] for row in week} == {"A", "B", "C"}
            (tmp_path / "lake").rename(tmp_path / "elsewhere")
            answer = client.get("/statement/dispute-pack", params={"period": "2023-W10"})
            assert answer.status_code == 503
            assert answer.json()["type"].endswith("lake-unavailable")


def test_without_a_lake_status_runs_stand_for_polls_that_are_gone(
    databases: Databases, key: Path, tmp_path: Path
) -> None:
    with databases.taken() as url:
        fill(url, draw(SPRING, seed=3))
        ingest(url, tmp_path, Source.CHANNELS, "A,uber,B", "A,doordash,C")
        execute(url, "DELETE FROM store_status")
        with serve(url, signing_key=key) as client:
            content = pack_of(client, "/statement/dispute-pack", period="2023-W10")
            status, output = verify(content, tmp_path)
            assert status == 0, output
            assert "3 stores or storefronts have no raw polls in the file" in output
