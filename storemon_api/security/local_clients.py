"""Telling programs of this machine's people from proxies and services that pass requests on.

While no API key exists, only people on this machine are served. A proxy here connects from this
machine too, so the address of the client alone says nothing.
"""

import ipaddress
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

_PROXY_HEADERS: Final = frozenset({"forwarded", "via", "x-real-ip", "true-client-ip"})
_PROXY_PREFIXES: Final = ("x-forwarded-", "x-original-", "cf-")

# Debian and most others give people ids from 1000 on; `nobody` has the last but one of 16 bits.
_FIRST_PERSON: Final = 1000
_NOBODY: Final = 65_534

_TABLES: Final = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_KNOWN_SECONDS: Final = 5.0
_MOST_KNOWN: Final = 4_096


def is_passed_on(headers: Iterable[str], http_version: str) -> bool:
    """Whether a proxy sent this request: it says so, or speaks HTTP/1.0, as nginx does.

    `headers` are names in lower case. Browsers and clients speak HTTP/1.1 or newer.
    """
    return http_version == "1.0" or any(
        name in _PROXY_HEADERS or name.startswith(_PROXY_PREFIXES) for name in headers
    )


class PeerUsers:
    """The system users that hold the other ends of loopback connections, from Linux's tables."""

    def __init__(self, tables: Iterable[Path] = _TABLES) -> None:
        self._tables = tuple(tables)
        self._known: dict[tuple[str, int], tuple[float, int | None]] = {}

    def is_service_account(self, client: tuple[str, int]) -> bool:
        """Whether the client runs as another service's account, as a web server's proxy does.

        Not so for root, for the user of this process, for people, and where nothing is known.
        """
        uid = self._uid(client)
        if uid is None or uid in {0, os.geteuid()}:
            return False
        return uid < _FIRST_PERSON or uid == _NOBODY

    def _uid(self, client: tuple[str, int]) -> int | None:
        now = time.monotonic()
        read_at, uid = self._known.get(client, (float("-inf"), None))
        if now - read_at > _KNOWN_SECONDS:
            uid = _find_uid(client, self._tables)
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[client] = (now, uid)
        return uid


def _find_uid(client: tuple[str, int], tables: Iterable[Path]) -> int | None:
    """Return the user of the local socket with this address, or None when none is found."""
    wanted = _table_addresses(client)
    for table in tables:
        try:
            lines = table.read_text("ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[1] in wanted:
                return int(fields[7])
    return None


def _table_addresses(client: tuple[str, int]) -> Mapping[str, None]:
    """Return the forms in which the tables may name an address: words of 32 bits, byte-swapped."""
    address = ipaddress.ip_address(client[0])
    mapped = getattr(address, "ipv4_mapped", None)
    forms = [address] if mapped is None else [mapped, address]
    if isinstance(address, ipaddress.IPv4Address):
        forms.append(ipaddress.IPv6Address(f"::ffff:{address}"))
    words = (
        b"".join(form.packed[at : at + 4][::-1] for at in range(0, len(form.packed), 4))
        for form in forms
    )
    return dict.fromkeys(f"{word.hex().upper()}:{client[1]:04X}" for word in words)
