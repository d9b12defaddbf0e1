"""Store ids in paths. Any text can be an id: with slashes, line breaks, or `..` as a whole.

The canonical address has the id percent-encoded in one segment: `/stores/a%2Fuptime` is the store
`a/uptime`, `/stores/a/uptime` the uptime of the store `a`. Clients cannot send the ids `.` and
`..` in a path, so `-` with `?store_id=` in the query takes any id: `/stores/-/uptime?store_id=..`.
"""

from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlencode

from starlette.convertors import Convertor, register_url_convertor
from starlette.types import ASGIApp, Receive, Scope, Send

STORE_ID: Final = "{store_id:text}"
STORE_VIEWS: Final = frozenset(
    {
        *("uptime", "incidents", "budget", "timeline", "explain"),
        *(
            "hours",
            "special-hours",
            "timezone",
            "preview",
            "changes",
            "closures.ics",
            "dispute-pack",
        ),
    }
)
"""What follows a store's id in a path."""

SENT_TARGET: Final = "storemon.sent_target"
"""Key of the path and query in the scope as the client sent them."""

_PREFIXES: Final = ("stores", "store")
_FROM_QUERY: Final = "-"
_PARAMETER: Final = "store_id"


class _EncodedText(Convertor[str]):
    """One percent-encoded segment."""

    regex = "[^/]*"

    def convert(self, value: str) -> str:
        return unquote(value)

    def to_string(self, value: str) -> str:
        return quote(value, safe="")


register_url_convertor("text", _EncodedText())


class StorePaths:
    """ASGI middleware that puts store ids into the scope's path percent-encoded.

    Servers decode the path, so that `%2F` could not be told from a slash. This must come before
    everything that reads the path: access control and routing have to see the same store.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle the request."""
        if scope["type"] == "http":
            _encode_id(scope)
        await self._app(scope, receive, send)


def route_path(scope: Scope) -> str:
    """Return the path that routes are matched with: without the server's root path."""
    return str(scope["path"]).removeprefix(str(scope.get("root_path", "")).rstrip("/"))


def _encode_id(scope: Scope) -> None:
    root = str(scope.get("root_path", "")).rstrip("/")
    raw = (scope.get("raw_path") or quote(scope["path"]).encode()).decode("latin-1")
    raw = raw.partition("?")[0]
    prefix, *segments = raw.removeprefix(quote(root)).removeprefix("/").split("/")
    prefix = unquote(prefix)
    if prefix not in _PREFIXES or not segments:
        return
    # More segments than an id and a view: an address from before ids had to be encoded.
    has_view = prefix == "stores" and len(segments) > 1 and unquote(segments[-1]) in STORE_VIEWS
    view = f"/{unquote(segments.pop())}" if has_view else ""
    store_id = unquote("/".join(segments))
    sent = scope.get("query_string", b"")
    query = sent
    if segments == [_FROM_QUERY]:
        parameters = parse_qsl(sent.decode("latin-1"), keep_blank_values=True)
        named = [value for name, value in parameters if name == _PARAMETER]
        if named:
            store_id = named[0]
            rest = [pair for pair in parameters if pair[0] != _PARAMETER]
            query = urlencode(rest).encode()
    scope["path"] = f"{root}/{prefix}/{quote(store_id, safe='')}{view}"
    scope["query_string"] = query
    scope[SENT_TARGET] = f"{raw}?{sent.decode('latin-1')}"
