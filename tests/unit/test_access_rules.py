"""Each rule of access refuses what it has to; and no rule can be weakened unnoticed.

What a rule has to refuse is written here by hand, and requested from the access control itself, in
front of an application that answers everything. What a key of some stores is told where it is let
through is the matter of tests/integration/test_api_some_stores.py.
"""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from pydantic import SecretStr
from starlette.responses import Response
from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope

from api_server import NO_DATABASE
from storemon_api.app import create_app
from storemon_api.security.access_control import AccessControl
from storemon_api.security.access_rules import RULES, Rule, Stores
from storemon_api.security.identity_cache import Identities, IdentityCache
from storemon_api.security.rate_limits import RateLimits
from storemon_api.settings import ApiSettings
from storemon_pipeline.access.accounts import Account, AccountRights, Role
from storemon_pipeline.access.keys import ApiKey, NewToken, Scope, make_token
from storemon_pipeline.access.sessions import Session, make_secret

TRIGGERS: Final = {Scope.TRIGGER, Scope.ADMIN}
READERS: Final = {Scope.READ, *TRIGGERS}
EDITORS: Final = {Scope.EDIT, Scope.INGEST, Scope.ADMIN}
INGESTERS: Final = {Scope.INGEST, Scope.ADMIN}

# By address: whose keys are let through; whether one of some stores is, on any path (`all`), on
# that of its own store (`own`), or nowhere (`none`). Open ones need no key.
EXPECTED: Final[dict[tuple[str, str], tuple[set[Scope], str]]] = {
    ("POST", "/trigger_report"): (TRIGGERS, "all"),
    ("POST", "/api/trigger_report"): (TRIGGERS, "all"),
    ("GET", "/get_report"): (READERS, "all"),
    ("GET", "/get_report/{report_id}"): (READERS, "all"),
    ("GET", "/reports/{report_id}.csv"): (READERS, "all"),
    ("GET", "/api/get_report"): (READERS, "all"),
    ("GET", "/reports/{report_id}/diff"): (READERS, "all"),
    ("POST", "/polls"): (INGESTERS, "all"),
    ("PUT", "/stores/{store_id:text}/hours"): (EDITORS, "own"),
    ("GET", "/stores/{store_id:text}/hours"): (READERS, "own"),
    ("DELETE", "/stores/{store_id:text}/hours"): (EDITORS, "own"),
    ("POST", "/stores/{store_id:text}/preview"): (EDITORS, "own"),
    ("GET", "/stores/{store_id:text}/changes"): (EDITORS, "own"),
    ("PUT", "/stores/{store_id:text}/timezone"): (EDITORS, "own"),
    ("GET", "/stores/{store_id:text}"): (READERS, "own"),
    ("GET", "/stores/{store_id:text}/uptime"): (READERS, "own"),
    ("GET", "/stores/{store_id:text}/incidents"): (READERS, "own"),
    ("GET", "/stores/{store_id:text}/budget"): (READERS, "own"),
    ("GET", "/stores/{store_id:text}/timeline"): (READERS, "own"),
    ("GET", "/stores/{store_id:text}/explain"): (READERS, "own"),
    ("GET", "/stores"): (READERS, "all"),
    ("GET", "/incidents"): (READERS, "all"),
    ("GET", "/fleet/now"): (READERS, "all"),
    ("GET", "/statement"): (READERS, "all"),
    ("GET", "/statement.{extension}"): (READERS, "all"),
    ("GET", "/pages/statement"): (READERS, "all"),
    ("GET", "/statement/dispute-pack"): (READERS, "all"),
    ("GET", "/stores/{store_id:text}/dispute-pack"): (READERS, "own"),
    ("POST", "/statements"): (INGESTERS, "all"),
    ("GET", "/statements"): (READERS, "all"),
    ("GET", "/statements/{statement_id}"): (READERS, "all"),
    ("GET", "/statements/{statement_id}.{extension}"): (READERS, "all"),
    ("GET", "/statements/{statement_id}/changes"): (READERS, "all"),
    ("POST", "/statements/{statement_id}/revisions"): (INGESTERS, "all"),
    ("POST", "/statement-schedules"): (INGESTERS, "all"),
    ("GET", "/statement-schedules"): (READERS, "all"),
    ("DELETE", "/statement-schedules/{schedule_id}"): (INGESTERS, "all"),
    ("GET", "/statement-deliveries"): (READERS, "all"),
    ("GET", "/pages/statements"): (READERS, "all"),
    ("GET", "/pages/statements/{statement_id}"): (READERS, "all"),
    ("GET", "/poll-plan"): (READERS, "all"),
    ("GET", "/fleet/uptime"): (READERS, "all"),
    ("GET", "/fleet/budgets"): (READERS, "all"),
    ("GET", "/fleet/comparison"): (READERS, "all"),
    ("GET", "/fleet/store-days"): (READERS, "all"),
    ("GET", "/fleet/reasons"): (READERS, "all"),
    ("GET", "/events"): (READERS, "all"),
    ("GET", "/data-health"): (READERS, "all"),
    ("GET", "/rejected-rows"): (READERS, "all"),
    ("GET", "/alerts"): (READERS, "all"),
    ("POST", "/alerts/{alert_id}/actions"): (EDITORS, "all"),
    ("GET", "/reports"): (READERS, "all"),
    ("GET", "/reports/{report_id}"): (READERS, "all"),
    ("GET", "/reports/{report_id}.{extension}"): (READERS, "all"),
    ("GET", "/reports/{report_id}/totals"): (READERS, "all"),
    ("GET", "/"): (READERS, "all"),
    ("GET", "/store/{store_id:text}"): (READERS, "all"),
    ("GET", "/pages/reports"): (READERS, "all"),
    ("GET", "/pages/data"): (READERS, "all"),
    ("GET", "/pages/alerts"): (READERS, "all"),
    ("GET", "/pages/objectives"): (READERS, "all"),
    ("GET", "/pages/compare"): (READERS, "all"),
    ("GET", "/manual"): (READERS, "all"),
    ("GET", "/manual/{page}"): (READERS, "all"),
    ("POST", "/closures"): (EDITORS, "all"),
    ("POST", "/fleet/closures"): (EDITORS, "all"),
    ("POST", "/fleet/closures/preview"): (EDITORS, "all"),
    ("GET", "/fleet/closures"): (READERS, "all"),
    ("DELETE", "/fleet/closures/{load_id}"): (EDITORS, "all"),
    ("POST", "/fleet/closures/{load_id}/preview"): (EDITORS, "all"),
    ("GET", "/closures"): (READERS, "all"),
    ("GET", "/closures.ics"): (READERS, "all"),
    ("GET", "/stores/{store_id:text}/closures.ics"): (READERS, "own"),
    ("PUT", "/stores/{store_id:text}/special-hours"): (EDITORS, "own"),
    ("GET", "/stores/{store_id:text}/special-hours"): (READERS, "own"),
    ("DELETE", "/stores/{store_id:text}/special-hours"): (EDITORS, "own"),
    ("POST", "/events"): (INGESTERS, "all"),
    ("GET", "/store-events"): (READERS, "all"),
    ("DELETE", "/store-events/{event_id}"): (INGESTERS, "all"),
    ("POST", "/corrections"): (INGESTERS, "all"),
    ("GET", "/corrections"): (READERS, "all"),
    ("DELETE", "/corrections/{correction_id}"): (INGESTERS, "all"),
    ("PUT", "/objectives"): (INGESTERS, "all"),
    ("POST", "/objectives/preview"): (INGESTERS, "all"),
    ("GET", "/objectives"): (READERS, "all"),
    ("DELETE", "/objectives/{objective_id}"): (INGESTERS, "all"),
    ("DELETE", "/closures/{closure_id}"): (EDITORS, "all"),
    ("GET", "/metrics"): (READERS, "none"),
    ("GET", "/accounts"): ({Scope.ADMIN}, "none"),
    ("POST", "/accounts"): ({Scope.ADMIN}, "none"),
    ("PATCH", "/accounts/{account_id}"): ({Scope.ADMIN}, "none"),
    ("POST", "/accounts/{account_id}/link"): ({Scope.ADMIN}, "none"),
    ("GET", "/pages/accounts"): ({Scope.ADMIN}, "none"),
}
OPEN: Final = {
    ("POST", "/webhooks/{source}"),
    ("PUT", "/webhooks/{source}"),
    ("GET", "/static"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/docs"),
    ("GET", "/docs/assets"),
    ("GET", "/openapi.json"),
    ("GET", "/public-key"),
    ("GET", "/sign-in"),
    ("POST", "/sign-in"),
    ("GET", "/sign-in/provider"),
    ("GET", "/sign-in/provider/callback"),
    ("POST", "/sign-out"),
    ("GET", "/forgotten-password"),
    ("POST", "/forgotten-password"),
    ("GET", "/password"),
    ("POST", "/password"),
}
# Which scopes the sessions of a role have, and whether they are limited to the own store.
ROLES: Final[dict[Role, tuple[set[Scope], bool]]] = {
    Role.OWNER: ({Scope.READ, Scope.TRIGGER, Scope.EDIT}, True),
    Role.OPERATOR: ({Scope.READ, Scope.TRIGGER, Scope.EDIT, Scope.INGEST}, False),
    Role.ADMIN: (set(Scope), False),
}
NOW: Final = datetime(2023, 1, 25, tzinfo=UTC)


class Doors:
    """The access control of the real routes before an application that answers everything."""

    def __init__(self, app: FastAPI) -> None:
        self._routes = app.state.routes
        self.tokens: dict[tuple[Scope, bool], NewToken] = {
            (scope, is_limited): make_token() for scope in Scope for is_limited in (False, True)
        }
        keys = [
            ApiKey(
                key_id=token.key_id,
                name=token.key_id,
                secret_sha256=token.secret_sha256,
                scopes=frozenset({scope}),
                store_ids=frozenset({"own"}) if is_limited else None,
                created_at=NOW,
                expires_at=None,
                revoked_at=None,
                last_used_at=None,
            )
            for (scope, is_limited), token in self.tokens.items()
        ]
        self.sessions = {role: make_secret() for role in Role}
        accounts = [account(number, role) for number, role in enumerate(Role)]
        sessions = [
            Session(
                secret.token_sha256, number, datetime.now(UTC), datetime.max.replace(tzinfo=UTC)
            )
            for number, secret in enumerate(self.sessions.values())
        ]
        self._identities = IdentityCache(
            sa.create_engine("sqlite://"), known=Identities.of(keys, accounts, sessions)
        )

    def status(
        self,
        rules: Mapping[tuple[str, str], Rule],
        method: str,
        path: str,
        headers: Mapping[str, str],
    ) -> int:
        """Return what a request is answered under these rules; 200 when it is let through."""
        control = AccessControl(
            _answer_everything,
            routes=self._routes,
            identities=self._identities,
            limits=RateLimits(per_second=1e6, burst=10**6),
            max_body_bytes=1_000,
            rules=rules,
        )

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(control, client=("127.0.0.1", 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
                return await http.request(method, path, headers=headers)

        return asyncio.run(ask()).status_code

    def violations(
        self, rules: Mapping[tuple[str, str], Rule], address: tuple[str, str]
    ) -> Iterator[str]:
        """Yield what is let through at an address and must not be, or the other way round."""
        scopes, stores = EXPECTED[address]
        method, path = address
        own, other = (
            path.replace("{store_id:text}", name)
            .replace("{report_id}", "x")
            .replace("{extension}", "json")
            .replace("{closure_id}", "1")
            .replace("{alert_id}", "1")
            .replace("{statement_id}", "1")
            .replace("{schedule_id}", "1")
            .replace("{account_id}", "1")
            for name in ("own", "other")
        )
        wanted: list[tuple[str, str, Mapping[str, str], int]] = [("without", own, {}, 401)]
        for role, (role_scopes, is_limited) in ROLES.items():
            is_right = scopes & role_scopes
            cookie = {"Cookie": f"storemon_session={self.sessions[role].token}"}
            reaches_own = is_right and not (is_limited and stores == "none")
            reaches_other = is_right and (not is_limited or stores == "all")
            wanted.append((f"{role}, other store", other, cookie, 200 if reaches_other else 403))
            if "{store_id" in path:
                wanted.append((f"{role}, own store", own, cookie, 200 if reaches_own else 403))
        for scope in Scope:
            may = scope in scopes
            for name, target, is_limited, is_let_in in (
                ("all stores", other, False, may),
                ("own store", own, True, may and stores != "none"),
                ("other store", other, True, may and stores == "all"),
            ):
                if is_limited and "{store_id" not in path and name == "own store":
                    continue
                key = {"X-API-Key": self.tokens[scope, is_limited].token}
                wanted.append((f"{scope}, {name}", target, key, 200 if is_let_in else 403))
        for what, target, headers, status in wanted:
            if self.status(rules, method, target, headers) != status:
                yield what


def account(account_id: int, role: Role) -> Account:
    return Account(
        account_id=account_id,
        email=f"{role}@example.com",
        name=role,
        rights=AccountRights(
            role=role, store_ids=frozenset({"own"} if role is Role.OWNER else set())
        ),
        password_hash=None,
        issuer=None,
        subject=None,
        created_at=NOW,
        disabled_at=None,
        last_sign_in_at=None,
    )


async def _answer_everything(scope: AsgiScope, receive: Receive, send: Send) -> None:
    await Response("let through")(scope, receive, send)


@pytest.fixture(scope="module")
def doors() -> Doors:
    return Doors(create_app(ApiSettings(database_url=SecretStr(NO_DATABASE)), known_keys=()))


def test_every_rule_is_expected_here() -> None:
    assert sorted(EXPECTED.keys() | OPEN) == sorted(RULES)
    assert {address for address, rule in RULES.items() if rule.is_open} == OPEN


@pytest.mark.parametrize("address", sorted(EXPECTED), ids=" ".join)
def test_a_rule_refuses_whom_it_has_to_and_lets_through_the_others(
    doors: Doors, address: tuple[str, str]
) -> None:
    assert list(doors.violations(RULES, address)) == []


def weakened(rule: Rule) -> dict[str, Rule | None]:
    """Return each way in which this rule can be less than it is; None: without the rule."""
    ways: dict[str, Rule | None] = {
        "removed": None,
        "open": replace(rule, is_open=True),
        "another key's": replace(
            rule, scope=Scope.INGEST if rule.scope is Scope.READ else Scope.READ
        ),
    }
    if rule.scope is Scope.ADMIN and rule.stores is Stores.NONE:
        # What has no rule is for admins of all stores too.
        del ways["removed"]
    if rule.stores is not Stores.NOT_CONCERNED and rule.stores is not Stores.FILTERED:
        ways["every store's"] = replace(rule, stores=Stores.NOT_CONCERNED)
    if rule.scope is not None:
        ways["any key's"] = replace(rule, scope=None)
    return ways


@pytest.mark.parametrize("address", sorted(EXPECTED), ids=" ".join)
def test_a_rule_that_is_removed_or_weakened_is_noticed(
    doors: Doors, address: tuple[str, str]
) -> None:
    for way, rule in weakened(RULES[address]).items():
        rules = {other: old for other, old in RULES.items() if other != address}
        if rule is not None:
            rules[address] = rule
        assert any(doors.violations(rules, address)), f"{way}: nobody would notice"


@pytest.mark.parametrize("address", sorted(OPEN), ids=" ".join)
def test_an_open_address_is_open(doors: Doors, address: tuple[str, str]) -> None:
    method, path = address
    is_folder = path in {"/static", "/docs/assets"}
    assert doors.status(RULES, method, f"{path}/x" if is_folder else path, {}) == 200
