"""Signing in at a local OpenID provider, and invitations by a local mail server."""

import re
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from pydantic import SecretStr, ValidationError
from typer.testing import CliRunner

from api_server import NO_DATABASE, serve
from mail_server import mail_server, text_of
from open_id_provider import CLIENT_ID, CLIENT_SECRET, OpenIdProvider, open_id_provider
from signed_in import BY_TEST, PASSWORD, new_account, sign_in
from storemon_api.settings import ApiSettings
from storemon_pipeline.access.account_management import (
    disable_account,
    invite_account,
    list_accounts,
)
from storemon_pipeline.access.accounts import AccountRights, Role
from storemon_pipeline.commands.cli import app

ADA = {
    "sub": "person-1",
    "email": "Ada@example.com",
    "email_verified": True,
    "name": "Ada Lovelace",
    "groups": ["everybody", "it"],
}


@pytest.fixture(scope="module")
def running_provider() -> Iterator[OpenIdProvider]:
    with open_id_provider() as provider:
        yield provider


@pytest.fixture
def provider(running_provider: OpenIdProvider) -> OpenIdProvider:
    running_provider.claims = dict(ADA)
    running_provider.changes = {}
    running_provider.is_foreign_key = False
    return running_provider


@pytest.fixture
def client(database_url: str, provider: OpenIdProvider) -> Iterator[httpx.Client]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with serve(
        database_url,
        port=port,
        public_url=f"http://127.0.0.1:{port}",
        oidc_issuer=provider.issuer,
        oidc_client_id=CLIENT_ID,
        oidc_client_secret=SecretStr(CLIENT_SECRET),
        oidc_roles={"it": Role.ADMIN, "operations": Role.OPERATOR, "franchise": Role.OWNER},
    ) as client:
        yield client


def go_and_come_back(client: httpx.Client, wanted: str = "/") -> httpx.Response:
    """Return what the browser is answered when it comes back from the provider."""
    gone = client.get("/sign-in/provider", params={"next": wanted})
    assert gone.status_code == 303
    back = httpx.get(gone.headers["Location"])
    return client.get(back.headers["Location"])


def test_a_person_signs_in_at_the_provider(
    client: httpx.Client, provider: OpenIdProvider, engine: sa.Engine
) -> None:
    assert "/sign-in/provider?next=%2F" in client.get("/sign-in").text
    answer = go_and_come_back(client, "/pages/alerts")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/pages/alerts")
    assert "Ada Lovelace" in client.get("/", headers={"Accept": "text/html"}).text
    assert client.get("/metrics").status_code == 200
    (account,) = list_accounts(engine)
    assert (account.email, account.issuer, account.subject, account.rights) == (
        "ada@example.com",
        provider.issuer,
        "person-1",
        AccountRights(role=Role.ADMIN),
    )
    # The same answer signs nobody else in.
    with httpx.Client(base_url=client.base_url) as other:
        stolen = f"/sign-in/provider/callback?code=the-code&state={provider.asked['state']}"
        assert other.get(stolen).status_code == 422
        assert "storemon_session" not in other.cookies


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "of another sign-in"},
        {"iss": "https://attacker.example"},
        {"aud": "another service"},
        {"aud": [CLIENT_ID, "another service"], "azp": "another service"},
        {"exp": 1_700_000_000},
        {"email": "nothing"},
        {"groups": ["everybody"]},
        {"groups": None},
        {"groups": ["franchise"]},
    ],
    ids=str,
)
def test_a_token_with_a_wrong_claim_is_refused(
    client: httpx.Client, provider: OpenIdProvider, engine: sa.Engine, changes: dict[str, Any]
) -> None:
    provider.changes = changes
    answer = go_and_come_back(client)
    assert (answer.status_code, "Signing in failed" in answer.text) == (422, True)
    assert list_accounts(engine) == []


def test_a_token_with_a_wrong_signature_is_refused(
    client: httpx.Client, provider: OpenIdProvider, engine: sa.Engine
) -> None:
    provider.is_foreign_key = True
    assert go_and_come_back(client).status_code == 422
    assert list_accounts(engine) == []


def test_an_answer_to_another_browser_or_of_another_provider_is_refused(
    client: httpx.Client, provider: OpenIdProvider, engine: sa.Engine
) -> None:
    client.get("/sign-in/provider")
    path = "/sign-in/provider/callback"
    assert client.get(path, params={"code": "the-code", "state": "guessed"}).status_code == 422
    httpx.get(client.get("/sign-in/provider").headers["Location"])
    answer = {"code": "the-code", "state": provider.asked["state"]}
    foreign = {**answer, "iss": "https://attacker.example"}
    assert client.get(path, params=foreign).status_code == 422
    assert client.get(path, params={**answer, "code": ""}).status_code == 422
    assert list_accounts(engine) == []
    assert client.get(path, params={**answer, "iss": provider.issuer}).status_code == 303


def test_the_first_person_must_be_able_to_administer(
    client: httpx.Client, provider: OpenIdProvider, engine: sa.Engine
) -> None:
    provider.changes = {"groups": ["operations"]}
    refused = go_and_come_back(client)
    assert refused.status_code == 422
    assert "storemon accounts invite EMAIL --role admin" in refused.text
    assert list_accounts(engine) == []


def test_claims_give_the_rights_at_each_sign_in(
    client: httpx.Client, provider: OpenIdProvider, engine: sa.Engine
) -> None:
    new_account(engine, email="root@example.com")
    assert go_and_come_back(client).status_code == 303
    old = {"Cookie": f"storemon_session={client.cookies['storemon_session']}"}
    provider.changes = {"groups": ["franchise", "operations"]}
    go_and_come_back(client)
    assert client.get("/metrics").status_code == 200
    assert client.get("/metrics", headers=old).status_code == 401
    provider.changes = {"groups": "franchise", "store_groups": ["East"]}
    go_and_come_back(client)
    assert client.get("/metrics").status_code == 403
    (ada,) = [one for one in list_accounts(engine) if one.subject == "person-1"]
    assert ada.rights == AccountRights(role=Role.OWNER, groups=frozenset({"East"}))
    disable_account(engine, ada.account_id, audit=BY_TEST)
    assert "disabled" in go_and_come_back(client).text


@pytest.mark.parametrize("is_verified", [True, False])
def test_an_invited_account_becomes_that_of_its_verified_address(
    client: httpx.Client, provider: OpenIdProvider, engine: sa.Engine, *, is_verified: bool
) -> None:
    invited = new_account(engine, email="ada@example.com")
    provider.changes = {"email_verified": is_verified}
    assert go_and_come_back(client).status_code == (303 if is_verified else 422)
    (account,) = list_accounts(engine)
    assert account.account_id == invited.account_id
    assert account.subject == ("person-1" if is_verified else None)


def test_a_provider_needs_its_other_settings() -> None:
    with pytest.raises(ValidationError, match="STOREMON_OIDC_ROLES"):
        ApiSettings(database_url=SecretStr(NO_DATABASE), oidc_issuer="https://login.example")


def test_an_invitation_is_mailed_and_accepted(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with mail_server() as server, serve(database_url) as client:
        monkeypatch.setenv("STOREMON_MAIL_URL", server.url)
        monkeypatch.setenv("STOREMON_PUBLIC_URL", str(client.base_url))

        def run(*arguments: str) -> str:
            made = CliRunner().invoke(app, ["accounts", *arguments, "--database-url", database_url])
            assert made.exit_code == 0, made.stderr
            return made.stdout

        said = run("invite", "ada@example.com", "--role", "admin", "--name", "Ada")
        assert said.startswith("The link was sent to ada@example.com.")
        (mail,) = server.taken
        assert str(mail["To"]).find("ada@example.com") >= 0
        found = re.search(r"/password\?token=([\w-]{43})", text_of(mail))
        assert found is not None
        assert found[1] not in said
        form = {"token": found[1], "password": PASSWORD, "again": PASSWORD}
        assert client.post("/password", data=form).status_code == 303
        assert sign_in(client, "ada@example.com").status_code == 303
        server.answer = "550 no such mailbox"
        said = run("link", "ada@example.com")
        assert "/password?token=" in said
        assert "The mail was not sent" in said


def test_an_account_without_a_password_cannot_sign_in_with_one(
    client: httpx.Client, engine: sa.Engine
) -> None:
    invite_account(
        engine,
        email="ada@example.com",
        name="Ada",
        rights=AccountRights(role=Role.ADMIN),
        audit=BY_TEST,
    )
    assert sign_in(client, "ada@example.com", "").status_code == 422
