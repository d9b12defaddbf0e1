"""Asking for a link to choose a new password on the page for it."""

import re

import sqlalchemy as sa

from api_server import serve
from mail_server import mail_server, text_of
from signed_in import PASSWORD, new_account, sign_in
from waiting import eventually

PATH = "/forgotten-password"


def test_a_forgotten_password_is_replaced_by_a_mailed_link(
    database_url: str, engine: sa.Engine
) -> None:
    account = new_account(engine)
    with (
        mail_server() as mails,
        serve(database_url, mail_url=mails.url, public_url="http://storemon.example") as client,
    ):
        assert PATH in client.get("/sign-in").text
        unknown = client.post(PATH, data={"email": "nobody@example.com"})
        known = client.post(PATH, data={"email": account.email})
        assert (known.status_code, known.text) == (unknown.status_code, unknown.text)
        assert known.status_code == 200
        eventually(lambda: len(mails.taken) == 1)
        found = re.search(r"/password\?token=([\w-]{43})", text_of(mails.taken[0]))
        assert found is not None
        new = PASSWORD[::-1]
        form = {"token": found[1], "password": new, "again": new}
        assert client.post("/password", data=form).status_code == 303
        client.cookies.clear()
        assert sign_in(client, account.email, new).status_code == 303
        # The second and the third mail; then this address, and one without account, have to wait.
        for email in (account.email, "nobody@example.com"):
            statuses = [client.post(PATH, data={"email": email}).status_code for _ in range(3)]
            assert statuses == [200, 200, 429]
        assert client.post(PATH, data={"email": "x"}).status_code == 422


def test_without_mail_nothing_is_offered(database_url: str) -> None:
    with serve(database_url) as client:
        assert PATH not in client.get("/sign-in").text
        assert client.get(PATH).status_code == 404
        assert client.post(PATH, data={"email": "a@example.com"}).status_code == 404
