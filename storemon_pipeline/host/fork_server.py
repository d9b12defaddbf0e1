"""A process that has imported what several processes need, and forks them when it is asked to.

Importing Dagster takes most of a start; here that is paid once for all processes. `forked_process`
holds the client's side. This process never starts a thread: a fork copies only the thread that
makes it.

Linux only: a forked process becomes a child of the client, which is a subreaper (prctl(2)).
"""

import gc
import importlib
import json
import os
import runpy
import signal
import socket
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

from setproctitle import setproctitle

from storemon_pipeline.host.child_process import die_with_parent
from storemon_pipeline.host.forked_process import GO, REQUEST_BYTES, RESPONSE_SECONDS, Request

_POLL_SECONDS = 0.001


def serve(path: Path, modules: Sequence[str]) -> Request:
    """Import the modules, then listen at `path`; return only in a forked process."""
    for module in modules:
        importlib.import_module(module)
    # Objects that are never freed are never written to, so that their pages stay shared.
    gc.collect()
    gc.freeze()
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        server.bind(str(path))
        server.listen()
        while True:
            client, _ = server.accept()
            with client:
                client.settimeout(RESPONSE_SECONDS)
                request = _respond(client)
            if request is not None:
                return request


def _respond(client: socket.socket) -> Request | None:
    """Fork a process; return its request in that process, and None in this one."""
    try:
        message, descriptors, _, _ = socket.recv_fds(client, REQUEST_BYTES, 1)
    except OSError:
        return None
    if not message:
        return None  # a probe whether this process listens
    between = os.fork()
    if between:
        for descriptor in descriptors:
            os.close(descriptor)
        os.waitpid(between, 0)
        return None
    # The process between ends at once, so that its child gets the client as its parent.
    between = os.getpid()
    if os.fork():
        os._exit(0)
    try:
        while os.getppid() == between:
            time.sleep(_POLL_SECONDS)
        return _become(Request(**json.loads(message)), client, descriptors[0])
    except BaseException:  # noqa: BLE001 - the client learns of it; the rest is the server's stack
        os._exit(1)


def _become(request: Request, client: socket.socket, log: int) -> Request:
    """Make this forked process what `start_child` would have started."""
    os.setsid()
    client.sendall(str(os.getpid()).encode())
    if client.recv(len(GO)) != GO:
        os._exit(1)  # the client waits no longer
    die_with_parent(signal.SIGKILL, request.client)()
    os.dup2(log, sys.stdout.fileno())
    os.dup2(log, sys.stderr.fileno())
    os.close(log)
    # Before the environment changes: the title's place is found from it.
    setproctitle(" ".join([sys.executable, "-m", *request.arguments]))
    os.environ.clear()
    os.environ.update(request.environment)
    return request


def main() -> None:
    """Serve; in a forked process run its module as `python -m` does."""
    request = serve(Path(sys.argv[1]), sys.argv[2:])
    sys.argv = list(request.arguments)
    # A module that is imported and run as well: nothing of it is shared between the two.
    warnings.filterwarnings("ignore", category=RuntimeWarning, module="runpy")
    runpy.run_module(request.arguments[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
