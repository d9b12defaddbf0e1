"""Random requests to the API: valid and invalid by its OpenAPI document, and raw bytes.

A few hundred cases run always; thousands with
`pytest -m slow tests/integration/test_api_fuzz.py -s`.
"""

import contextlib
import errno
import gzip
import random
import socket
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import httpx
import hypothesis
import pytest
import schemathesis
import sqlalchemy as sa
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from api_keys import new_key
from api_server import complete_report, serve
from storemon_api.security.client_timeouts import ClientTimeoutProtocol
from storemon_pipeline.access.keys import Scope
from storemon_pipeline.polls.poll_bodies import BodyFormat
from storemon_pipeline.polls.push_polls import push_polls
from storemon_pipeline.reports.make_reports import make_waiting_reports
from waiting import eventually

POLLS = b"""store_id,timestamp_utc,status
alpha,2023-01-25 10:00:00 UTC,active
beta,2023-01-25 10:00:00 UTC,inactive
"""
# It never ends: clients listen there.
ENDLESS = {"/events"}
# What other systems send has any form: a thousand attempts to draw an invalid request are in vain.
TAKES_ANY = {"/webhooks/{source}"}
CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    unsupported_method,
]
SECRETS = ("root:", "Traceback", "site-packages", "/work", ".py")


@contextmanager
def serving(url: str) -> Iterator[httpx.Client]:
    push_polls(
        url,
        POLLS,
        BodyFormat.CSV,
        now=datetime(2023, 1, 25, 11, tzinfo=UTC),
        is_rejecting=False,
        patience=timedelta(seconds=5),
    )
    make_waiting_reports(url, run_id="run", is_manual=True)
    with serve(url) as client:
        yield client


@pytest.fixture
def client(database_url: str) -> Iterator[httpx.Client]:
    with serving(database_url) as client:
        yield client


@pytest.fixture(scope="module")
def shared_client(module_database_url: str) -> Iterator[httpx.Client]:
    """Give a service to tests of requests that are refused or only read."""
    with serving(module_database_url) as client:
        yield client


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(
    "cases_per_operation", [2, pytest.param(150, id="thousands", marks=pytest.mark.slow)]
)
def test_every_response_is_one_that_the_openapi_document_declares(
    client: httpx.Client, cases_per_operation: int
) -> None:
    schema = schemathesis.openapi.from_url(f"{client.base_url}/openapi.json")
    described = client.get("/openapi.json").json()["paths"]
    statuses: Counter[int] = Counter()
    findings: dict[str, str] = {}
    for result in schema.get_all_operations():
        assert isinstance(result, Ok)
        operation = result.ok()
        if operation.path in ENDLESS:
            continue
        takes_any = operation.path in TAKES_ANY or takes_any_text(
            described[operation.path][operation.method]
        )
        for mode in schemathesis.GenerationMode:
            if takes_any and mode is schemathesis.GenerationMode.NEGATIVE:
                continue
            cases = operation.as_strategy(generation_mode=mode)
            # No case can be made where nothing can be wrong.
            with contextlib.suppress(hypothesis.errors.Unsatisfiable):
                send_cases(cases, cases_per_operation, statuses, findings)
    print(f"\nAPI fuzz: {statuses.total()} cases, answers {dict(sorted(statuses.items()))}")  # noqa: T201
    assert findings == {}, "\n".join(findings)
    # Nothing but a backend that is away, here Dagster, is a fault of the server.
    assert {status for status in statuses if status >= 500} <= {503}
    assert statuses.total() > 10 * cases_per_operation


def takes_any_text(operation: dict[str, Any]) -> bool:
    """Whether ids of any text are all that an operation takes, so that no request is invalid.

    A thousand attempts to draw an invalid one would be made in vain.
    """
    parameters = operation.get("parameters", [])
    return (
        "requestBody" not in operation
        and parameters != []
        and all(
            parameter["in"] == "path"
            and parameter["schema"].get("type") == "string"
            and parameter["schema"].keys() <= {"type", "description", "examples", "title"}
            for parameter in parameters
        )
    )


def send_cases(
    cases: Any,  # noqa: ANN401 - a strategy of cases of one operation
    count: int,
    statuses: Counter[int],
    findings: dict[str, str],
) -> None:
    """Send so many cases; note what was answered, and which answer was not a declared one."""

    @hypothesis.settings(
        max_examples=count,
        database=None,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=[hypothesis.Phase.generate],
    )
    @hypothesis.given(case=cases)
    def send(case: Any) -> None:  # noqa: ANN401 - as above
        response = case.call(timeout=60)
        statuses[response.status_code] += 1
        # White space alone is no body, and the triggers need none.
        body = response.request.body
        is_blank = isinstance(body, bytes) and not body.strip()
        # Bad rows are then kept as rejected rows instead of being refused.
        is_kept = (case.query or {}).get("on_error") == "reject"
        is_taken = is_blank or is_kept
        checks = [check for check in CHECKS if not is_taken or check is not negative_data_rejection]
        try:
            case.validate_response(response, checks=checks)
        except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - each has its own
            for found in getattr(error, "exceptions", [error]):
                findings[f"{case.operation.label}: {found}"] = case.as_curl_command()

    send()


TRICKS = [
    "/reports/../../etc/passwd",
    "/reports/..%2f..%2fetc%2fpasswd",
    "/reports/%2e%2e/%2e%2e/etc/passwd.csv",
    "/reports/%00.csv",
    "/get_report/%00",
    "/get_report/..%5c..%5cwindows%5cwin.ini",
    "/get_report?report_id=../../../etc/passwd",
    "/get_report?report_id=%27%20OR%201%3D1--",
    "/get_report?report_id=%F0%9F%92%A9&report_id=2",
    "/get_report/" + "a" * 20_000,
    "/docs/assets/../../../../etc/passwd",
    "/docs/assets/..%2f..%2f..%2f..%2fetc%2fpasswd",
    "/docs/assets//etc/passwd",
    "/docs/assets/%00",
    "//etc/passwd",
    "/%c0%ae%c0%ae/etc/passwd",
    "/stores/..%2f..%2fetc%2fpasswd/uptime",
    "/stores/%00/timeline",
    "/stores//uptime",
    "*",
    "http://attacker.example/get_report/x",
]


@pytest.mark.parametrize("target", TRICKS)
def test_no_path_leads_to_a_file_or_a_fault(shared_client: httpx.Client, target: str) -> None:
    answer = send_raw(
        shared_client,
        f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode(),
    )
    status = int(answer.split(b" ", 2)[1])
    assert 400 <= status < 500
    assert not [secret for secret in SECRETS if secret.encode() in answer]


@pytest.mark.parametrize(
    "accept",
    [
        "",
        ";;;",
        "*/*;q=banana",
        "text/csv;q=0, application/json;q=0",
        '"' * 500,
        "a/b," * 2_000,
        "\xff/\xfe",
        "application/json;q=1e400",
    ],
)
def test_no_accept_header_is_a_fault(shared_client: httpx.Client, accept: str) -> None:
    waiting = shared_client.post("/trigger_report").json()["report_id"]
    complete = shared_client.get("/reports").json()["reports"][-1]["report_id"]
    headers = [(b"Accept", accept.encode("latin-1"))]
    for address in (
        f"/get_report?report_id={waiting}",
        f"/get_report?report_id={complete}",
        f"/api/get_report?report_id={complete}",
        f"/reports/{complete}",
        f"/reports/{complete}.csv",
        f"/get_report/{complete}",
        "/stores",
        "/",
        "/metrics",
    ):
        assert shared_client.get(address, headers=headers).status_code == 200, address
    assert shared_client.get(f"/reports/{waiting}", headers=headers).status_code == 409


def test_random_bytes_are_answered_or_hung_up_on(shared_client: httpx.Client) -> None:
    dice = random.Random(1)  # noqa: S311 - the same bytes again
    for _ in range(200):
        junk = dice.randbytes(dice.randrange(1, 2_000))
        head = dice.choice(
            [b"", b"GET / HTTP/1.1\r\n", b"POST /polls HTTP/1.1\r\nHost: localhost\r\n"]
        )
        answer = send_raw(shared_client, head + junk + b"\r\n\r\n", is_ending=True)
        assert not answer or answer.startswith((b"HTTP/1.1 4",)), answer[:200]
    assert shared_client.get("/healthz").status_code == 200


def test_a_body_that_grows_when_it_is_unpacked_is_413(shared_client: httpx.Client) -> None:
    bomb = gzip.compress(b"\0" * (64 * 1024 * 1024), compresslevel=9)
    assert len(bomb) < 100_000
    answer = shared_client.post(
        "/polls",
        content=bomb,
        headers={"Content-Encoding": "gzip", "Content-Type": "application/json"},
    )
    assert answer.status_code == 413


def test_deeply_nested_json_is_refused(shared_client: httpx.Client) -> None:
    for address in ("/trigger_report", "/polls", "/closures"):
        for text in ("[" * 10_000, '{"as_of":' * 1_000, "[" * 5_000 + "]" * 5_000, "1e999999"):
            answer = shared_client.post(
                address, content=text.encode(), headers={"Content-Type": "application/json"}
            )
            assert answer.status_code in {413, 422}


HEADERS = (
    *("Accept", "Accept-Encoding", "Authorization", "Connection", "Content-Encoding"),
    *("Content-Type", "Cookie", "Expect", "Forwarded", "If-Modified-Since", "If-None-Match"),
    *("If-Range", "Origin", "Range", "Sec-Fetch-Dest", "Sec-Fetch-Mode", "Sec-Fetch-Site"),
    *("X-API-Key", "X-Forwarded-For", "X-Request-ID", "X-Requested-With"),
)
BEGINNINGS = (
    *(b"", b"Basic ", b"Bearer ", b"bytes=", b"text/html;q=", b"gzip, ", b'W/"', b"application/"),
    *(b"Basic /////w==", b"Bearer sm_", b"Wed, 21 Oct 2015 07:28:00 GMT", b"http://localhost"),
)
TARGETS = (
    *("/healthz", "/metrics", "/stores", "/stores/alpha/uptime", "/reports", "/", "/docs"),
    *("/static/style.css", "/docs/assets/swagger-ui.css", "/get_report?report_id=x"),
    *("/stores/-?store_id=..", "/nowhere", "/manual"),
)


@pytest.mark.parametrize(
    "requests", [60, pytest.param(20_000, id="thousands", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("has_key", [False, True], ids=["no key", "with keys"])
def test_no_header_is_a_fault(
    client: httpx.Client, database_url: str, requests: int, *, has_key: bool
) -> None:
    if has_key:
        new_key(database_url, "admin", Scope.ADMIN)
    dice = random.Random(2)  # noqa: S311 - the same headers again
    for _ in range(requests):
        headers = [
            (dice.choice(HEADERS).encode(), (dice.choice(BEGINNINGS) + header_bytes(dice)).strip())
            for _ in range(dice.randrange(1, 4))
        ]
        method = dice.choice(["GET", "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
        target = dice.choice(TARGETS)
        response = client.request(method, target, headers=headers)
        assert response.status_code < 500, (method, target, headers)


def header_bytes(dice: random.Random) -> bytes:
    """Bytes that a header may hold, those above 127 among them."""
    allowed = [*range(0x20, 0x7F), *range(0x80, 0x100)]
    return bytes(dice.choices(allowed, k=dice.randrange(40)))


NESTINGS = ("[{}]", '{{"store_id": {}}}', '{{"a": [{}]}}')
BODIES = (
    *(("POST", "/polls", "application/json"), ("POST", "/polls", "application/x-ndjson")),
    *(("POST", "/trigger_report", "application/json"), ("POST", "/closures", "application/json")),
    *(("PUT", f"/stores/alpha/{view}", "application/json") for view in ("hours", "timezone")),
)


@pytest.mark.parametrize(
    "depths",
    [
        pytest.param((1, 200, 500, 960, 984, 988, 992, 1_000, 5_000), id="some"),
        pytest.param(range(1, 1_300), id="every", marks=pytest.mark.slow),
    ],
)
def test_no_nesting_is_a_fault(client: httpx.Client, depths: Sequence[int]) -> None:
    for depth in depths:
        for nesting in NESTINGS:
            opening, closing = nesting.format("|").split("|")
            text = f'{opening * depth}"\\u0000"{closing * depth}'
            for method, address, media_type in BODIES:
                for on_error in ("", "?on_error=reject") if address == "/polls" else ("",):
                    response = client.request(
                        method,
                        address + on_error,
                        content=text,
                        headers={"Content-Type": media_type},
                    )
                    assert response.status_code < 500, (address, media_type, nesting, depth)


def test_a_row_nested_as_deeply_as_json_is_read_is_a_rejected_row(client: httpx.Client) -> None:
    line = "[" * 988 + "]" * 988
    response = client.post(
        "/polls?on_error=reject",
        content=f"{line}\n",
        headers={"Content-Type": "application/x-ndjson"},
    )
    assert response.status_code == 200
    assert response.json()["rows_rejected"] == 1
    assert response.json()["rejected"][0]["text"] == line


def test_a_client_that_never_finishes_a_request_head_is_disconnected(database_url: str) -> None:
    class VeryImpatient(ClientTimeoutProtocol):
        head_seconds = 0.4

    with serve(database_url, protocol=VeryImpatient) as client:
        assert client.get("/healthz").status_code == 200
        for begin in (
            b"",
            b"GET /healthz HTTP/1.1\r\nX: ",
            b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET",
        ):
            with connect(client) as connection:
                connection.sendall(begin)
                began = time.monotonic()
                received = b""
                while chunk := trickle(connection):
                    received += chunk
                assert time.monotonic() - began < 5
        # Its other clients are served as before, also on connections that are kept.
        with connect(client) as connection:
            for _ in range(3):
                connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert b"200 OK" in received_until(connection, b'{"status":"ok"}')
                time.sleep(0.2)


def received_until(connection: socket.socket, end: bytes) -> bytes:
    """Return what comes up to this end, which may come in several parts."""
    received = b""
    while not received.endswith(end):
        chunk = connection.recv(4_096)
        assert chunk, received
        received += chunk
    return received


class QuicklyBored(ClientTimeoutProtocol):
    """Waits less for who does not read."""

    stalled_seconds = 0.4


def request_of(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()


@cache
def long_csv() -> bytes:
    return b"store_id\n" + b"".join(b"%d\n" % store for store in range(2_000_000))


def test_a_client_that_never_reads_its_response_is_disconnected(
    database_url: str, engine: sa.Engine
) -> None:
    report_id = complete_report(engine, long_csv(), chunk_bytes=1_000_000)
    with serve(database_url, protocol=QuicklyBored) as client:
        with connect(client, receive_buffer=4_096) as connection:
            connection.sendall(request_of(f"/reports/{report_id}.csv"))
            eventually(
                lambda: (
                    connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNRESET
                )
            )
        assert client.get("/healthz").status_code == 200


def test_a_client_that_reads_slowly_gets_the_whole_response(
    database_url: str, engine: sa.Engine
) -> None:
    report_id = complete_report(engine, long_csv(), chunk_bytes=1_000_000)
    with (
        serve(database_url, protocol=QuicklyBored) as client,
        connect(client, receive_buffer=65_536) as connection,
    ):
        connection.sendall(request_of(f"/reports/{report_id}.csv"))
        received = b""
        while chunk := connection.recv(200_000):
            received += chunk
            time.sleep(0.01)
    assert received.endswith(long_csv())


def trickle(connection: socket.socket) -> bytes:
    """Send a byte now and then until the other side says or ends something."""
    while True:
        try:
            connection.settimeout(0.1)
            return connection.recv(4_096)
        except TimeoutError:
            try:
                connection.sendall(b"x")
            except OSError:
                return b""
        except OSError:
            return b""


def connect(client: httpx.Client, *, receive_buffer: int | None = None) -> socket.socket:
    connection = socket.socket()
    if receive_buffer is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.settimeout(10)
    connection.connect((client.base_url.host, client.base_url.port or 0))
    return connection


def send_raw(client: httpx.Client, request: bytes, *, is_ending: bool = False) -> bytes:
    """Return whatever comes back until the connection ends."""
    with connect(client) as connection:
        received = b""
        try:
            connection.sendall(request)
            if is_ending:
                connection.shutdown(socket.SHUT_WR)
            while chunk := connection.recv(65_536):
                received += chunk
        except ConnectionError:
            pass
        return received
