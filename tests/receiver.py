"""A local HTTP server that takes what Apprise sends to `json://` addresses, or refuses it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(slots=True)
class Receiver:
    """What was received, in order; `status` is what is answered from now on."""

    url: str = ""
    status: int = 200
    requests: int = 0
    taken: list[dict[str, Any]] = field(default_factory=list)

    @property
    def messages(self) -> list[str]:
        """Read `title | body` of every message that was taken."""
        return [f"{one['title']} | {one['message']}" for one in self.taken]

    @property
    def titles(self) -> list[str]:
        """The titles of the messages that were taken."""
        return [one["title"] for one in self.taken]


@contextmanager
def receiving(path: str = "/hook-5ecret") -> Iterator[Receiver]:
    """Yield a receiver that listens on a free port of the loopback address."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            receiver.requests += 1
            if receiver.status == 200:
                receiver.taken.append(body)
            self.send_response(receiver.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"json://127.0.0.1:{server.server_port}{path}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join(180)
        server.server_close()
