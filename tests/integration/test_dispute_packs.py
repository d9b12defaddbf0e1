"""Dispute packs: made from the data, recomputed without it, and refused when a figure is wrong."""

import csv
import gzip
import io
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import httpx
import pytest

from api_keys import new_key
from api_server import serve
from clock_changes import AUTUMN, SPRING, ZONES, draw, fill
from databases import Databases
from stored import execute, load
from storemon_pipeline.access.keys import Scope
from storemon_pipeline.dispute_packs.pack_file import BrokenPackError, read_pack, write_pack
from storemon_pipeline.dispute_packs.signing_key import signing_key
from storemon_pipeline.figures.fit_status_model import fit_first_status_model
from verified_packs import forged, verify

PERIODS: Final = {SPRING: ("2023-W10", "2023-03"), AUTUMN: ("2023-W44", "2023-11")}


@dataclass(frozen=True, slots=True)
class Served:
    """A running API over three stores and a clock change, and its signing key."""

    url: str
    client: httpx.Client
    key: Path
    periods: tuple[str, ...]

    def pack(self, path: str = "/statement/dispute-pack", **parameters: str) -> bytes:
        answer = self.client.get(path, params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.content


@pytest.fixture(
    scope="module",
    params=[pytest.param(SPRING, id="spring"), pytest.param(AUTUMN, id="autumn")],
)
def served(
    databases: Databases, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """Give a running API to tests that only read."""
    key = tmp_path_factory.mktemp("home") / "key.pem"
    with databases.taken() as url:
        fill(url, draw(request.param, seed=request.param.month))
        fit_first_status_model(url, fitted_at=request.param + timedelta(days=13))
        with serve(url, signing_key=key) as client:
            yield Served(url, client, key, PERIODS[request.param])


def test_the_pack_of_a_statement_verifies_without_a_database(
    served: Served, tmp_path: Path
) -> None:
    public = tmp_path / "public.pem"
    public.write_bytes(served.client.get("/public-key").content)
    for period in served.periods:
        content = served.pack(period=period)
        status, output = verify(content, tmp_path, "--public-key", str(public))
        assert status == 0, output
        for store_id in ZONES:
            assert f"ok    {store_id}: all 8 figures are right" in output
        assert "ok    total: all 5 figures are right" in output
        assert output.endswith("VALID\n")
        assert "software: storemon" in output
        statement = served.client.get("/statement", params={"period": period}).json()
        packed = json.loads(read_pack(content).files["statement.json"])
        assert packed["stores"] == statement["stores"]


def test_the_ledger_adds_up_to_the_figures(served: Served) -> None:
    files = read_pack(served.pack(period=served.periods[0])).files
    rows = list(csv.DictReader(io.StringIO(gzip.decompress(files["ledger.csv.gz"]).decode())))
    up = dict.fromkeys(ZONES, timedelta())
    for row in rows:
        if (row["hours"], row["status"]) == ("open", "up"):
            up[row["store_id"]] += instant(row["end"]) - instant(row["start"])
    for store in json.loads(files["statement.json"])["stores"]:
        assert up[store["store_id"]] == timedelta(microseconds=store["summary"]["up_us"])


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_the_pack_of_each_outage_verifies(served: Served, tmp_path: Path) -> None:
    incidents = served.client.get("/stores/A/incidents").json()["incidents"]
    assert incidents
    for incident in incidents[:5]:
        content = served.pack("/stores/A/dispute-pack", start=incident["start"])
        status, output = verify(content, tmp_path)
        assert status == 0, output
        packed = json.loads(read_pack(content).files["incident.json"])
        assert packed["lost_us"] == incident["lost_us"]
        assert instant(packed["end"]) == instant(incident["end"])
    missing = served.client.get("/stores/A/dispute-pack", params={"start": "2023-01-01T00:00:00Z"})
    assert missing.status_code == 404
    assert missing.json()["type"].endswith("unknown-incident")


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        pytest.param("statement.json", '"up_us":', '"up_us":1', "up_us is stated as", id="figure"),
        pytest.param(
            "polls.csv.gz", "inactive", "active", "polls and status runs differ", id="poll"
        ),
        pytest.param("ledger.csv.gz", "open,up", "open,down", "ledger", id="ledger"),
        pytest.param("zones.json", "Asia/Kathmandu", "Europe/Paris", "is stated as", id="zone"),
        pytest.param("stores.json", '"as_of_us": 1', '"as_of_us": 2', "another period", id="as of"),
        pytest.param("hours.json", "start_us", "begin", "cannot be read", id="unreadable"),
    ],
)
def test_a_wrong_figure_is_named_even_when_the_pack_is_signed(
    served: Served, tmp_path: Path, name: str, old: str, new: str, expected: str
) -> None:
    content = forged(served.pack(period=served.periods[0]), name, old, new, key=served.key)
    status, output = verify(content, tmp_path)
    assert status == 1
    assert expected in output
    assert "NOT VALID" in output


def test_random_bytes_that_change_are_noticed(served: Served) -> None:
    content = served.pack(period=served.periods[0], store_id="A")
    dice = random.Random(7)  # noqa: S311 - a test's dice
    for _ in range(300):
        changed = bytearray(content)
        changed[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
        with pytest.raises(BrokenPackError):
            read_pack(bytes(changed))


def test_polls_that_are_no_longer_kept_leave_the_status_runs(
    databases: Databases, tmp_path: Path
) -> None:
    with databases.taken() as url:
        fill(url, draw(SPRING, seed=3))
        execute(url, "DELETE FROM store_status WHERE polled_at < '2023-03-12'")
        with serve(url, signing_key=tmp_path / "key.pem") as client:
            answer = client.get("/statement/dispute-pack", params={"period": "2023-W10"})
            assert answer.status_code == 200, answer.text
            assert verify(answer.content, tmp_path)[0] == 0


def test_events_are_in_the_pack_and_in_its_figures(databases: Databases, tmp_path: Path) -> None:
    with databases.taken() as url:
        fill(url, draw(SPRING, seed=3))
        execute(
            url,
            "INSERT INTO store_events (store_key, source, from_at, to_at, is_up, reason, load_id)"
            " SELECT store_key, 'platform', '2023-03-08 15:00Z', '2023-03-08 17:20Z', false,"
            " 'tablet offline', 1 FROM stores WHERE store_id = 'A'",
        )
        with serve(url, signing_key=tmp_path / "key.pem") as client:
            answer = client.get("/statement/dispute-pack", params={"period": "2023-W10"})
            assert answer.status_code == 200, answer.text
            files = read_pack(answer.content).files
            (event,) = json.loads(files["events.json"])["listed"]
            assert (event["store_id"], event["reason"]) == ("A", "tablet offline")
            (total,) = json.loads(files["statement.json"])["reasons"]
            assert (total["source"], total["reason"]) == ("platform", "tablet offline")
            status, output = verify(answer.content, tmp_path)
            assert status == 0, output
            incidents = client.get("/stores/A/incidents").json()["incidents"]
            start = next(
                one["start"] for one in incidents if one["start"].startswith("2023-03-08T15:00:00")
            )
            answer = client.get("/stores/A/dispute-pack", params={"start": start})
            assert verify(answer.content, tmp_path)[0] == 0
            packed = json.loads(read_pack(answer.content).files["incident.json"])
            assert [one["reason"] for one in packed["reasons"]] == ["tablet offline"]


CORRECTIONS: Final = (
    ("taken_out", "2023-03-07 15:00Z", "2023-03-07 15:30Z"),
    ("down", "2023-03-08 15:00Z", "2023-03-08 17:20Z"),
    ("up", "2023-03-09 15:00Z", "2023-03-09 17:20Z"),
    # After the period, and partly after the newest poll.
    ("down", "2023-03-25 15:00Z", "2023-04-25 17:20Z"),
    ("taken_out", "2023-05-07 15:00Z", "2023-05-07 15:30Z"),
)


@pytest.fixture(scope="module")
def corrected(
    databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[bytes, Path]]:
    """Give the pack of a week with events and corrections, and the key that signed it."""
    key = tmp_path_factory.mktemp("home") / "key.pem"
    with databases.taken() as url:
        fill(url, draw(SPRING, seed=3))
        execute(
            url,
            "INSERT INTO store_events (store_key, source, from_at, to_at, is_up, reason, load_id)"
            " SELECT store_key, 'platform', '2023-03-08 14:00Z', '2023-03-08 16:00Z', false,"
            " 'tablet offline', 1 FROM stores WHERE store_id IN ('A', 'B')",
        )
        for kind, start, end in CORRECTIONS:
            execute(
                url,
                "INSERT INTO corrections (store_key, from_at, to_at, kind, reason, author,"
                f" recorded_at, load_id) SELECT store_key, '{start}', '{end}', '{kind}',"
                " 'power cut', 'Ann', '2023-03-26Z', 1 FROM stores WHERE store_id = 'B'",
            )
        with serve(url, signing_key=key) as client:
            answer = client.get("/statement/dispute-pack", params={"period": "2023-W10"})
            assert answer.status_code == 200, answer.text
            yield answer.content, key


def test_corrections_are_in_the_pack_with_reason_and_author(
    corrected: tuple[bytes, Path], tmp_path: Path
) -> None:
    content, _ = corrected
    status, output = verify(content, tmp_path)
    assert status == 0, output
    files = read_pack(content).files
    listed = json.loads(files["events.json"])["corrections"]
    assert [(one["kind"], one["reason"], one["author"]) for one in listed] == [
        (kind, "power cut", "Ann") for kind, _, _ in CORRECTIONS
    ]
    assert "that of 2 events and 5 corrections" in output
    assert "all 3 are listed, with reason and author" in output
    assert "reasons: they are those of the events, and so are their totals" in output
    reasons = {one["source"] for one in json.loads(files["statement.json"])["reasons"]}
    assert reasons == {"platform", "correction"}


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        pytest.param("statement.json", '"author":"Ann"', '"author":"Bob"', "2 differ", id="author"),
        pytest.param(
            "statement.json", '"reason":"tablet offline"', '"reason":""', "reasons", id="reason"
        ),
        pytest.param("events.json", '"kind": "up"', '"kind": "down"', "cover is not", id="kind"),
        pytest.param(
            "events.json", "2023-03-08T14:00", "2023-03-08T14:30", "cover is not", id="event"
        ),
        pytest.param(
            "events.json", "2023-03-07T15:00", "2023-03-07T14:00", "take out is not", id="taken out"
        ),
    ],
)
def test_an_event_or_a_correction_that_was_changed_is_named(
    corrected: tuple[bytes, Path], tmp_path: Path, name: str, old: str, new: str, expected: str
) -> None:
    content, key = corrected
    status, output = verify(forged(content, name, old, new, key=key), tmp_path)
    assert status == 1
    assert expected in output


def test_closures_are_in_the_pack_with_reason_and_author(
    databases: Databases, tmp_path: Path
) -> None:
    key = tmp_path / "key.pem"
    with databases.taken() as url:
        fill(url, draw(SPRING, seed=3))
        execute(
            url,
            "INSERT INTO closures (start_local, end_local, reason, load_id)"
            " VALUES ('2023-03-10 00:00', '2023-03-11 00:00', 'holiday', 1)",
        )
        token = new_key(url, "Ann", Scope.READ, Scope.EDIT)
        with serve(url, signing_key=key) as client:
            client.headers["X-API-Key"] = token
            for path, row in (
                ("/closures", {"store_id": "A", "reason": "power cut\nVALID"}),
                ("/fleet/closures", {"group": "East", "reason": "storm"}),
            ):
                row |= {"start_local": "2023-03-08 10:00", "end_local": "2023-03-08 12:00"}
                answer = client.post(path, json=row)
                assert answer.status_code in {200, 201}, answer.text
            of_week = client.get("/statement/dispute-pack", params={"period": "2023-W10"}).content
            outage = client.get("/stores/A/incidents").json()["incidents"][0]["start"]
            of_outage = client.get("/stores/A/dispute-pack", params={"start": outage}).content
    status, output = verify(of_week, tmp_path)
    assert status == 0, output
    # That of A in November is long after the week.
    assert "closures: all 5 that are left out of opening time are listed\n" in output
    assert "closures of the period: all 4 are listed, with their reasons\n" in output
    times = "from 2023-03-08T10:00:00 to 2023-03-08T12:00:00"
    assert f'ok    closure of A {times}: "power cut\\nVALID", by "Ann"\n' in output
    assert f'ok    closure of B {times}: "storm", by "Ann"\n' in output
    holiday = "closure of every store from 2023-03-10T00:00:00 to 2023-03-11T00:00:00: "
    assert f'ok    {holiday}"holiday"\n' in output
    assert "stocktaking" not in output

    status, output = verify(of_outage, tmp_path)
    assert status == 0, output
    listed = json.loads(read_pack(of_outage).files["closures.json"])["listed"]
    assert [(one["reason"], one["author"]) for one in listed] == [
        ("stocktaking", None),
        ("holiday", None),
        ("power cut\nVALID", "Ann"),
        ("storm", "Ann"),
    ]

    for name, old, new, expected in (
        ("statement.json", '"holiday"', '"storm"', "those of the statement are others"),
        ("closures.json", "2023-03-08T12:00", "2023-03-08T13:00", "those listed are not those"),
    ):
        status, output = verify(forged(of_week, name, old, new, key=key), tmp_path)
        assert status == 1
        assert expected in output


def test_a_pack_of_a_version_without_corrections_still_verifies(
    served: Served, tmp_path: Path
) -> None:
    pack = read_pack(served.pack(period=served.periods[0]))
    events, statement = (json.loads(pack.files[name]) for name in ("events.json", "statement.json"))
    closures = json.loads(pack.files["closures.json"])
    del events["corrections"], statement["reasons"], closures["listed"]
    files = pack.files | {
        "closures.json": json.dumps(closures).encode(),
        "events.json": json.dumps(events).encode(),
        "statement.json": json.dumps(statement).encode(),
    }
    status, output = verify(write_pack(pack.about, files, signing_key(served.key)), tmp_path)
    assert status == 0, output
    assert "corrections" not in output
    assert "closures" not in output


def test_a_key_gets_packs_of_its_own_stores_alone(databases: Databases, tmp_path: Path) -> None:
    with databases.taken() as url:
        fill(url, draw(SPRING, seed=3))
        token = new_key(url, "owner", Scope.READ, stores={"A"})
        with serve(url, signing_key=tmp_path / "key.pem") as client:
            assert client.get("/statement/dispute-pack").status_code == 401
            client.headers["X-API-Key"] = token
            content = client.get("/statement/dispute-pack", params={"period": "2023-W10"}).content
            files = read_pack(content).files
            assert json.loads(files["stores.json"])["store_ids"] == ["A"]
            other = client.get("/stores/B/dispute-pack", params={"start": "2023-03-06T00:00:00Z"})
            assert other.status_code == 403


def test_a_file_that_is_no_pack_or_no_key_is_refused(tmp_path: Path) -> None:
    status, output = verify(b"PK", tmp_path)
    assert (status, "NOT VALID" in output) == (1, True)
    status, output = verify(b"PK", tmp_path, "--public-key", str(tmp_path / "pack.zip"))
    assert (status, "cannot be read (" in output) == (1, True)


def test_a_statement_of_more_stores_than_a_pack_holds_is_refused_by_number(
    databases: Databases, tmp_path: Path
) -> None:
    with databases.taken() as url:
        load(url, *(f"store{number} 09:00 up" for number in range(2_001)))
        with serve(url, signing_key=tmp_path / "key.pem") as client:
            answer = client.get("/statement/dispute-pack", params={"period": "2023-W04"})
            assert answer.status_code == 422
            assert answer.json()["errors"] == [
                {
                    "field": "group",
                    "message": "A pack holds up to 2,000 stores: choose a store, group or region.",
                }
            ]
