"""Listing, inviting and changing accounts over HTTP."""

from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from api_server import serve
from mail_server import mail_server
from signed_in import PASSWORD, new_account, sign_in
from storemon_pipeline.access.accounts import Account, Role
from storemon_pipeline.database.tables import audit_events, stores

ADA = {"email": "Ada@Example.com", "name": "Ada", "role": "admin"}
BOB = {"email": "bob@example.com", "role": "owner", "stores": ["7"]}


@pytest.fixture
def admin(client: httpx.Client, engine: sa.Engine) -> Account:
    """Sign in an admin, in a database with the store 7 of the group East."""
    with engine.begin() as connection:
        connection.execute(sa.insert(stores).values(store_id="7"))
        connection.execute(
            sa.text(
                "INSERT INTO store_details (store_key, group_name, load_id) "
                "SELECT store_key, 'East', 1 FROM stores"
            )
        )
    account = new_account(engine)
    assert sign_in(client, account.email).status_code == 303
    return account


def problem_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, str(answer.json()["type"]).rpartition(":")[2]


def test_the_first_account_is_that_of_an_admin_who_gets_a_link(client: httpx.Client) -> None:
    refused = client.post("/accounts", json={"email": "bob@example.com", "role": "operator"})
    assert problem_of(refused) == (409, "no-administrator")
    assert client.get("/accounts").json()["total"] == 0
    invited = client.post("/accounts", json=ADA)
    assert invited.status_code == 201
    body = invited.json()
    assert body["account"]["email"] == "ada@example.com"
    assert (body["account"]["has_password"], body["mail_error"]) == (False, None)
    address, _, token = body["link"].partition("/password?token=")
    assert address == str(client.base_url).rstrip("/")
    form = {"token": token, "password": PASSWORD, "again": PASSWORD}
    assert client.post("/password", data=form).status_code == 303
    (listed,) = client.get("/accounts").json()["accounts"]
    assert (listed["name"], listed["has_password"], listed["role"]) == ("Ada", True, "admin")


def test_accounts_are_invited_changed_disabled_and_enabled(
    client: httpx.Client, engine: sa.Engine, admin: Account
) -> None:
    account = client.post("/accounts", json=BOB).json()["account"]
    assert (account["name"], account["stores"], account["groups"]) == ("bob", ["7"], [])
    path = f"/accounts/{account['account_id']}"
    changed = client.patch(path, json={"role": "owner", "groups": ["East"], "name": " Bob B "})
    assert changed.json() == {**account, "name": "Bob B", "stores": [], "groups": ["East"]}
    assert client.patch(path, json={"role": "operator"}).json()["name"] == "Bob B"
    disabled = client.patch(path, json={"enabled": False})
    assert (disabled.status_code, disabled.json()["enabled"]) == (200, False)
    assert problem_of(client.post(f"{path}/link")) == (404, "unknown-account")
    assert client.patch(path, json={"enabled": True}).json()["enabled"]
    link = client.post(f"{path}/link").json()
    assert "/password?token=" in link["link"]
    with engine.connect() as connection:
        query = sa.select(audit_events.c.action, audit_events.c.account_id).where(
            audit_events.c.subject == f"account {account['account_id']}"
        )
        recorded = [tuple(row) for row in connection.execute(query.order_by("event_id"))]
    assert recorded == [
        (f"account.{action}", admin.account_id)
        for action in ("invite", "change", "change", "disable", "enable", "link")
    ]


def test_the_last_admin_cannot_go(client: httpx.Client, admin: Account) -> None:
    path = f"/accounts/{admin.account_id}"
    for change in ({"enabled": False}, {"role": "operator"}, {**BOB, "force": True}):
        change.pop("email", None)
        assert problem_of(client.patch(path, json=change)) == (409, "no-administrator")
    assert client.post("/accounts", json=ADA).status_code == 201
    assert client.patch(path, json={"role": "operator"}).status_code == 200


@pytest.mark.usefixtures("admin")
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"stores": ["8"]}, "stores"),
        ({"stores": [], "groups": ["West"]}, "groups"),
        ({"stores": ["\x00"]}, "stores.0"),
        ({"stores": []}, "body"),
        ({"role": "operator"}, "body"),
        ({"role": "king"}, "role"),
        ({"email": "bob"}, "body"),
        ({"password": PASSWORD}, "password"),
    ],
)
def test_an_account_that_would_not_work_is_refused(
    client: httpx.Client, changes: dict[str, Any], field: str
) -> None:
    answer = client.post("/accounts", json={**BOB, **changes})
    assert problem_of(answer) == (422, "invalid-request")
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert client.get("/accounts").json()["total"] == 1


@pytest.mark.usefixtures("admin")
def test_stores_may_be_unknown_when_forced(client: httpx.Client) -> None:
    answer = client.post("/accounts", json={**BOB, "stores": ["8"], "force": True})
    assert (answer.status_code, answer.json()["account"]["stores"]) == (201, ["8"])
    path = f"/accounts/{answer.json()['account']['account_id']}"
    assert client.patch(path, json={"role": "owner", "stores": ["9"]}).status_code == 422
    forced = {"role": "owner", "stores": ["9"], "force": True}
    assert client.patch(path, json=forced).json()["stores"] == ["9"]


def test_an_address_has_one_account_and_an_id_of_none_is_unknown(
    client: httpx.Client, admin: Account
) -> None:
    taken = client.post("/accounts", json={**BOB, "email": admin.email})
    assert problem_of(taken) == (409, "email-taken")
    for name in ("0", "99", "x", "9" * 40):
        answer = client.patch(f"/accounts/{name}", json={"enabled": True})
        assert problem_of(answer) == (404, "unknown-account")
    for body in ({}, {"enabled": True, "role": "admin"}, {"enabled": True, "name": "x"}):
        assert client.patch(f"/accounts/{admin.account_id}", json=body).status_code == 422


@pytest.mark.usefixtures("admin")
def test_accounts_are_searched_page_by_page(client: httpx.Client, engine: sa.Engine) -> None:
    for number in range(3):
        new_account(engine, Role.OPERATOR, email=f"b_{number}@example.com")
    first = client.get("/accounts", params={"q": "B_", "limit": 2}).json()
    assert [one["email"] for one in first["accounts"]] == ["b_0@example.com", "b_1@example.com"]
    assert first["total"] == 3
    (last,) = client.get(first["next"]).json()["accounts"]
    assert last["email"] == "b_2@example.com"
    assert client.get("/accounts", params={"q": "the admin"}).json()["total"] == 1
    assert client.get("/accounts", params={"q": "%"}).json()["total"] == 0
    assert client.get("/accounts", params={"q": "\x00"}).status_code == 422


def test_links_are_mailed_where_that_is_set_up(database_url: str, engine: sa.Engine) -> None:
    with (
        mail_server() as mails,
        serve(database_url, mail_url=mails.url, public_url="http://storemon.example.com") as client,
    ):
        account = new_account(engine)
        sign_in(client, account.email)
        invited = client.post("/accounts", json={**ADA, "role": "operator"}).json()
        assert (invited["link"], invited["mail_error"]) == (None, None)
        (mail,) = mails.taken
        assert "ada@example.com" in str(mail["To"])
        mails.answer = "550 no such mailbox"
        again = client.post(f"/accounts/{invited['account']['account_id']}/link").json()
        assert again["link"].startswith("http://storemon.example.com/password?token=")
        assert again["mail_error"]


@pytest.mark.usefixtures("admin")
def test_the_page_is_in_the_bar_of_admins_only(client: httpx.Client, engine: sa.Engine) -> None:
    html = {"Accept": "text/html"}
    assert "/pages/accounts" in client.get("/manual", headers=html).text
    client.cookies.clear()
    sign_in(client, new_account(engine, Role.OPERATOR).email)
    assert "/pages/accounts" not in client.get("/manual", headers=html).text
    assert client.get("/pages/accounts", headers=html).status_code == 403
