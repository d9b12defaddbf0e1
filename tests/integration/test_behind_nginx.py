"""A proxy on this machine does not make other machines local while no key exists."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from api_server import serve
from service import free_port
from storemon_api.security.local_clients import is_held_by_service
from waiting import eventually

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"

pytestmark = pytest.mark.skipif(
    not Path(NGINX).exists() or os.geteuid() != 0, reason="needs nginx, and root to start it"
)


@contextmanager
def nginx(folder: Path, target: int, settings: str) -> Iterator[str]:
    """Run nginx before the port `target`, as Debian starts it; give its address."""
    folder.chmod(0o755)
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(
        f"""
        user www-data;
        daemon off;
        pid {folder}/pid;
        error_log {folder}/error.log;
        events {{}}
        http {{
            access_log off;
            client_body_temp_path {folder}/body;
            proxy_temp_path {folder}/proxy;
            fastcgi_temp_path {folder}/fastcgi;
            uwsgi_temp_path {folder}/uwsgi;
            scgi_temp_path {folder}/scgi;
            server {{
                listen 127.0.0.1:{port};
                location / {{ proxy_pass http://127.0.0.1:{target}; {settings} }}
            }}
        }}
        """
    )
    process = subprocess.Popen([NGINX, "-c", str(config), "-e", f"{folder}/error.log"])
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(180)


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param("", id="as installed"),
        pytest.param('proxy_http_version 1.1; proxy_set_header Connection "";', id="HTTP/1.1"),
        pytest.param("proxy_set_header X-Forwarded-For $remote_addr;", id="forwarding header"),
    ],
)
def test_a_proxy_gets_nothing_while_there_is_no_key(
    database_url: str, tmp_path: Path, settings: str
) -> None:
    with serve(database_url, "http://127.0.0.1:1") as direct:
        port = direct.base_url.port
        assert port is not None
        assert direct.get("/reports").status_code == 200
        with nginx(tmp_path, port, settings) as address:

            def is_refused() -> bool:
                try:
                    response = httpx.get(f"{address}/reports")
                except httpx.TransportError:
                    return False
                assert response.status_code == 401
                assert "came through a proxy" in response.json()["detail"]
                return True

            eventually(is_refused)


CONNECT = """
import os, socket, sys
os.setuid(int(sys.argv[1]))
with socket.socket() as client:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    client.bind(("127.0.0.1", int(sys.argv[2])))
    client.connect(("127.0.0.1", int(sys.argv[3])))
    sys.stdin.read()
"""


@contextmanager
def connection(uid: int, port: int, server: socket.socket) -> Iterator[socket.socket]:
    """Let a process of this user connect from `port`; give the server's end."""
    arguments = [str(uid), str(port), str(server.getsockname()[1])]
    process = subprocess.Popen(
        [sys.executable, "-I", "-c", CONNECT, *arguments], stdin=subprocess.PIPE
    )
    accepted, _ = server.accept()
    with accepted:
        yield accepted
        process.communicate()


@pytest.mark.parametrize(
    ("uid", "is_service"),
    [
        pytest.param(0, False, id="root"),
        pytest.param(33, True, id="web server"),
        pytest.param(1000, False, id="person"),
        pytest.param(65_534, True, id="nobody"),
    ],
)
def test_the_user_of_a_connection_is_told_from_those_of_others_on_its_port(
    uid: int, *, is_service: bool
) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as first,
        socket.create_server(("127.0.0.1", 0)) as second,
    ):
        port = free_port()
        # The client closes first, so its port keeps a socket without a user for a minute.
        with connection(1000, port, first) as earlier:
            ended = earlier.getpeername(), earlier.getsockname()
            assert not is_held_by_service(*ended)
        with connection(uid, port, second) as now:
            assert is_held_by_service(now.getpeername(), now.getsockname()) is is_service
        assert is_held_by_service(*ended)
