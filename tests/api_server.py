"""Serves the API on a real socket, and inserts rows for it to serve."""

import asyncio
import hashlib
import socket
import threading
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from typing import Any

import httpx
import sqlalchemy as sa
import uvicorn
from pydantic import SecretStr
from starlette.routing import BaseRoute
from uvicorn.protocols.http.h11_impl import H11Protocol

from storemon_api.app import create_app
from storemon_api.security.client_timeouts import ClientTimeoutProtocol
from storemon_api.settings import ApiSettings
from storemon_pipeline.access.keys import ApiKey
from storemon_pipeline.database.tables import report_csv, report_results, reports
from storemon_pipeline.domain.windows import Policy
from storemon_pipeline.reports.requests import request_report
from waiting import eventually

# Nothing listens here: the port is reserved and never given out.
NOWHERE = "http://127.0.0.1:1"
NO_DATABASE = "postgresql://nobody:secret-word@127.0.0.1:1/nothing"
# Nothing here is encrypted, but each client would read the trusted certificates in 60 ms.
_TLS = httpx.create_ssl_context()
AS_OF = datetime(2023, 1, 25, 18, 13, 22, 479220, tzinfo=UTC)


class _Server(uvicorn.Server):
    """Ends at once: uvicorn looks every 0.1 s whether it should, and then waits as long again."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._is_ended = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await self._is_ended.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        try:
            async with asyncio.timeout(0.1):
                # uvicorn has no event for it.
                while self.server_state.connections or self.server_state.tasks:  # noqa: ASYNC110
                    await asyncio.sleep(0.002)
        except TimeoutError:
            await super().shutdown(sockets)
        else:
            await self.lifespan.shutdown()

    def end(self) -> None:
        """Have it end; another thread calls this."""
        self._loop.call_soon_threadsafe(self._is_ended.set)


@contextmanager
def serve(
    database_url: str,
    dagster_url: str = NOWHERE,
    *,
    known_keys: Iterable[ApiKey] | None = None,
    protocol: type[H11Protocol] = ClientTimeoutProtocol,
    port: int = 0,
    **settings: Any,  # noqa: ANN401 - one type per setting
) -> Iterator[httpx.Client]:
    """Yield a client of a running API, with these settings beside the URLs."""
    app = create_app(
        ApiSettings(
            database_url=SecretStr(database_url),
            dagster_url=dagster_url,
            **settings,
        ),
        known_keys=known_keys,
    )
    app.router.routes = _routes()
    config = uvicorn.Config(
        # Open streams of events end with the server.
        app,
        port=port,
        log_level="critical",
        http=protocol,
        timeout_graceful_shutdown=1,
    )
    server = _Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    eventually(lambda: server.started)
    host, port = server.servers[0].sockets[0].getsockname()
    try:
        with httpx.Client(base_url=f"http://{host}:{port}", timeout=60.0, verify=_TLS) as client:
            yield client
    finally:
        server.end()
        thread.join(60.0)


@cache
def _routes() -> list[BaseRoute]:
    """Return the routes of the first app, for all apps: they hold no state of their app.

    At the first request FastAPI derives models from them, which takes a fifth of a second.
    """
    return create_app(ApiSettings(database_url=SecretStr(NO_DATABASE))).router.routes


def waiting_report(engine: sa.Engine) -> str:
    """Return the id of a new report that waits."""
    report_id = str(uuid.uuid4())
    with engine.begin() as connection:
        request_report(connection, report_id=report_id, as_of=None, policy=Policy.NEAREST)
    return report_id


def complete_report(engine: sa.Engine, csv: bytes, *, chunk_bytes: int = 1000) -> str:
    """Return the id of a new report that is complete with these bytes, three rows, one silent."""
    report_id = waiting_report(engine)
    chunks = [csv[start : start + chunk_bytes] for start in range(0, len(csv), chunk_bytes)]
    with engine.begin() as connection:
        result_id = connection.execute(
            sa.insert(report_results)
            .values(
                as_of=AS_OF,
                policy=Policy.NEAREST.value,
                stores=3,
                silent_stores=1,
                run_id="run",
                csv_bytes=len(csv),
                csv_chunks=len(chunks),
                csv_sha256=hashlib.sha256(csv).hexdigest(),
            )
            .returning(report_results.c.result_id)
        ).scalar_one()
        connection.execute(
            sa.insert(report_csv),
            [
                {"result_id": result_id, "chunk": number, "content": content}
                for number, content in enumerate(chunks)
            ],
        )
        connection.execute(
            sa.update(reports)
            .where(reports.c.report_id == report_id)
            .values(state="complete", result_id=result_id, completed_at=sa.func.now())
        )
    return report_id


def failed_report(engine: sa.Engine, error: str) -> str:
    """Return the id of a new report that has failed for this reason."""
    report_id = waiting_report(engine)
    with engine.begin() as connection:
        connection.execute(
            sa.update(reports)
            .where(reports.c.report_id == report_id)
            .values(state="failed", error=error, completed_at=sa.func.now())
        )
    return report_id


def expired_report(engine: sa.Engine) -> str:
    """Return the id of a new report whose retention has passed."""
    report_id = waiting_report(engine)
    with engine.begin() as connection:
        connection.execute(
            sa.update(reports).where(reports.c.report_id == report_id).values(state="expired")
        )
    return report_id
