"""What each address asks of a key. The one list of it: an address that is missing is for admins.

A test holds the list against the routes of the application. Checking is `access`'s.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from storemon_api.http.store_paths import STORE_ID
from storemon_pipeline.access.keys import Scope


class Stores(StrEnum):
    """What a key that is limited to some stores may do at an address."""

    NONE = "none"
    """Nothing: what the address tells cannot be taken apart by stores."""
    FILTERED = "filtered"
    """Use it: the handler tells and takes only what concerns them (`access.visible_stores`)."""
    IN_PATH = "in path"
    """Use it when the path's `store_id` is one of the key's."""
    NOT_CONCERNED = "not concerned"
    """Use it: nothing of a store is told or changed."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What an address asks for; with `scope` None any key will do."""

    scope: Scope | None
    stores: Stores = Stores.NONE
    action: str | None = None
    """The word for it in the audit table, whose line the handler writes with what it does."""
    is_open: bool = False
    """Whether it is answered to everyone, with no key at all."""


_OPEN: Final = Rule(None, Stores.NOT_CONCERNED, is_open=True)
_READ_FILTERED: Final = Rule(Scope.READ, Stores.FILTERED)
_READ_ONE: Final = Rule(Scope.READ, Stores.IN_PATH)
_PAGE_FRAME: Final = Rule(Scope.READ, Stores.NOT_CONCERNED)
# The report is made of all stores, whoever asks; what of it is told is filtered.
_TRIGGER: Final = Rule(Scope.TRIGGER, Stores.FILTERED, "report.trigger")

UNLISTED: Final = Rule(Scope.ADMIN)
NO_ROUTE: Final = Rule(None, Stores.NOT_CONCERNED)
"""Of what will be answered with 404 or 405."""

RULES: Final[dict[tuple[str, str], Rule]] = {
    ("POST", "/trigger_report"): _TRIGGER,
    ("POST", "/api/trigger_report"): _TRIGGER,
    ("GET", "/get_report"): _READ_FILTERED,
    ("GET", "/get_report/{report_id}"): _READ_FILTERED,
    ("GET", "/reports/{report_id}.csv"): _READ_FILTERED,
    ("GET", "/api/get_report"): _READ_FILTERED,
    ("GET", "/reports/{report_id}/diff"): _READ_FILTERED,
    ("POST", "/polls"): Rule(Scope.INGEST, Stores.FILTERED, "polls.push"),
    ("PUT", f"/stores/{STORE_ID}/hours"): Rule(Scope.INGEST, Stores.IN_PATH, "hours.put"),
    ("PUT", f"/stores/{STORE_ID}/timezone"): Rule(Scope.INGEST, Stores.IN_PATH, "timezone.put"),
    ("GET", f"/stores/{STORE_ID}"): _READ_ONE,
    ("GET", f"/stores/{STORE_ID}/uptime"): _READ_ONE,
    ("GET", f"/stores/{STORE_ID}/incidents"): _READ_ONE,
    ("GET", f"/stores/{STORE_ID}/timeline"): _READ_ONE,
    ("GET", f"/stores/{STORE_ID}/explain"): _READ_ONE,
    ("GET", "/stores"): _READ_FILTERED,
    ("GET", "/incidents"): _READ_FILTERED,
    ("GET", "/fleet/now"): _READ_FILTERED,
    ("GET", "/fleet/uptime"): _READ_FILTERED,
    ("GET", "/events"): _READ_FILTERED,
    ("GET", "/data-health"): _READ_FILTERED,
    ("GET", "/alerts"): _READ_FILTERED,
    ("GET", "/reports"): _READ_FILTERED,
    ("GET", "/reports/{report_id}"): _READ_FILTERED,
    ("GET", "/reports/{report_id}.{extension}"): _READ_FILTERED,
    ("GET", "/reports/{report_id}/totals"): _READ_FILTERED,
    # Frames without data. A browser that is asked for the key here sends it along with the rest.
    ("GET", "/"): _PAGE_FRAME,
    ("GET", f"/store/{STORE_ID}"): _PAGE_FRAME,
    ("GET", "/pages/reports"): _PAGE_FRAME,
    ("GET", "/pages/data"): _PAGE_FRAME,
    ("GET", "/pages/alerts"): _PAGE_FRAME,
    ("GET", "/manual"): _PAGE_FRAME,
    ("GET", "/manual/{page}"): _PAGE_FRAME,
    ("GET", "/static"): _OPEN,
    ("POST", "/closures"): Rule(Scope.INGEST, Stores.FILTERED, "closure.add"),
    ("GET", "/closures"): _READ_FILTERED,
    ("DELETE", "/closures/{closure_id}"): Rule(Scope.INGEST, Stores.FILTERED, "closure.cancel"),
    # A load balancer and the supervisor ask them; they tell no name, number or address.
    ("GET", "/healthz"): _OPEN,
    ("GET", "/readyz"): _OPEN,
    # Counters of the process: requests, queues, all stores' data. They are not kept by store.
    ("GET", "/metrics"): Rule(Scope.READ),
    # What the interface looks like is no secret, and says how a key is sent.
    ("GET", "/docs"): _OPEN,
    ("GET", "/docs/assets"): _OPEN,
    ("GET", "/openapi.json"): _OPEN,
}


def rule_of(method: str, path: str, rules: Mapping[tuple[str, str], Rule] = RULES) -> Rule:
    """Return the rule of a route by its path template; HEAD is asked as GET."""
    return rules.get(("GET" if method == "HEAD" else method, path), UNLISTED)
