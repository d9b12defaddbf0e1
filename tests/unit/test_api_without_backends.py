"""The API with neither database nor Dagster starts, and says what is missing."""

import asyncio
import contextlib
import json
import socket
from collections.abc import Iterator

import httpx
import pytest
import sqlalchemy as sa
from pydantic import SecretStr, ValidationError

from api_server import NO_DATABASE, serve
from storemon_api.app import create_app
from storemon_api.settings import ApiSettings

SOME_ID = "0b9f4c1e-6a53-4c3b-9d0e-2f5a1c7e8d41"


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with serve(NO_DATABASE, known_keys=(), api_body_timeout_seconds=0.5) as client:
        yield client


def problem(response: httpx.Response) -> dict[str, object]:
    assert response.headers["Content-Type"] == "application/problem+json"
    body: dict[str, object] = response.json()
    assert body["status"] == response.status_code
    assert {"type", "title", "detail"} <= body.keys()
    return body


def test_the_process_says_that_it_lives(client: httpx.Client) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}


def test_readiness_names_what_is_missing(client: httpx.Client) -> None:
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    assert problem(response)["checks"] == {
        "database": "not reachable",
        "schema": "unknown",
        "first_refresh": "unknown",
        "dagster": "not reachable",
    }


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/trigger_report"),
        ("POST", "/api/trigger_report"),
        ("GET", f"/get_report?report_id={SOME_ID}"),
        ("GET", f"/get_report/{SOME_ID}"),
        ("GET", f"/reports/{SOME_ID}.csv"),
        ("GET", f"/api/get_report?report_id={SOME_ID}"),
    ],
)
def test_without_a_database_every_request_is_503_and_reveals_no_secret(
    client: httpx.Client, method: str, path: str
) -> None:
    response = client.request(method, path)
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    assert problem(response)["type"] == "urn:problem-type:storemon:database-unavailable"
    assert "secret-word" not in response.text
    assert "127.0.0.1" not in response.text


def test_metrics_are_answered_without_a_database(client: httpx.Client) -> None:
    client.get("/nowhere")
    lines = client.get("/metrics").text.splitlines()
    assert "storemon_database_up 0.0" in lines
    assert "storemon_dispatching 0.0" in lines
    assert 'storemon_build_info{version="0.1.0"} 1.0' in lines
    assert any(
        line.startswith('storemon_http_requests_total{method="GET",route="none",status="404"}')
        for line in lines
    )


@pytest.mark.parametrize(
    "path",
    [
        "/get_report/1",
        "/get_report/" + "f" * 5000,
        f"/get_report/{SOME_ID.upper()}",
        f"/get_report/{SOME_ID}%0A",
        f"/get_report/%00{SOME_ID}",
        f"/get_report/{{{SOME_ID}}}",
        f"/get_report/{SOME_ID.replace('-', '')}",
        "/get_report/..%2f..%2fetc%2fpasswd",
        "/get_report/%ff%fe",
        "/get_report/%F0%9F%98%80",
        "/reports/..%2f..%2fetc%2fpasswd.csv",
        "/reports/%2e%2e.csv",
        "/reports/.csv",
        "/reports/1'%20OR%20'1'='1.csv",
        "/get_report?report_id=",
        "/get_report?report_id=1",
        f"/get_report?report_id={SOME_ID}%00",
        "/get_report?report_id=%ff%fe",
        f"/get_report?report_id={SOME_ID}&report_id=2",
        f"/api/get_report?report_id=+{SOME_ID}",
    ],
)
def test_a_malformed_id_is_unknown_without_a_query(client: httpx.Client, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 404
    problem(response)


@pytest.mark.parametrize("path", ["/get_report", "/api/get_report"])
def test_a_missing_id_is_422_with_the_parameter(client: httpx.Client, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 422
    assert problem(response)["errors"] == [{"field": "report_id", "message": "Field required"}]


@pytest.mark.parametrize(
    ("path", "name", "nearest"),
    [
        ("/get_report?id=1", "id", "report_id"),
        ("/stores?standin=down", "standin", "standing"),
        ("/stores?limit=1&regoin=West", "regoin", "region"),
        ("/stores/alpha/uptime?frm=2023-01-25", "frm", "from"),
        ("/incidents?opne=true", "opne", "open"),
    ],
)
def test_an_unknown_parameter_is_422_and_the_nearest_one_is_named(
    client: httpx.Client, path: str, name: str, nearest: str
) -> None:
    for method in ("GET", "HEAD"):
        response = client.request(method, path)
        assert response.status_code == 422
    message = f"There is no parameter `{name}`. Did you mean `{nearest}`?"
    assert problem(client.get(path))["errors"] == [{"field": name, "message": message}]


def test_an_unknown_parameter_of_a_call_without_any_is_422(client: httpx.Client) -> None:
    response = client.post("/trigger_report?as_of=2023-01-25T00:00:00Z")
    assert response.status_code == 422
    assert problem(response)["detail"] == "There is no parameter `as_of`: this address has none."


@pytest.mark.parametrize("path", ["/", "/healthz", "/docs", "/store/alpha"])
def test_pages_and_probes_take_any_parameter(client: httpx.Client, path: str) -> None:
    assert client.get(path, params={"utm_source": "mail"}).status_code == 200


def test_a_body_with_two_lengths_is_400_and_the_connection_ends(client: httpx.Client) -> None:
    request = (
        b"POST /trigger_report HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    )
    with socket.create_connection((client.base_url.host, client.base_url.port or 0), 10) as peer:
        peer.sendall(request)
        response = b""
        while chunk := peer.recv(65_536):
            response += chunk
    assert response.startswith(b"HTTP/1.1 400 ")
    assert response.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/trigger_report", "POST"),
        ("DELETE", "/get_report", "GET, HEAD"),
        ("OPTIONS", f"/get_report/{SOME_ID}", "GET, HEAD"),
        ("POST", f"/reports/{SOME_ID}.csv", "GET, HEAD"),
        ("PUT", "/healthz", "GET, HEAD"),
        ("POST", "/openapi.json", "GET, HEAD"),
    ],
)
def test_a_wrong_method_is_405_with_the_right_ones(
    client: httpx.Client, method: str, path: str, allowed: str
) -> None:
    response = client.request(method, path)
    assert response.status_code == 405
    assert response.headers["Allow"] == allowed
    problem(response)


@pytest.mark.parametrize("path", ["/trigger_report/", "/get_report/", "/nothing", "/docs/assets/x"])
def test_an_unknown_path_is_404(client: httpx.Client, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 404
    assert problem(response)["type"] == "about:blank"


BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize(
    ("path", "status", "title"),
    [("/nowhere", 404, "Not Found"), ("/reports/x.csv", 404, "Unknown report")],
)
def test_a_browser_gets_a_problem_as_a_page(
    client: httpx.Client, path: str, status: int, title: str
) -> None:
    page = client.get(path, headers={"Accept": BROWSER})
    assert page.status_code == status
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "Accept" in page.headers["Vary"]
    assert page.headers["Cache-Control"] == "no-store"
    assert f"<h1>{title}</h1>" in page.text
    assert '<a href="/">' in page.text


@pytest.mark.parametrize(
    "accept", [None, "*/*", "application/json", "application/json, text/html", "text/csv"]
)
def test_programs_get_a_problem_as_json(client: httpx.Client, accept: str | None) -> None:
    headers = {} if accept is None else {"Accept": accept}
    assert problem(client.get("/nowhere", headers=headers))["status"] == 404


@pytest.mark.parametrize("path", ["/trigger_report", "/api/trigger_report"])
def test_a_bad_body_is_422_with_the_field(client: httpx.Client, path: str) -> None:
    response = client.post(path, json={"as_of": "soon", "policy": "best", "x": 1})
    assert response.status_code == 422
    errors = problem(response)["errors"]
    assert isinstance(errors, list)
    assert [error["field"] for error in errors] == ["as_of", "policy", "x"]


def test_an_as_of_in_the_future_is_422(client: httpx.Client) -> None:
    response = client.post("/trigger_report", json={"as_of": "9999-12-31T23:59:59Z"})
    assert response.status_code == 422
    assert problem(response)["errors"] == [
        {"field": "as_of", "message": "Pick a time that is not in the future."}
    ]


@pytest.mark.parametrize("size", [16_385, 10_000_000])
def test_a_large_body_is_413_by_its_announced_length(client: httpx.Client, size: int) -> None:
    with contextlib.suppress(httpx.WriteError):
        response = client.post("/trigger_report", content=b" " * size)
        assert response.status_code == 413
        problem(response)


def test_a_large_body_is_413_when_it_comes_in_chunks(client: httpx.Client) -> None:
    response = client.post("/trigger_report", content=iter([b" " * 9_000] * 2))
    assert response.status_code == 413
    problem(response)


def test_a_slow_body_is_408(client: httpx.Client) -> None:
    host, port = client.base_url.host, client.base_url.port or 0
    with socket.create_connection((host, port), timeout=60.0) as connection:
        connection.sendall(
            b"POST /trigger_report HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\n\r\n{"
        )
        assert connection.recv(100_000).startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize("path", ["/healthz", "/nowhere", "/openapi.json", "/metrics"])
def test_answers_carry_the_security_headers(client: httpx.Client, path: str) -> None:
    headers = client.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_the_documentation_page_asks_no_other_host(client: httpx.Client) -> None:
    page = client.get("/docs")
    assert page.status_code == 200
    assert "https://" not in page.text
    for address in ("swagger-ui-bundle.js", "swagger-ui.css", "favicon.png"):
        assert f"/docs/assets/{address}" in page.text
        assert client.get(f"/docs/assets/{address}").status_code == 200


def test_every_operation_declares_its_problems_with_examples(client: httpx.Client) -> None:
    description = client.get("/openapi.json").json()
    assert "Problem" in description["components"]["schemas"]
    declared = {
        (path, method): sorted(operation["responses"])
        for path, operations in description["paths"].items()
        for method, operation in operations.items()
    }
    expected = {
        ("/trigger_report", "post"): ["200", "408", "413", "422", "503"],
        ("/get_report", "get"): ["200", "304", "404", "410", "422", "503"],
        ("/get_report/{report_id}", "get"): ["200", "404", "410", "422", "503"],
        ("/reports/{report_id}.csv", "get"): ["200", "304", "404", "409", "410", "422", "503"],
        ("/api/trigger_report", "post"): ["200", "408", "413", "422", "503"],
        ("/api/get_report", "get"): ["200", "304", "404", "410", "422", "503"],
        ("/healthz", "get"): ["200"],
        ("/readyz", "get"): ["200", "503"],
        ("/metrics", "get"): ["200"],
    }
    refusals = ["401", "403", "429"]
    for operation, statuses in expected.items():
        needs_key = operation[1] == "post" or "report" in operation[0] or "met" in operation[0]
        wanted = sorted([*statuses, *refusals] if needs_key else statuses)
        assert declared[operation] == wanted
    for operations in description["paths"].values():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                if status >= "400":
                    content = response["content"]["application/problem+json"]
                    for example in content["examples"].values():
                        assert example["value"]["status"] == int(status)
    assert "HTTPValidationError" not in json.dumps(description)


def test_a_programming_error_is_a_500_without_details() -> None:
    app = create_app(ApiSettings(database_url=SecretStr(NO_DATABASE)), known_keys=())

    def fail() -> None:
        raise RuntimeError("secret-word")

    def misuse_the_database() -> None:
        raise sa.exc.DataError("SELECT secret-word", {}, ValueError("secret-word"))

    app.add_api_route("/fail", fail)
    app.add_api_route("/misuse", misuse_the_database)

    async def answers() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return [await client.get("/fail"), await client.get("/misuse")]

    for response in asyncio.run(answers()):
        assert response.status_code == 500
        problem(response)
        assert "secret-word" not in response.text


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STOREMON_DATABASE_URL", raising=False)
    with pytest.raises(ValidationError, match="database_url"):
        create_app()
    monkeypatch.setenv("STOREMON_DATABASE_URL", NO_DATABASE)
    monkeypatch.setenv("STOREMON_DAGSTER_URL", "http://127.0.0.1:3100")
    settings = ApiSettings()
    assert settings.dagster_url == "http://127.0.0.1:3100"
    assert "secret-word" not in repr(settings)
