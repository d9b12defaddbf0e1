"""Statements of local weeks and months: figures equal the reference, totals are the sums."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import httpx
import openpyxl
import pytest

import oracle
import oracle_history
from api_server import serve
from clock_changes import AUTUMN, MAX_GAP, SPRING, ZONES, at, draw, fill
from databases import Databases
from stored import execute
from storemon_pipeline.figures.fit_status_model import fit_first_status_model
from storemon_pipeline.statements.make_statement import make_statement
from storemon_pipeline.statements.statement import Scope
from storemon_pipeline.statements.statement_json import read_statement_json, statement_json
from storemon_pipeline.statements.statement_period import StatementPeriod

PERIODS: Final = {
    SPRING: {"2023-W10": "week", "2023-W11": "week", "2023-03": "month"},
    AUTUMN: {"2023-W44": "week", "2023-W45": "week", "2023-10": "month", "2023-11": "month"},
}
AMOUNTS: Final = ("opening_us", "up_us", "down_us", "unknown_us", "incidents", "with_others_us")


@dataclass(frozen=True, slots=True)
class Served:
    """A running API, and the same data as the reference's plain rows."""

    url: str
    client: httpx.Client
    inputs: oracle.Inputs
    begin: datetime

    @property
    def as_of(self) -> datetime:
        return max(poll.polled_at for poll in self.inputs.polls)

    def ask(self, path: str = "/statement", **parameters: str | float) -> httpx.Response:
        answer = self.client.get(path, params=parameters)
        assert answer.status_code == 200, answer.text
        return answer

    def get(self, path: str = "/statement", **parameters: str | float) -> Any:  # noqa: ANN401 - JSON
        return self.ask(path, **parameters).json()


@pytest.fixture(
    scope="module",
    params=[pytest.param(SPRING, id="spring"), pytest.param(AUTUMN, id="autumn")],
)
def served(databases: Databases, request: pytest.FixtureRequest) -> Iterator[Served]:
    """Give a running API to tests that only read."""
    inputs = draw(request.param, seed=request.param.month)
    with databases.taken() as url:
        fill(url, inputs)
        fit_first_status_model(url, fitted_at=request.param + timedelta(days=13))
        with serve(url) as client:
            yield Served(url, client, inputs, request.param)


def expected(served: Served, store_id: str, period: str, by: Any) -> oracle_history.Amounts:  # noqa: ANN401
    begin = StatementPeriod.parse(period).begin
    found = oracle_history.stretches(
        served.inputs,
        store_id,
        served.begin - timedelta(days=40),
        served.as_of,
        as_of=served.as_of,
        max_gap=MAX_GAP,
    )
    return oracle_history.history(found, by)[f"{begin:%Y-%m-%d}T00:00", 0]


def test_each_store_has_the_amounts_of_the_reference_and_totals_are_their_sums(
    served: Served,
) -> None:
    for period, by in PERIODS[served.begin].items():
        statement = served.get(period=period)
        assert [store["store_id"] for store in statement["stores"]] == list(ZONES)
        for store in statement["stores"]:
            amounts = expected(served, store["store_id"], period, by)
            summary = store["summary"]
            assert summary["opening_us"] == amounts.business, (period, store)
            assert summary["up_us"] == amounts.up
            assert summary["down_us"] == amounts.down
            assert summary["unknown_us"] == amounts.unknown
            known = amounts.up + amounts.down
            percent = amounts.up * 10_000 // known / 100 if known else None
            assert summary["uptime_percent"] == percent
        for amount in AMOUNTS:
            parts = [store["summary"][amount] for store in statement["stores"]]
            assert statement["total"][amount] == sum(parts), amount


def test_the_downtime_of_each_store_is_the_sum_over_its_incidents(served: Served) -> None:
    for period in PERIODS[served.begin]:
        statement = served.get(period=period)
        for store in statement["stores"]:
            own = [
                incident
                for incident in statement["incidents"]
                if incident["store_id"] == store["store_id"]
            ]
            assert sum(incident["lost_us"] for incident in own) == store["summary"]["down_us"]
            assert len(own) == store["summary"]["incidents"]


def test_the_incidents_are_those_of_the_reference_that_cost_time_in_the_period(
    served: Served,
) -> None:
    for period in PERIODS[served.begin]:
        found = {
            (incident["store_id"], at(incident["start"]), at(incident["end"]))
            for incident in served.get(period=period)["incidents"]
        }
        known = {
            (store_id, incident.start, incident.end)
            for store_id in ZONES
            for incident in oracle_history.incidents(
                served.inputs,
                store_id,
                served.begin - timedelta(days=2),
                as_of=served.as_of,
                max_gap=MAX_GAP,
            )
        }
        assert found
        assert found <= known


def test_a_stores_likely_range_is_that_of_its_history(served: Served) -> None:
    compared = 0
    for period, by in PERIODS[served.begin].items():
        begin = StatementPeriod.parse(period)
        for store in served.get(period=period)["stores"]:
            history = served.get(
                f"/stores/{store['store_id']}/uptime",
                **{"from": f"{begin.begin}", "to": f"{begin.end}", "by": by},
            )
            (row,) = history["periods"]
            assert row["uptime_us"] == store["summary"]["up_us"]
            if row["unknown_us"] == 0 and row["business_us"]:
                compared += 1
                for bound in ("lowest", "highest"):
                    # The two cut the gap at the beginning at different places: seconds in days.
                    assert store["summary"][f"likely_{bound}_us"] == pytest.approx(
                        row[f"likely_{bound}_uptime_us"], rel=1e-4
                    )
    assert compared


def test_the_total_has_a_range_around_its_uptime(served: Served) -> None:
    for period in PERIODS[served.begin]:
        statement = served.get(period=period)
        total = statement["total"]
        known_us = total["up_us"] + total["down_us"]
        assert 0 <= total["likely_lowest_us"] <= total["up_us"]
        assert total["up_us"] <= total["likely_highest_us"] <= known_us


def test_chunks_of_stores_make_the_same_statement(served: Served) -> None:
    for text in PERIODS[served.begin]:
        period = StatementPeriod.parse(text)
        whole = make_statement(served.url, Scope(), period)
        assert make_statement(served.url, Scope(), period, stores_per_chunk=1) == whole
        assert read_statement_json(statement_json(whole)) == whole


def test_a_group_and_a_store_are_parts_of_the_whole(served: Served) -> None:
    period = next(iter(PERIODS[served.begin]))
    whole = served.get(period=period)
    group = served.get(period=period, group="East")
    assert group["stores"] == whole["stores"][:2]
    one = served.get(period=period, store_id="B")
    assert one["stores"] == [whole["stores"][1]]
    assert one["total"] == whole["stores"][1]["summary"]


def test_the_objective_asked_for_comes_before_the_stored_one(served: Served) -> None:
    period = next(iter(PERIODS[served.begin]))
    low = served.get(period=period, objective=0)
    assert {store["summary"]["verdict"] for store in low["stores"]} <= {"met", "cannot be told"}
    assert low["total"]["verdict"] == "met"
    plain = served.get(period=period)
    assert plain["total"]["objective_percent"] is None
    assert plain["total"]["verdict"] is None


def test_a_closure_is_listed_in_the_weeks_that_it_touches(served: Served) -> None:
    execute(
        served.url,
        "INSERT INTO closures (store_key, start_local, end_local, reason, load_id)"
        " SELECT store_key, '2022-12-26 00:00', '2023-01-02 00:00', 'holidays', 1"
        " FROM stores WHERE store_id = 'A'",
    )
    for period, count in (("2022-W51", 0), ("2022-W52", 1), ("2023-W01", 0)):
        closures = served.get(period=period, store_id="A")["closures"]
        assert [closure["reason"] for closure in closures] == ["holidays"] * count
    assert served.get(period="2022-W52", store_id="B")["closures"] == []


def test_the_csv_has_the_same_figures_in_hours(served: Served) -> None:
    period = next(iter(PERIODS[served.begin]))
    statement = served.get(period=period)
    answer = served.ask("/statement.csv", period=period)
    assert f"statement-all-{period}.csv" in answer.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["store_id"] for row in rows] == list(ZONES)
    for row, store in zip(rows, statement["stores"], strict=True):
        assert row["period"] == period
        assert row["name"] == f"Store {store['store_id']}"
        assert float(row["up_hours"]) == pytest.approx(
            store["summary"]["up_us"] / 3.6e9, abs=0.00005
        )
    incidents = served.ask("/statement.csv", period=period, table="incidents")
    assert len(incidents.text.splitlines()) == len(statement["incidents"]) + 1


def test_the_workbook_names_period_and_newest_poll_and_counts_in_hours(served: Served) -> None:
    period = next(iter(PERIODS[served.begin]))
    statement = served.get(period=period)
    answer = served.ask("/statement.xlsx", period=period)
    book = openpyxl.load_workbook(io.BytesIO(answer.content))
    names = ["statement", "stores", "incidents", "closures", "corrections", "special-hours"]
    assert book.sheetnames == names
    facts = dict(book["statement"].iter_rows(max_col=2, values_only=True))
    assert facts["Statement of"] == "All stores"
    assert facts["Data up to"] == f"{served.as_of:%Y-%m-%d %H:%M:%S} UTC"
    opening = statement["total"]["opening_us"] / 3.6e9
    assert facts["Opening hours"] == pytest.approx(opening, abs=0.00005)
    heading, *rows, total = book["stores"].iter_rows(values_only=True)
    place = heading.index("Opening hours")
    assert [row[0] for row in rows] == list(ZONES)
    assert sum(row[place] for row in rows) == pytest.approx(total[place], abs=0.001)
    assert total[place] == pytest.approx(opening, abs=0.00005)


@pytest.mark.parametrize(
    ("parameters", "status", "field"),
    [
        pytest.param({"period": "2023-13"}, 422, "period", id="no such month"),
        pytest.param({"period": "2023-W54"}, 422, "period", id="no such week"),
        pytest.param({"period": "tomorrow"}, 422, "period", id="a word"),
        pytest.param({"period": "2024-01"}, 422, "period", id="after the newest poll"),
        pytest.param({"store_id": "Z"}, 404, None, id="an unknown store"),
        pytest.param({"store_id": ""}, 404, None, id="an empty store"),
    ],
)
def test_a_statement_that_cannot_be_made_is_a_problem_with_its_field(
    served: Served, parameters: dict[str, str], status: int, field: str | None
) -> None:
    for address in ("/statement", "/statement.xlsx"):
        answer = served.client.get(address, params=parameters)
        assert answer.status_code == status, answer.text
        fields = [error["field"] for error in answer.json().get("errors", [])]
        assert fields == ([] if field is None else [field])


def test_without_a_period_it_is_the_last_month_that_has_ended(served: Served) -> None:
    last = {SPRING: "2023-02", AUTUMN: "2023-10"}[served.begin]
    statement = served.get(store_id="A")
    assert (statement["period"], statement["is_complete"]) == (last, True)


def test_a_group_without_stores_has_an_empty_statement(served: Served) -> None:
    statement = served.get(group="Nowhere")
    assert statement["stores"] == statement["incidents"] == []
    assert statement["total"]["opening_us"] == 0
    assert statement["total"]["uptime_percent"] is None
    assert statement["total"]["verdict"] is None
    served.ask("/statement.xlsx", group="Nowhere")
    served.ask("/pages/statement", group="Nowhere")


def test_the_pdf_is_the_same_each_time(served: Served) -> None:
    period = next(iter(PERIODS[served.begin]))
    answer = served.ask("/statement.pdf", period=period)
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF-")
    assert served.ask("/statement.pdf", period=period).content == answer.content
