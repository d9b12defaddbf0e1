"""The five forms of report requests on a real database, over a real socket."""

import hashlib
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import sqlalchemy as sa

from api_server import (
    complete_report,
    expired_report,
    failed_report,
    serve,
    waiting_report,
)
from storemon_pipeline.database.connections import create_engine, ensure_database, sqlalchemy_url
from storemon_pipeline.database.migrate import migrate
from storemon_pipeline.domain.windows import Policy
from storemon_pipeline.reports.requests import read_report

CSV = b"store_id,uptime_last_hour(in minutes)\n" + b"".join(
    b"%d,60.0000\n" % store for store in range(500)
)
UNKNOWN = "00000000-0000-4000-8000-000000000000"
WHY = "No poll has been loaded yet, so there is nothing to report on."


@pytest.fixture(scope="module")
def shared_database_url(server_url: str) -> str:
    """One database for all of these tests: each asks for reports of its own."""
    url = sqlalchemy_url(server_url).set(database="storemon_api_shapes")
    text = url.render_as_string(hide_password=False)
    ensure_database(text)
    migrate(text)
    return text


@pytest.fixture(scope="module")
def engine(shared_database_url: str) -> Iterator[sa.Engine]:
    engine = create_engine(shared_database_url, application_name="test", pool_size=2)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def client(shared_database_url: str) -> Iterator[httpx.Client]:
    with serve(shared_database_url) as client:
        yield client


def query(report_id: str) -> str:
    return f"/get_report?report_id={report_id}"


def test_a_trigger_answers_with_a_running_report(client: httpx.Client) -> None:
    response = client.post("/trigger_report")
    assert response.status_code == 200
    report_id = response.json()["report_id"]
    assert response.json() == {"report_id": report_id, "status": "Running"}
    assert client.get(query(report_id)).json() == {"report_id": report_id, "status": "Running"}


def test_the_api_trigger_answers_in_its_own_words(client: httpx.Client) -> None:
    response = client.post("/api/trigger_report", json={})
    assert response.status_code == 200
    report_id = response.json()["report_id"]
    assert response.json() == {"message": "Success", "error_code": 200, "report_id": report_id}
    assert client.get(f"/api/get_report?report_id={report_id}").json() == {
        "message": "Running",
        "error_code": 200,
        "status": "Running",
        "report_id": report_id,
    }


@pytest.mark.parametrize("path", ["/trigger_report", "/api/trigger_report"])
def test_a_trigger_keeps_what_was_asked_for(
    client: httpx.Client, engine: sa.Engine, path: str
) -> None:
    wanted = {"as_of": "2023-01-25T12:13:22.479220-06:00", "policy": "previous"}
    report_id = client.post(path, json=wanted).json()["report_id"]
    with engine.connect() as connection:
        report = read_report(connection, report_id)
    assert report is not None
    assert report.requested_as_of == datetime(2023, 1, 25, 18, 13, 22, 479220, tzinfo=UTC)
    assert report.policy is Policy.PREVIOUS


@pytest.mark.parametrize(
    ("as_of", "status"),
    [
        pytest.param("0001-01-01T00:00:00Z", 200, id="the first year"),
        pytest.param(f"{datetime.now(UTC) + timedelta(minutes=4):%FT%TZ}", 200, id="in 4 minutes"),
        pytest.param(f"{datetime.now(UTC) + timedelta(hours=2):%FT%TZ}", 422, id="in 2 hours"),
    ],
)
def test_an_as_of_may_be_any_instant_of_the_past(
    client: httpx.Client, as_of: str, status: int
) -> None:
    response = client.post("/trigger_report", json={"as_of": as_of})
    assert response.status_code == status
    if status == 200:
        assert client.get(query(response.json()["report_id"])).json()["status"] == "Running"


def test_a_complete_report_is_a_csv_in_the_query_form(
    client: httpx.Client, engine: sa.Engine
) -> None:
    report_id = complete_report(engine, CSV)
    response = client.get(query(report_id))
    assert response.status_code == 200
    assert response.content == CSV
    headers = response.headers
    assert headers["Content-Type"] == "text/csv; charset=utf-8"
    assert headers["Content-Length"] == str(len(CSV))
    assert headers["Content-Disposition"] == (
        f'attachment; filename="report-20230125T181322Z-{report_id[:8]}.csv"'
    )
    assert headers["Report-Status"] == "Complete"
    assert headers["Link"] == f'</reports/{report_id}.csv>; rel="canonical"'
    assert headers["Vary"] == "Accept"


@pytest.mark.parametrize("accept", ["application/json", "application/json, text/plain, */*"])
@pytest.mark.parametrize("shape", ["/get_report?report_id={}", "/get_report/{}"])
def test_a_complete_report_is_the_status_resource_when_json_is_accepted(
    client: httpx.Client, engine: sa.Engine, accept: str, shape: str
) -> None:
    report_id = complete_report(engine, CSV)
    response = client.get(shape.format(report_id), headers={"Accept": accept})
    assert response.headers["Cache-Control"] == "no-store"
    body = response.json()
    requested_at = datetime.fromisoformat(body.pop("requested_at"))
    completed_at = datetime.fromisoformat(body.pop("completed_at"))
    assert datetime.now(UTC) - timedelta(minutes=1) < requested_at <= completed_at
    # The tests of this file share a database, in which all reports have one as_of.
    revision = body.pop("revision")
    restated = client.get(f"/get_report/{complete_report(engine, CSV)}").json()
    assert restated["revision"] == revision + 1
    assert body == {
        "report_id": report_id,
        "status": "Complete",
        "report_url": f"{client.base_url}/reports/{report_id}.csv",
        "as_of": "2023-01-25T18:13:22.479220Z",
        "policy": "nearest",
        "stores": 3,
        "silent_stores": 1,
    }
    assert client.get(body["report_url"]).content == CSV


def test_the_path_form_is_json_even_when_a_csv_is_accepted(
    client: httpx.Client, engine: sa.Engine
) -> None:
    report_id = complete_report(engine, CSV)
    response = client.get(f"/get_report/{report_id}", headers={"Accept": "text/csv"})
    assert response.json()["status"] == "Complete"


def test_the_query_form_is_a_csv_when_both_are_accepted_alike(
    client: httpx.Client, engine: sa.Engine
) -> None:
    report_id = complete_report(engine, CSV)
    headers = [("Accept", "application/json"), ("Accept", "text/csv")]
    assert client.get(query(report_id), headers=headers).content == CSV


def test_a_running_report_is_a_status_resource_when_json_is_accepted(
    client: httpx.Client, engine: sa.Engine
) -> None:
    report_id = waiting_report(engine)
    for response in (
        client.get(query(report_id), headers={"Accept": "application/json"}),
        client.get(f"/get_report/{report_id}"),
    ):
        body = response.json()
        assert datetime.fromisoformat(body.pop("requested_at")).tzinfo is not None
        assert body == {"report_id": report_id, "status": "Running"}


def test_a_running_report_has_no_csv_yet(client: httpx.Client, engine: sa.Engine) -> None:
    response = client.get(f"/reports/{waiting_report(engine)}.csv")
    assert response.status_code == 409
    assert response.headers["Retry-After"] == "1"
    assert response.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("shape", ["/get_report?report_id={}", "/get_report/{}"])
@pytest.mark.parametrize("accept", ["*/*", "application/json"])
def test_a_failed_report_is_200_with_its_reason_in_every_status_response(
    client: httpx.Client, engine: sa.Engine, shape: str, accept: str
) -> None:
    report_id = failed_report(engine, WHY)
    response = client.get(shape.format(report_id), headers={"Accept": accept})
    assert response.status_code == 200
    body = response.json()
    assert body.pop("requested_at")
    assert body == {"report_id": report_id, "status": "Failed", "error": WHY}


def test_a_failed_report_has_the_words_of_the_api(client: httpx.Client, engine: sa.Engine) -> None:
    report_id = failed_report(engine, WHY)
    response = client.get(f"/api/get_report?report_id={report_id}")
    assert response.status_code == 200
    assert response.json() == {
        "message": "Failed",
        "error_code": 200,
        "status": "Failed",
        "report_id": report_id,
        "error": WHY,
    }


def test_a_failed_report_has_no_csv_and_the_problem_says_why(
    client: httpx.Client, engine: sa.Engine
) -> None:
    response = client.get(f"/reports/{failed_report(engine, WHY)}.csv")
    assert response.status_code == 409
    assert "Retry-After" not in response.headers
    assert response.json()["detail"] == WHY


@pytest.mark.parametrize("accept", ["application/json", "text/csv", "garbage;;q=/,"])
def test_a_complete_report_is_a_csv_for_api_clients(
    client: httpx.Client, engine: sa.Engine, accept: str
) -> None:
    report_id = complete_report(engine, CSV)
    response = client.get(f"/api/get_report?report_id={report_id}", headers={"Accept": accept})
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert response.content == CSV


@pytest.mark.parametrize(
    "shape",
    [
        "/get_report?report_id={}",
        "/get_report/{}",
        "/reports/{}.csv",
        "/api/get_report?report_id={}",
    ],
)
def test_an_unknown_report_is_404_and_an_expired_one_410(
    client: httpx.Client, engine: sa.Engine, shape: str
) -> None:
    for report_id, status in ((UNKNOWN, 404), (expired_report(engine), 410)):
        response = client.get(shape.format(report_id))
        assert response.status_code == status
        assert response.headers["Content-Type"] == "application/problem+json"
        assert response.json()["status"] == status


@pytest.mark.parametrize(
    "shape", ["/reports/{}.csv", "/get_report?report_id={}", "/api/get_report?report_id={}"]
)
def test_a_client_that_has_the_csv_gets_304(
    client: httpx.Client, engine: sa.Engine, shape: str
) -> None:
    address = shape.format(complete_report(engine, CSV))
    first = client.get(address)
    entity_tag = first.headers["ETag"]
    assert entity_tag == f'"{hashlib.sha256(CSV).hexdigest()}"'
    assert first.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    again = client.get(address, headers={"If-None-Match": f'W/{entity_tag}, "other"'})
    assert again.status_code == 304
    assert again.content == b""
    assert again.headers["ETag"] == entity_tag
    assert again.headers.get("Vary") == first.headers.get("Vary")
    other = client.get(address, headers={"If-None-Match": '"other"'})
    assert other.content == CSV


@pytest.mark.parametrize(
    "shape",
    [
        "/reports/{}.csv",
        "/get_report?report_id={}",
        "/get_report/{}",
        "/api/get_report?report_id={}",
    ],
)
def test_head_gives_the_headers_of_get(client: httpx.Client, engine: sa.Engine, shape: str) -> None:
    address = shape.format(complete_report(engine, CSV))
    get, head = client.get(address), client.head(address)
    assert head.status_code == 200
    assert head.content == b""
    ignored = {"date", "transfer-encoding", "x-request-id"}
    assert {name: value for name, value in head.headers.items() if name not in ignored} == {
        name: value for name, value in get.headers.items() if name not in ignored
    }


def test_the_list_of_reports_names_complete_waiting_and_failed_ones(
    client: httpx.Client, engine: sa.Engine
) -> None:
    made = [complete_report(engine, CSV), waiting_report(engine), failed_report(engine, "why")]
    page = client.get("/reports", params={"limit": 3}).json()
    assert [(entry["report_id"], entry["status"]) for entry in page["reports"]] == [
        (made[2], "Failed"),
        (made[1], "Running"),
        (made[0], "Complete"),
    ]


def test_an_empty_report_is_its_header_line(client: httpx.Client, engine: sa.Engine) -> None:
    header = CSV.partition(b"\n")[0] + b"\n"
    assert client.get(f"/reports/{complete_report(engine, header)}.csv").content == header


def test_many_clients_at_once_all_get_their_response(
    client: httpx.Client, engine: sa.Engine
) -> None:
    report_id = complete_report(engine, CSV)
    address = (client.base_url.host, client.base_url.port or 0)
    request = (
        f"GET /reports/{report_id}.csv HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    )
    connections = [socket.create_connection(address, timeout=60.0) for _ in range(100)]
    for connection in connections:
        connection.sendall(request.encode())
    for connection in connections:
        with connection, connection.makefile("rb") as answer:
            assert answer.read().endswith(CSV)


@pytest.mark.parametrize("host", ["[", "a b", "x:99999999", "ü", "a,b", "evil/..//", ""])
def test_a_broken_host_header_breaks_no_response(
    client: httpx.Client, engine: sa.Engine, host: str
) -> None:
    report_id = complete_report(engine, CSV)
    response = client.get(f"/get_report/{report_id}", headers=[(b"Host", host.encode())])
    assert response.status_code in {400, 403}
    if response.status_code == 200:
        assert response.json()["report_url"].endswith(f"/reports/{report_id}.csv")
