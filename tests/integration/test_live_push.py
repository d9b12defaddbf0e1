"""Pushing polls, hours and zones over HTTP: the responses, and the rows afterwards."""

import gzip
import json
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from api_server import NO_DATABASE, serve
from stored import execute, fetch, stored_polls, stored_runs
from storemon_pipeline.database.bulk import bulk_transaction
from waiting import eventually

JSON = "application/json"
NDJSON = "application/x-ndjson"
CSV = "text/csv"
ROWS: list[dict[str, object]] = [
    {"store_id": "A", "timestamp_utc": "2023-01-23 09:00:00 UTC", "status": "active"},
    {"store_id": "A", "timestamp_utc": "2023-01-23T10:00:00Z", "status": "inactive"},
    {"store_id": 7, "timestamp_utc": "2023-01-23 09:30:00", "status": " ACTIVE "},
]
POLLS = ["7 09:30 up", "A 09:00 up", "A 10:00 down"]
BAD: dict[str, object] = {
    "store_id": "A",
    "timestamp_utc": "2023-01-23 11:00:00",
    "status": "asleep",
}
CSV_TEXT = (
    "status,store_id,timestamp_utc\n"
    "active,A,2023-01-23 09:00:00 UTC\n"
    "inactive,A,2023-01-23T10:00:00Z\n"
    "\n"
    "active,7,2023-01-23 09:30:00\n"
)


def push(client: httpx.Client, body: bytes | str, kind: str = JSON, **more: Any) -> httpx.Response:  # noqa: ANN401
    headers = {"Content-Type": kind, **more.pop("headers", {})}
    return client.post("/polls", content=body, headers=headers, **more)


def lines(rows: list[dict[str, object]]) -> str:
    return "\r\n".join(json.dumps(row) for row in rows) + "\n\n"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (JSON, json.dumps(ROWS)),
        (f"{JSON}; charset=utf-8", json.dumps(ROWS)),
        (NDJSON, lines(ROWS)),
        (CSV, CSV_TEXT),
    ],
)
def test_polls_in_every_form_are_loaded(
    client: httpx.Client, database_url: str, kind: str, body: str
) -> None:
    response = push(client, body, kind)
    assert response.status_code == 200
    assert response.json() == {
        "load_id": 1,
        "rows_read": 3,
        "rows_loaded": 3,
        "rows_replaced": 0,
        "rows_unchanged": 0,
        "rows_rejected": 0,
    }
    assert stored_polls(database_url) == POLLS
    assert stored_runs(database_url) == [
        "7 09:30 to 09:30 up, 1 poll",
        "A 09:00 to 09:00 up, 1 poll",
        "A 10:00 to 10:00 down, 1 poll",
    ]


def test_one_poll_needs_no_array(client: httpx.Client, database_url: str) -> None:
    assert push(client, json.dumps(ROWS[0])).json()["rows_loaded"] == 1
    assert stored_polls(database_url) == ["A 09:00 up"]


def test_the_same_body_twice_changes_nothing(client: httpx.Client, database_url: str) -> None:
    push(client, json.dumps(ROWS))
    again = push(client, json.dumps(ROWS)).json()
    assert (again["rows_loaded"], again["rows_replaced"], again["rows_unchanged"]) == (0, 0, 3)
    assert stored_polls(database_url) == POLLS


def test_the_later_row_of_a_body_wins_and_a_later_body_corrects(
    client: httpx.Client, database_url: str
) -> None:
    push(client, json.dumps([ROWS[0], {**ROWS[0], "status": "inactive"}]))
    assert stored_polls(database_url) == ["A 09:00 down"]
    assert push(client, json.dumps(ROWS[0])).json()["rows_replaced"] == 1
    assert stored_polls(database_url) == ["A 09:00 up"]


@pytest.mark.parametrize(
    ("kind", "body", "index"),
    [
        (JSON, json.dumps([ROWS[0], BAD, ROWS[2]]), 1),
        (NDJSON, lines([ROWS[0], BAD, ROWS[2]]), 1),
        (CSV, CSV_TEXT + "asleep,A,2023-01-23 11:00:00\n", 3),
    ],
)
def test_one_bad_row_refuses_the_body_and_is_named(
    client: httpx.Client, database_url: str, kind: str, body: str, index: int
) -> None:
    response = push(client, body, kind)
    assert response.status_code == 422
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["errors"] == [
        {"field": f"polls[{index}]", "message": "unknown status", "index": index}
    ]
    assert stored_polls(database_url) == []
    assert fetch(database_url, "SELECT * FROM loads") == []


@pytest.mark.parametrize(
    ("kind", "body", "text"),
    [
        (JSON, json.dumps([ROWS[0], BAD]), "A,2023-01-23 11:00:00,asleep"),
        (CSV, "store_id,timestamp_utc,status\nA,2023-01-23 09:00:00,active\n\nA,now,active\n",
         "A,now,active"),
    ],
)  # fmt: skip
def test_with_on_error_reject_the_good_are_loaded_and_the_bad_are_kept(
    client: httpx.Client, database_url: str, kind: str, body: str, text: str
) -> None:
    answer = push(client, body, kind, params={"on_error": "reject"}).json()
    assert (answer["rows_read"], answer["rows_loaded"], answer["rows_rejected"]) == (2, 1, 1)
    assert [(row["index"], row["text"]) for row in answer["rejected"]] == [(1, text)]
    assert stored_polls(database_url) == ["A 09:00 up"]
    (row,) = fetch(database_url, "SELECT line, row_text, header FROM rejected_rows"
                   " JOIN loads USING (load_id)")  # fmt: skip
    assert row == {"line": 1, "row_text": text, "header": "store_id,timestamp_utc,status"}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("17", "not a JSON object"),
        ("[]", "not a JSON object"),
        ('{"timestamp_utc": "2023-01-23 09:00:00", "status": "active"}', "no store id"),
        ('{"store_id": true, "timestamp_utc": "2023-01-23 09:00:00", "status": "active"}',
         "no store id"),
        ('{"store_id": "A", "timestamp_utc": "2023-02-30 09:00:00", "status": "active"}',
         "timestamp cannot be read"),
        ('{"store_id": "A", "timestamp_utc": 1674464400, "status": "active"}',
         "timestamp cannot be read"),
        ('{"store_id": "A", "timestamp_utc": "2999-01-01 09:00:00", "status": "active"}',
         "poll is in the future"),
        ('{"store_id": "A", "timestamp_utc": "2023-01-23 09:00:00"}', "unknown status"),
        ('{"store_id": "a\\u0000b", "timestamp_utc": "2023-01-23 09:00:00", "status": "active"}',
         "contains a NUL byte"),
        ('{"store_id": "\\ud800", "timestamp_utc": "2023-01-23 09:00:00", "status": "active"}',
         "not UTF-8"),
        ('{"store_id": 8.4e18, "timestamp_utc": "2023-01-23 09:00:00", "status": "active"}',
         "store id is a rounded number"),
        ('{"store_id": 17.0, "timestamp_utc": "2023-01-23 09:00:00", "status": "active"}',
         "store id is a rounded number"),
        ('{"store_id": "8.41954E+18", "timestamp_utc": "2023-01-23 09:00:00", "status": "active"}',
         "store id is a rounded number"),
    ],
)  # fmt: skip
def test_each_kind_of_bad_row_is_reported_and_can_be_kept(
    client: httpx.Client, database_url: str, row: str, message: str
) -> None:
    response = push(client, f"[{row}]")
    assert response.status_code == 422
    assert [error["message"] for error in response.json()["errors"]] == [message]
    kept = push(client, f"[{row}]", params={"on_error": "reject"})
    assert kept.json()["rows_rejected"] == 1
    assert fetch(database_url, "SELECT reason FROM rejected_rows") == [{"reason": message}]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (JSON, "{"),
        (JSON, "17"),
        (JSON, "\xff"),
        (JSON, "[" * 100_000),
        (CSV, ""),
        (CSV, "a,b\n1,2\n"),
        (CSV, "\0"),
        ("image/png", "[]"),
        ("text/csv; charset", "store_id\n"),
    ],
)
def test_a_body_that_cannot_be_used_is_422(client: httpx.Client, kind: str, body: str) -> None:
    response = push(client, body.encode("latin-1"), kind)
    assert response.status_code == 422, response.text
    assert response.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(("kind", "body"), [(JSON, "[]"), (NDJSON, "\n\n"), (NDJSON, "")])
def test_an_empty_body_makes_no_load(
    client: httpx.Client, database_url: str, kind: str, body: str
) -> None:
    answer = push(client, body, kind).json()
    assert answer["rows_read"] == 0
    assert "load_id" not in answer
    assert fetch(database_url, "SELECT * FROM loads") == []


def test_gzip_is_unpacked(client: httpx.Client, database_url: str) -> None:
    packed = gzip.compress(CSV_TEXT[:40].encode()) + gzip.compress(CSV_TEXT[40:].encode())
    assert push(client, packed, CSV, headers={"Content-Encoding": "gzip"}).status_code == 200
    assert stored_polls(database_url) == POLLS


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (gzip.compress(b" " * (16 * 1024 * 1024 + 1), mtime=0), "gzip", 413),
        (gzip.compress(b"[]", mtime=0)[:-4], "gzip", 422),
        (b"[]", "gzip", 422),
        (b"[]", "br", 422),
        (b"[]", "identity", 200),
        (b" " * (16 * 1024 * 1024 + 1), "identity", 413),
    ],
)
def test_a_body_that_does_not_unpack_or_is_too_large_is_refused(
    client: httpx.Client, body: bytes, encoding: str, status: int
) -> None:
    assert push(client, body, headers={"Content-Encoding": encoding}).status_code == status


def test_more_than_fifty_thousand_polls_are_too_many(client: httpx.Client) -> None:
    row = json.dumps(ROWS[0])
    assert push(client, "\n".join([row] * 50_001), NDJSON).status_code == 413
    assert push(client, "\n".join([row] * 50_000), NDJSON).json()["rows_read"] == 50_000


def test_an_unknown_on_error_is_422(client: httpx.Client) -> None:
    assert push(client, "[]", params={"on_error": "ignore"}).status_code == 422


def test_a_push_during_a_long_load_is_told_to_retry(
    client: httpx.Client, database_url: str
) -> None:
    with bulk_transaction(database_url, is_writing_polls=True):
        response = push(client, json.dumps(ROWS))
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "2"
    assert response.json()["type"].endswith(":busy")
    assert stored_polls(database_url) == []
    assert push(client, json.dumps(ROWS)).status_code == 200


def test_many_pushes_during_a_long_load_do_not_stop_the_api(
    client: httpx.Client, database_url: str
) -> None:
    problems: list[str] = []

    def push_one() -> None:
        problems.append(push(client, json.dumps(ROWS)).json()["type"])

    with bulk_transaction(database_url, is_writing_polls=True):
        pushes = [threading.Thread(target=push_one) for _ in range(12)]
        for thread in pushes:
            thread.start()
        began = datetime.now(UTC)
        assert client.get("/closures").status_code == 200
        assert datetime.now(UTC) - began < timedelta(seconds=1.5)
        eventually(lambda: len(problems) == 12)
    assert set(problems) == {"urn:problem-type:storemon:busy"}


def test_without_a_database_a_push_is_503() -> None:
    with serve(NO_DATABASE) as client:
        response = push(client, json.dumps(ROWS))
    assert response.status_code == 503
    assert response.json()["type"].endswith(":database-unavailable")


def test_before_the_tables_exist_a_push_is_503(client: httpx.Client, database_url: str) -> None:
    execute(database_url, "DROP TABLE retention_state")
    assert push(client, json.dumps(ROWS)).status_code == 503


HOURS = {"hours": [{"day_of_week": 0, "start_time_local": "9:00", "end_time_local": "17:00"}]}


def hours_of(url: str) -> list[tuple[str, str | None, int]]:
    rows = fetch(
        url,
        "SELECT store_id, nullif(valid_from, '-infinity')::text AS valid_from,"
        " start_us / 3600000000 AS start FROM business_hours JOIN stores USING (store_key)"
        " ORDER BY business_hours.valid_from, load_id",
    )
    return [(row["store_id"], row["valid_from"], row["start"]) for row in rows]


def test_hours_of_a_store_hold_always_first_and_from_now_on_later(
    client: httpx.Client, database_url: str
) -> None:
    first = client.put("/stores/A/hours", json=HOURS)
    assert first.json()["rows_loaded"] == 1
    assert hours_of(database_url) == [("A", None, 9)]
    assert client.put("/stores/A/hours", json=HOURS).json()["rows_unchanged"] == 1
    later = {"hours": [{**HOURS["hours"][0], "start_time_local": "10:00"}]}
    assert client.put("/stores/A/hours", json=later).json()["rows_replaced"] == 1
    (_, newer) = hours_of(database_url)
    assert newer[1] is not None
    assert newer[2] == 10
    intervals = fetch(database_url, "SELECT count(*) AS n FROM business_hour_intervals")
    assert intervals == [{"n": 2}]


def test_hours_may_say_from_when_they_hold(client: httpx.Client, database_url: str) -> None:
    client.put("/stores/a%2Fb/hours", json={**HOURS, "valid_from": "2023-01-23T12:00:00Z"})
    client.put("/stores/a%2Fb/hours", json={**HOURS, "valid_from": "always"})
    assert hours_of(database_url) == [("a/b", None, 9), ("a/b", "2023-01-23 12:00:00+00", 9)]


def test_a_push_that_a_file_overruled_can_be_pushed_again(
    client: httpx.Client, database_url: str
) -> None:
    client.put("/stores/A/timezone", json={"timezone": "Europe/Berlin"})
    client.put("/stores/A/timezone", json={"timezone": "Asia/Tokyo"})
    execute(database_url, "UPDATE loads SET file_path = 'timezones.csv' WHERE load_id = 2")
    answer = client.put("/stores/A/timezone", json={"timezone": "Europe/Berlin"}).json()
    assert answer["rows_replaced"] == 1
    zones = fetch(database_url, "SELECT timezone FROM store_timezones ORDER BY load_id")
    assert [row["timezone"] for row in zones] == ["Europe/Berlin", "Asia/Tokyo", "Europe/Berlin"]


@pytest.mark.parametrize(
    ("address", "body"),
    [
        ("/stores/A/hours", {"hours": []}),
        ("/stores/A/hours", {"hours": [{**HOURS["hours"][0], "day_of_week": 7}]}),
        ("/stores/A/hours", {"hours": [{**HOURS["hours"][0], "end_time_local": "48:01"}]}),
        ("/stores/A/hours", {**HOURS, "valid_from": "yesterday"}),
        ("/stores/A/hours", []),
        ("/stores/%20/hours", HOURS),
        ("/stores/a%00b/hours", HOURS),
        ("/stores/8.41954E+18/hours", HOURS),
        ("/stores/8.41954E+18/timezone", {"timezone": "UTC"}),
        ("/stores/A/timezone", {"timezone": "Mars/Olympus"}),
        ("/stores/A/timezone", {"zone": "UTC"}),
        (f"/stores/{'x' * 257}/timezone", {"timezone": "UTC"}),
    ],
)
def test_hours_and_zones_that_cannot_be_read_are_422(
    client: httpx.Client, database_url: str, address: str, body: object
) -> None:
    response = client.put(address, json=body)
    assert response.status_code == 422, response.text
    assert response.json()["errors"]
    assert fetch(database_url, "SELECT * FROM loads") == []


def test_every_way_to_push_is_in_the_description(client: httpx.Client) -> None:
    description = client.get("/openapi.json").json()
    body = description["paths"]["/polls"]["post"]["requestBody"]["content"]
    assert set(body) == {"application/json", "application/x-ndjson", "text/csv"}
    for path, method in (
        ("/stores/{store_id}/hours", "put"),
        ("/stores/{store_id}/timezone", "put"),
        ("/closures", "post"),
        ("/closures/{closure_id}", "delete"),
    ):
        assert "503" in description["paths"][path][method]["responses"]


def test_a_store_id_of_two_lines_is_addressed_like_any_other(client: httpx.Client) -> None:
    poll = {"store_id": "two\nlines", "timestamp_utc": "2023-01-25 10:00:00", "status": "active"}
    assert client.post("/polls", json=[poll]).json()["rows_loaded"] == 1
    for path, body in (
        ("timezone", {"timezone": "Asia/Kolkata"}),
        (
            "hours",
            {"hours": [{"day_of_week": 0, "start_time_local": "09:00", "end_time_local": "17:00"}]},
        ),
    ):
        assert client.put(f"/stores/two%0Alines/{path}", json=body).status_code == 200
    assert client.get("/stores/two%0Alines").json()["timezone"] == "Asia/Kolkata"
    assert client.get("/store/two%0Alines").status_code == 200
