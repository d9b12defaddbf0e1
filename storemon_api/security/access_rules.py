"""The access rule of each address. An address without a rule is for admins only.

A test compares the list with the application's routes. AccessControl enforces it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from storemon_api.http.store_paths import STORE_ID
from storemon_pipeline.access.keys import Scope


class Stores(StrEnum):
    """How an address treats a key or an account that is limited to some stores."""

    NONE = "none"
    """Refused: the content cannot be divided by store."""
    FILTERED = "filtered"
    """Allowed: the handler filters by `visible_stores`."""
    IN_PATH = "in path"
    """Allowed when the `store_id` in the path is one of the sender's stores."""
    NOT_CONCERNED = "not concerned"
    """Allowed: the address neither reads nor changes data of stores."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What an address requires; with `scope` None, any key or account."""

    scope: Scope | None
    stores: Stores = Stores.NONE
    action: str | None = None
    """The action in the audit log; the handler writes the event with its change."""
    is_open: bool = False
    """Whether the address needs neither key nor account."""


_OPEN: Final = Rule(None, Stores.NOT_CONCERNED, is_open=True)
_SIGN_IN: Final = Rule(None, Stores.NOT_CONCERNED, "session.start", is_open=True)
_WEBHOOK: Final = Rule(None, Stores.NOT_CONCERNED, "webhook.push", is_open=True)
_READ_FILTERED: Final = Rule(Scope.READ, Stores.FILTERED)
_READ_ONE: Final = Rule(Scope.READ, Stores.IN_PATH)
_PAGE_FRAME: Final = Rule(Scope.READ, Stores.NOT_CONCERNED)
# A report covers all stores, whoever requests it; responses are filtered.
_TRIGGER: Final = Rule(Scope.TRIGGER, Stores.FILTERED, "report.trigger")

UNLISTED: Final = Rule(Scope.ADMIN)
NO_ROUTE: Final = Rule(None, Stores.NOT_CONCERNED)
"""The rule of requests that will be 404 or 405."""

RULES: Final[dict[tuple[str, str], Rule]] = {
    ("POST", "/trigger_report"): _TRIGGER,
    ("POST", "/api/trigger_report"): _TRIGGER,
    ("GET", "/get_report"): _READ_FILTERED,
    ("GET", "/get_report/{report_id}"): _READ_FILTERED,
    ("GET", "/reports/{report_id}.csv"): _READ_FILTERED,
    ("GET", "/api/get_report"): _READ_FILTERED,
    ("GET", "/reports/{report_id}/diff"): _READ_FILTERED,
    ("POST", "/polls"): Rule(Scope.INGEST, Stores.FILTERED, "polls.push"),
    ("PUT", f"/stores/{STORE_ID}/hours"): Rule(Scope.EDIT, Stores.IN_PATH, "hours.put"),
    ("GET", f"/stores/{STORE_ID}/hours"): _READ_ONE,
    ("DELETE", f"/stores/{STORE_ID}/hours"): Rule(Scope.EDIT, Stores.IN_PATH, "hours.undo"),
    ("PUT", f"/stores/{STORE_ID}/special-hours"): Rule(
        Scope.EDIT, Stores.IN_PATH, "special-hours.put"
    ),
    ("GET", f"/stores/{STORE_ID}/special-hours"): _READ_ONE,
    ("DELETE", f"/stores/{STORE_ID}/special-hours"): Rule(
        Scope.EDIT, Stores.IN_PATH, "special-hours.cancel"
    ),
    # Nothing is changed, so nothing is audited; but the names of keys are for those who may change.
    ("POST", f"/stores/{STORE_ID}/preview"): Rule(Scope.EDIT, Stores.IN_PATH),
    ("GET", f"/stores/{STORE_ID}/changes"): Rule(Scope.EDIT, Stores.IN_PATH),
    ("PUT", f"/stores/{STORE_ID}/timezone"): Rule(Scope.EDIT, Stores.IN_PATH, "timezone.put"),
    ("GET", f"/stores/{STORE_ID}"): _READ_ONE,
    ("GET", f"/stores/{STORE_ID}/uptime"): _READ_ONE,
    ("GET", f"/stores/{STORE_ID}/incidents"): _READ_ONE,
    ("GET", f"/stores/{STORE_ID}/budget"): _READ_ONE,
    ("GET", f"/stores/{STORE_ID}/timeline"): _READ_ONE,
    ("GET", f"/stores/{STORE_ID}/explain"): _READ_ONE,
    ("GET", "/stores"): _READ_FILTERED,
    ("GET", "/incidents"): _READ_FILTERED,
    ("GET", "/fleet/now"): _READ_FILTERED,
    ("GET", "/fleet/uptime"): _READ_FILTERED,
    ("GET", "/fleet/budgets"): _READ_FILTERED,
    ("GET", "/fleet/comparison"): _READ_FILTERED,
    ("GET", "/fleet/store-days"): _READ_FILTERED,
    ("GET", "/fleet/reasons"): _READ_FILTERED,
    ("GET", "/poll-plan"): _READ_FILTERED,
    ("GET", "/events"): _READ_FILTERED,
    ("GET", "/data-health"): _READ_FILTERED,
    ("GET", "/rejected-rows"): _READ_FILTERED,
    ("GET", "/alerts"): _READ_FILTERED,
    ("POST", "/alerts/{alert_id}/actions"): Rule(Scope.EDIT, Stores.FILTERED, "alert.act"),
    ("GET", "/reports"): _READ_FILTERED,
    ("GET", "/reports/{report_id}"): _READ_FILTERED,
    ("GET", "/reports/{report_id}.{extension}"): _READ_FILTERED,
    ("GET", "/reports/{report_id}/totals"): _READ_FILTERED,
    ("GET", "/statement"): _READ_FILTERED,
    ("GET", "/statement.{extension}"): _READ_FILTERED,
    ("GET", "/pages/statement"): _READ_FILTERED,
    ("GET", "/statement/dispute-pack"): _READ_FILTERED,
    ("GET", f"/stores/{STORE_ID}/dispute-pack"): _READ_ONE,
    # Whoever gets a pack must be able to check who signed it.
    ("GET", "/public-key"): _OPEN,
    ("POST", "/statements"): Rule(Scope.INGEST, Stores.FILTERED, "statement.send"),
    ("GET", "/statements"): _READ_FILTERED,
    ("GET", "/statements/{statement_id}"): _READ_FILTERED,
    ("GET", "/statements/{statement_id}.{extension}"): _READ_FILTERED,
    ("GET", "/statements/{statement_id}/changes"): _READ_FILTERED,
    ("POST", "/statements/{statement_id}/revisions"): Rule(
        Scope.INGEST, Stores.FILTERED, "statement.revise"
    ),
    ("POST", "/statement-schedules"): Rule(Scope.INGEST, Stores.FILTERED, "statement-schedule.add"),
    ("GET", "/statement-schedules"): _READ_FILTERED,
    ("DELETE", "/statement-schedules/{schedule_id}"): Rule(
        Scope.INGEST, Stores.FILTERED, "statement-schedule.cancel"
    ),
    ("GET", "/statement-deliveries"): _READ_FILTERED,
    ("GET", "/pages/statements"): _READ_FILTERED,
    ("GET", "/pages/statements/{statement_id}"): _READ_FILTERED,
    # Pages without data. A browser that asks its user for a key here sends it with later requests.
    ("GET", "/"): _PAGE_FRAME,
    ("GET", f"/store/{STORE_ID}"): _PAGE_FRAME,
    ("GET", "/pages/reports"): _PAGE_FRAME,
    ("GET", "/pages/data"): _PAGE_FRAME,
    ("GET", "/pages/alerts"): _PAGE_FRAME,
    ("GET", "/pages/objectives"): _PAGE_FRAME,
    ("GET", "/pages/compare"): _PAGE_FRAME,
    ("GET", "/manual"): _PAGE_FRAME,
    ("GET", "/manual/{page}"): _PAGE_FRAME,
    ("GET", "/static"): _OPEN,
    ("POST", "/closures"): Rule(Scope.EDIT, Stores.FILTERED, "closure.add"),
    ("POST", "/fleet/closures"): Rule(Scope.EDIT, Stores.FILTERED, "closure.add"),
    # Nothing is closed, so nothing is audited.
    ("POST", "/fleet/closures/preview"): Rule(Scope.EDIT, Stores.FILTERED),
    ("GET", "/fleet/closures"): _READ_FILTERED,
    # Whoever may close stores may take that back.
    ("DELETE", "/fleet/closures/{load_id}"): Rule(Scope.EDIT, Stores.FILTERED, "closure.undo"),
    ("POST", "/fleet/closures/{load_id}/preview"): Rule(Scope.EDIT, Stores.FILTERED),
    ("GET", "/closures"): _READ_FILTERED,
    ("GET", "/closures.ics"): _READ_FILTERED,
    ("GET", f"/stores/{STORE_ID}/closures.ics"): _READ_ONE,
    ("DELETE", "/closures/{closure_id}"): Rule(Scope.EDIT, Stores.FILTERED, "closure.cancel"),
    ("POST", "/events"): Rule(Scope.INGEST, Stores.FILTERED, "events.push"),
    ("GET", "/store-events"): _READ_FILTERED,
    ("DELETE", "/store-events/{event_id}"): Rule(Scope.INGEST, Stores.FILTERED, "event.cancel"),
    # Platforms have no key. Each message is signed with the secret of its source instead, and
    # without a secret none is accepted. So they may come from outside while there is no key.
    ("POST", "/webhooks/{source}"): _WEBHOOK,
    ("PUT", "/webhooks/{source}"): _WEBHOOK,
    # The owner of a store must not improve its figures: no `edit`, as for closures.
    ("POST", "/corrections"): Rule(Scope.INGEST, Stores.FILTERED, "correction.add"),
    ("GET", "/corrections"): _READ_FILTERED,
    ("DELETE", "/corrections/{correction_id}"): Rule(
        Scope.INGEST, Stores.FILTERED, "correction.cancel"
    ),
    ("PUT", "/objectives"): Rule(Scope.INGEST, Stores.FILTERED, "objective.put"),
    # Nothing is set, so nothing is audited.
    ("POST", "/objectives/preview"): Rule(Scope.INGEST, Stores.FILTERED),
    ("GET", "/objectives"): _READ_FILTERED,
    ("DELETE", "/objectives/{objective_id}"): Rule(
        Scope.INGEST, Stores.FILTERED, "objective.cancel"
    ),
    # Whoever has no session yet, or a link from a mail, comes here.
    ("GET", "/sign-in"): _OPEN,
    ("POST", "/sign-in"): _SIGN_IN,
    ("GET", "/sign-in/provider"): _OPEN,
    ("GET", "/sign-in/provider/callback"): _SIGN_IN,
    ("POST", "/sign-out"): Rule(None, Stores.NOT_CONCERNED, "session.end", is_open=True),
    ("GET", "/forgotten-password"): _OPEN,
    ("POST", "/forgotten-password"): Rule(None, Stores.NOT_CONCERNED, "account.link", is_open=True),
    ("GET", "/password"): _OPEN,
    ("POST", "/password"): Rule(None, Stores.NOT_CONCERNED, "account.password", is_open=True),
    # Of other people, and the links make one of them: for admins of all stores.
    ("GET", "/accounts"): Rule(Scope.ADMIN),
    ("POST", "/accounts"): Rule(Scope.ADMIN, action="account.invite"),
    ("PATCH", "/accounts/{account_id}"): Rule(Scope.ADMIN, action="account.change"),
    ("POST", "/accounts/{account_id}/link"): Rule(Scope.ADMIN, action="account.link"),
    ("GET", "/pages/accounts"): Rule(Scope.ADMIN),
    # For load balancers and the supervisor; they reveal no data.
    ("GET", "/healthz"): _OPEN,
    ("GET", "/readyz"): _OPEN,
    # Counters over all stores, which cannot be divided by store.
    ("GET", "/metrics"): Rule(Scope.READ),
    # The documentation is not secret, and explains how to send a key.
    ("GET", "/docs"): _OPEN,
    ("GET", "/docs/assets"): _OPEN,
    ("GET", "/openapi.json"): _OPEN,
}


def rule_of(method: str, path: str, rules: Mapping[tuple[str, str], Rule] = RULES) -> Rule:
    """Return the rule of a route by method and path template; HEAD has the rule of GET."""
    return rules.get(("GET" if method == "HEAD" else method, path), UNLISTED)
