"""Sent statements: kept as they were; a change of the data makes a revision that names it."""

import csv
import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import adbc_driver_manager
import httpx
import openpyxl
import pytest

from api_keys import new_key
from api_server import serve
from stored import execute, fetch, load
from storemon_pipeline.access.keys import Scope
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.ingestion.push_schedules import push_rows

WEEK: Final = "2023-W04"
"""The week that begins at MIDNIGHT; the stores have no zone, so it is that of Chicago."""

HOUR: Final = 3_600_000_000


@dataclass(frozen=True, slots=True)
class Served:
    """A running API and its database."""

    url: str
    client: httpx.Client

    def send(self, **body: str) -> dict[str, Any]:
        answer = self.client.post("/statements", json={"period": WEEK, **body})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def get(self, path: str, **headers: str) -> Any:  # noqa: ANN401 - JSON
        answer = self.client.get(path, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
def served(database_url: str) -> Iterator[Served]:
    """An API over two stores that are always open; A is down from 15:00 to 17:00 on Monday."""
    rows = [f"A {hour:02}:00 {'down' if 15 <= hour < 17 else 'up'}" for hour in range(8, 40)]
    load(database_url, *rows, *(f"B {hour:02}:00 up" for hour in range(8, 40)))
    load(database_url, "A 300:00 up", "B 300:00 up")
    with serve(database_url) as client:
        yield Served(database_url, client)


def late_polls(url: str) -> None:
    """A was up at 15:30, so it was down for half an hour less."""
    load(url, "A 15:30 up")


def test_sending_twice_without_a_change_makes_no_revision(served: Served) -> None:
    first = served.send()
    assert (first["revision"], first["stores"], first["changes"]) == (1, 2, 0)
    assert served.send() == first
    assert served.send(store_id="A")["revision"] == 1
    assert len(served.get("/statements")["statements"]) == 2


def test_what_was_sent_stays_when_the_data_change(served: Served) -> None:
    sent = served.send()["statement_id"]
    files = ("pdf", "xlsx", "csv", "csv?table=incidents", "csv?table=changes")
    before = {name: served.client.get(f"/statements/{sent}.{name}").content for name in files}
    figures = served.get(f"/statements/{sent}")
    late_polls(served.url)
    assert served.get(f"/statements/{sent}") == figures
    for name in files:
        assert served.client.get(f"/statements/{sent}.{name}").content == before[name]
    (stored,) = fetch(served.url, "SELECT sha256 FROM sent_statement_files WHERE name = 'pdf'")
    assert bytes(stored["sha256"]) == hashlib.sha256(before["pdf"]).digest()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE sent_statements SET statement = 'x'",
        "DELETE FROM sent_statements",
        "UPDATE sent_statement_files SET content = 'x'",
        "DELETE FROM sent_statement_files",
    ],
)
def test_the_database_refuses_to_change_what_was_sent(served: Served, statement: str) -> None:
    served.send()
    with pytest.raises(adbc_driver_manager.Error, match="never changed"):
        execute(served.url, statement)


def test_late_polls_make_a_revision_that_says_what_changed_and_why(served: Served) -> None:
    first = served.send(store_id="A")
    path = f"/statements/{first['statement_id']}"
    assert served.get(f"{path}/changes") == {"makes_revision": False, "reasons": [], "changes": []}
    late_polls(served.url)
    (last,) = fetch(served.url, "SELECT max(load_id) AS load_id FROM loads")
    coming = served.get(f"{path}/changes")
    assert coming["makes_revision"]
    assert coming["reasons"] == [f"polls of this period arrived late (load {last['load_id']})"]
    old = served.get(path)["statement"]["total"]
    answer = served.client.post(f"{path}/revisions")
    second = answer.json()
    assert (second["revision"], second["reasons"]) == (2, coming["reasons"])
    sent = served.get(f"/statements/{second['statement_id']}")
    assert sent["changes"] == coming["changes"]
    new = sent["statement"]["total"]
    assert new["down_us"] == old["down_us"] - HOUR // 2
    (down,) = [
        change
        for change in sent["changes"]
        if (change["line"], change["field"]) == ("store", "down_us")
    ]
    assert down == {
        "line": "store",
        "store_id": "A",
        "item": "",
        "field": "down_us",
        "before": old["down_us"],
        "after": new["down_us"],
        "is_estimate": False,
    }
    assert served.get(path)["about"]["newest_statement_id"] == second["statement_id"]
    assert served.client.post(f"{path}/revisions").json() == second


def test_every_form_of_a_revision_has_its_changes(served: Served) -> None:
    first = served.send(store_id="A")["statement_id"]
    late_polls(served.url)
    page = served.client.get(f"/pages/statements/{first}").text
    assert "The figures have changed since" in page
    assert "Send revision 2" in page
    assert "polls of this period arrived late" in page
    fresh = served.client.get("/pages/statement", params={"store_id": "A", "period": WEEK}).text
    assert "The figures have changed since" in fresh
    second = served.send(store_id="A")["statement_id"]
    page = served.client.get(f"/pages/statements/{second}").text
    assert "its figures still hold" in page
    assert "Changes" in page
    text = served.client.get(f"/statements/{second}.csv?table=changes").text
    rows = [
        row
        for row in csv.DictReader(io.StringIO(text))
        if (row["line"], row["field"]) == ("store", "offline (h)")
    ]
    assert [(row["before"], row["after"]) for row in rows] == [("2.0", "1.5")]
    content = served.client.get(f"/statements/{second}.xlsx").content
    book = openpyxl.load_workbook(io.BytesIO(content))
    assert book.sheetnames == [
        "statement",
        "stores",
        "incidents",
        "closures",
        "corrections",
        "changes",
    ]
    facts = dict(book["statement"].iter_rows(max_col=2, values_only=True))
    assert str(facts["Revision"]).startswith("2, of ")
    pdfs = [served.client.get(f"/statements/{one}.pdf").content for one in (first, second)]
    assert pdfs[0] != pdfs[1]
    listed = served.client.get("/pages/statements").text
    assert f"/pages/statements/{first}" in listed
    assert f"/pages/statements/{second}" in listed


def test_an_undone_load_and_a_closure_are_named_as_reasons(served: Served) -> None:
    first = served.send(store_id="A")["statement_id"]
    push_rows(
        served.url,
        Source.CLOSURES,
        [
            {
                "store_id": "A",
                "start_local": "2023-01-23 09:00",
                "end_local": "2023-01-23 10:00",
                "reason": "inventory",
            }
        ],
        now=datetime.now(UTC),
        patience=timedelta(seconds=5),
    )
    coming = served.get(f"/statements/{first}/changes")
    assert len(coming["reasons"]) == 1
    assert coming["reasons"][0].startswith("closures were changed (load ")
    (closure,) = [change for change in coming["changes"] if change["line"] == "closure"]
    assert (closure["item"], closure["before"]) == ("2023-01-23 09:00", None)
    assert "inventory" in closure["after"]


def test_polls_after_the_period_change_nothing(served: Served) -> None:
    first = served.send()["statement_id"]
    load(served.url, "A 301:00 down", "B 301:00 up")
    assert not served.get(f"/statements/{first}/changes")["makes_revision"]


def test_a_period_that_had_not_ended_makes_a_revision_when_it_has(database_url: str) -> None:
    load(database_url, *(f"A {hour:02}:00 up" for hour in range(8, 40)))
    with serve(database_url) as client:
        served = Served(database_url, client)
        served.send()
        load(database_url, "A 300:00 up")
        second = served.send()
        assert second["revision"] == 2
        assert second["reasons"][0] == "the period has ended since"


def test_a_key_sees_only_statements_about_its_own_stores(served: Served) -> None:
    every = served.send()["statement_id"]
    own = served.send(store_id="A")["statement_id"]
    other = served.send(store_id="B")["statement_id"]
    tokens = [
        new_key(served.url, name, *scopes, stores=None if name == "admin" else {"A"})
        for name, scopes in (
            ("owner", {Scope.READ, Scope.INGEST}),
            ("reader", {Scope.READ}),
            ("admin", {Scope.ADMIN}),
        )
    ]
    owner, reader, admin = ({"X-API-Key": token} for token in tokens)
    listed = served.get("/statements", **owner)["statements"]
    assert [one["statement_id"] for one in listed] == [own]
    for statement_id in (every, other, 999):
        for path in (
            f"/statements/{statement_id}",
            f"/statements/{statement_id}.pdf",
            f"/statements/{statement_id}/changes",
            f"/pages/statements/{statement_id}",
        ):
            assert served.client.get(path, headers=owner).status_code == 404, path
        path = f"/statements/{statement_id}/revisions"
        assert served.client.post(path, headers=owner).status_code == 404
    path = f"/statements/{own}/revisions"
    assert served.client.post(path, headers=reader).status_code == 403
    # For its key "all stores" are its own: another statement than that of all.
    answer = served.client.post("/statements", json={"period": WEEK}, headers=owner)
    assert (answer.json()["stores"], answer.json()["sent_by"]) == (1, "owner")
    assert answer.json()["statement_id"] not in {every, own}
    assert len(served.get("/statements", **admin)["statements"]) == 4
    assert "Send revision" not in served.client.get("/pages/statements", headers=reader).text


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        pytest.param({}, 422, "period", id="no period"),
        pytest.param({"period": "2023-13"}, 422, "period", id="no such month"),
        pytest.param({"period": "2030-01"}, 422, "period", id="after the newest poll"),
        pytest.param({"period": WEEK, "store_id": "Z"}, 404, None, id="an unknown store"),
        pytest.param({"period": WEEK, "to": "x"}, 422, "to", id="an unknown field"),
    ],
)
def test_a_statement_that_cannot_be_sent_is_a_problem(
    served: Served, body: dict[str, str], status: int, field: str | None
) -> None:
    answer = served.client.post("/statements", json=body)
    assert answer.status_code == status, answer.text
    fields = [error["field"] for error in answer.json().get("errors", [])]
    assert fields == ([] if field is None else [field])
    assert served.get("/statements") == {"statements": [], "next_offset": None}


def test_an_unknown_statement_is_not_found(served: Served) -> None:
    for statement_id in ("1", "x", "9" * 30, "²"):
        assert served.client.get(f"/statements/{statement_id}").status_code == 404
