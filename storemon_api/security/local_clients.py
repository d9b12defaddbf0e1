"""Telling the programs of people on this machine from proxies that pass requests on.

While no API key exists, only people on this machine are served. A proxy here connects from this
machine too, so the address of the client alone says nothing.
"""

import os
import socket
import struct
from collections.abc import Iterable
from typing import Final

_PROXY_HEADERS: Final = frozenset({"forwarded", "via", "x-real-ip", "true-client-ip"})
_PROXY_PREFIXES: Final = ("x-forwarded-", "x-original-", "cf-")

# Debian and most others give people ids from 1000 on; `nobody` has the last but one of 16 bits.
_FIRST_PERSON: Final = 1000
_NOBODY: Final = 65_534

# Linux tells the owner of a socket over netlink: man 7 sock_diag, linux/inet_diag.h.
_NETLINK: Final = 16
_SOCK_DIAG: Final = 4
_SOCK_DIAG_BY_FAMILY: Final = 20
_REQUEST: Final = 1
_ALL_STATES: Final = 0xFFFF_FFFF
_TIMEOUT_SECONDS: Final = 1.0
_NO_COOKIE: Final = struct.pack("=II", 0xFFFF_FFFF, 0xFFFF_FFFF)
_HEADER: Final = struct.Struct("=IHHII")
_OWNER_AT: Final = 16 + 4 + 48 + 12
"""Where user and inode begin: after the headers of netlink and message, ends, and queues."""


def is_passed_on(headers: Iterable[str], http_version: str) -> bool:
    """Whether a proxy sent this request: it says so, or speaks HTTP/1.0, as nginx does.

    `headers` are names in lower case. Browsers and clients speak HTTP/1.1 or newer.
    """
    return http_version == "1.0" or any(
        name in _PROXY_HEADERS or name.startswith(_PROXY_PREFIXES) for name in headers
    )


def is_held_by_service(client: tuple[str, int], server: tuple[str, int]) -> bool:
    """Whether another service's account holds the client's end of a loopback connection.

    The proxy of a web server does. Root, the user of this process and people do not. A connection
    that its client has already closed counts as a service's, since its user is no longer known.
    False where the system does not tell the owners of sockets.
    """
    try:
        uid = _find_uid(client, server)
    except OSError:
        return False
    if uid in {0, os.geteuid()}:
        return False
    return uid is None or uid < _FIRST_PERSON or uid == _NOBODY


def _find_uid(client: tuple[str, int], server: tuple[str, int]) -> int | None:
    """Return the user of the socket from `client` to `server`; None when there is none open.

    Raises OSError where netlink does not work. The question names both ends, because one port of
    a client can have connections to several servers.
    """
    family = socket.AF_INET6 if ":" in client[0] else socket.AF_INET
    ends = [socket.inet_pton(family, host).ljust(16, b"\0") for host in (client[0], server[0])]
    question = b"".join(
        (
            struct.pack("=BBBBI", family, socket.IPPROTO_TCP, 0, 0, _ALL_STATES),
            struct.pack("!HH", client[1], server[1]),
            *ends,
            struct.pack("=I", 0),
            _NO_COOKIE,
        )
    )
    size = _HEADER.size + len(question)
    header = _HEADER.pack(size, _SOCK_DIAG_BY_FAMILY, _REQUEST, 0, 0)
    with socket.socket(_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as netlink:
        netlink.settimeout(_TIMEOUT_SECONDS)
        netlink.send(header + question)
        reply = netlink.recv(4096)
    if _HEADER.unpack_from(reply)[1] != _SOCK_DIAG_BY_FAMILY:
        return None
    uid, inode = struct.unpack_from("=II", reply, _OWNER_AT)
    return None if inode == 0 else uid
