"""Closures from a calendar at an address: fetched at each load, and kept when that fails."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from threading import Event, Thread

import pytest

from stored import fetch as fetch_rows
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.files.web.web_file import Limits, WebFile, WebFileError, fetch
from storemon_pipeline.ingestion.ingest_files import ingest_source
from storemon_pipeline.ingestion.source_load import SourceLoad

NOW = datetime(2026, 11, 1, 9, tzinfo=UTC)
CHRISTMAS = "DTSTART;VALUE=DATE:20261225\nSUMMARY:Christmas"
MOVED = "/moved.ics"
NEW_YEAR = "DTSTART;VALUE=DATE:20270101\nSUMMARY:New Year"


def calendar(*events: str) -> bytes:
    framed = [
        f"BEGIN:VEVENT\nUID:{number}\n{event}\nEND:VEVENT\n" for number, event in enumerate(events)
    ]
    return ("BEGIN:VCALENDAR\nVERSION:2.0\n" + "".join(framed) + "END:VCALENDAR\n").encode()


@dataclass(slots=True)
class Server:
    """A web server, with what it answers and the statuses that it has answered."""

    url: str = ""
    status: int = 200
    body: bytes = b""
    etag: str = ""
    location: str = ""
    is_silent: bool = False
    answered: list[int] = field(default_factory=list)
    may_end: Event = field(default_factory=Event)


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if state.is_silent:
                state.may_end.wait(60)
                return
            status = 200 if self.path == MOVED else state.status
            if state.etag and self.headers.get("If-None-Match") == state.etag:
                status = 304
            state.answered.append(status)
            self.send_response(status)
            body = state.body if status == 200 else b""
            headers = {"ETag": state.etag, "Location": state.location}
            for name, value in headers.items():
                if value:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state.url = f"http://127.0.0.1:{server.server_port}/private-1234/basic.ics"
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield state
        finally:
            state.may_end.set()
            server.shutdown()
            thread.join()


def load(url: str, folder: Path, server: Server) -> SourceLoad:
    (folder / "sources.toml").write_text(f'[closures]\ncalendar_url = "{server.url}"\n')
    return ingest_source(url, folder, Source.CLOSURES, now=NOW, run_id=None)


def closures(url: str) -> list[str]:
    rows = fetch_rows(url, "SELECT reason FROM closures WHERE cancelled_by_load_id IS NULL")
    return sorted(row["reason"] for row in rows)


def test_a_calendar_is_fetched_again_only_when_it_has_changed(
    database_url: str, tmp_path: Path, server: Server
) -> None:
    server.body, server.etag = calendar(CHRISTMAS), '"1"'
    assert load(database_url, tmp_path, server).row_counts.loaded == 1
    assert load(database_url, tmp_path, server).loads == ()
    assert server.answered == [200, 304]
    server.body, server.etag = calendar(CHRISTMAS, NEW_YEAR), '"2"'
    load(database_url, tmp_path, server)
    assert closures(database_url) == ["Christmas", "New Year"]
    server.body, server.etag = calendar(NEW_YEAR), '"3"'
    load(database_url, tmp_path, server)
    assert closures(database_url) == ["New Year"]


def test_a_calendar_that_is_unchanged_keeps_its_closures_beside_a_file_that_changes(
    database_url: str, tmp_path: Path, server: Server
) -> None:
    server.body, server.etag = calendar(CHRISTMAS), '"1"'
    load(database_url, tmp_path, server)
    (tmp_path / "closures.csv").write_text(
        "store_id,start_local,end_local,reason\n1,2026-12-01 00:00,2026-12-02 00:00,Oven\n"
    )
    load(database_url, tmp_path, server)
    assert closures(database_url) == ["Christmas", "Oven"]
    assert server.answered == [200, 304, 200]


def test_a_calendar_without_an_etag_that_is_the_same_loads_nothing(
    database_url: str, tmp_path: Path, server: Server
) -> None:
    server.body = calendar(CHRISTMAS)
    load(database_url, tmp_path, server)
    assert load(database_url, tmp_path, server).loads == ()
    assert server.answered == [200, 200]


@pytest.mark.parametrize(
    ("status", "body", "location", "reason"),
    [
        (500, b"", "", "its server answered 500"),
        (404, b"", "", "its server answered 404"),
        (200, b"<html>sign in</html>", "", "it does not begin with the line BEGIN:VCALENDAR"),
        (302, b"", "file:///etc/hosts", "its address leads to file: not http or https"),
        (302, b"", "ftp://127.0.0.1/a.ics", "its address leads to ftp: not http or https"),
        (302, b"", "/again.ics", "its server redirects more than 5 times"),
        (302, b"", "http://127.0.0.1:1/a.ics", "it cannot be fetched (ConnectError)"),
    ],
)
def test_a_calendar_that_cannot_be_read_keeps_the_closures(
    database_url: str,
    tmp_path: Path,
    server: Server,
    status: int,
    body: bytes,
    location: str,
    reason: str,
) -> None:
    server.body = calendar(CHRISTMAS)
    load(database_url, tmp_path, server)
    server.status, server.body, server.location = status, body, location
    (refused,) = load(database_url, tmp_path, server).refused
    assert (refused.file_path, refused.reason) == ("closures.url.1.ics", reason)
    assert closures(database_url) == ["Christmas"]
    unread = fetch_rows(database_url, "SELECT file_path, reason FROM unread_files")
    assert unread == [{"file_path": "closures.url.1.ics", "reason": reason}]


def test_a_redirect_to_another_address_is_followed(server: Server) -> None:
    server.status, server.location, server.body = 301, MOVED, calendar(CHRISTMAS)
    copy = BytesIO()
    assert fetch(WebFile("a.ics", server.url), copy) == ""
    assert copy.getvalue() == server.body
    assert server.answered == [301, 200]


def test_a_server_that_does_not_answer_is_given_up(server: Server) -> None:
    server.is_silent = True
    with pytest.raises(WebFileError, match=r"did not answer within 0\.1 seconds"):
        fetch(WebFile("a.ics", server.url), BytesIO(), limits=Limits(answer_seconds=0.1))


def test_a_file_that_is_too_large_is_not_read_to_its_end(server: Server) -> None:
    server.body = b"x" * 2_000_000
    copy = BytesIO()
    with pytest.raises(WebFileError, match="more than 1,000 bytes"):
        fetch(WebFile("a.ics", server.url), copy, limits=Limits(most_bytes=1_000))
    assert len(copy.getvalue()) <= 1_000
