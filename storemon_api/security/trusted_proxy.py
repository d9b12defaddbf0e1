"""The user that a proxy names in a header, once it has authenticated them. Off by default."""

import ipaddress
from dataclasses import dataclass
from typing import Final, Self

from starlette.datastructures import Headers
from starlette.types import Scope

PEER: Final = "storemon_peer"
"""In the state of a request: the address of the other end of its connection.

The server puts the address that a proxy forwards in the place of the client's own.
"""


Networks = tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]


@dataclass(frozen=True, slots=True)
class TrustedProxy:
    """The header, and the addresses of the proxies that may send it."""

    header: str
    networks: Networks

    @classmethod
    def of(cls, header: str | None, networks: Networks) -> Self | None:
        """Return the proxy of these settings; None without a header."""
        return None if header is None else cls(header, networks)

    def email_of(self, scope: Scope, headers: Headers) -> str | None:
        """Return the email address in the header of a request that a trusted proxy has sent."""
        sent = headers.getlist(self.header)
        if len(sent) != 1 or not sent[0].strip() or not self._is_trusted(scope):
            return None
        return sent[0].strip().lower()

    def _is_trusted(self, scope: Scope) -> bool:
        try:
            peer = ipaddress.ip_address(scope.get("state", {}).get(PEER, ""))
        except ValueError:
            return False
        address = getattr(peer, "ipv4_mapped", None) or peer
        return any(address in network for network in self.networks)
