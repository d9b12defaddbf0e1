"""The extended report in every format: the same rows, with the figures of the CSV."""

import csv
import io
import json
import uuid
from typing import Any

import httpx
import openpyxl
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from api_server import failed_report, waiting_report
from stored import execute, load
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.reports.make_reports import make_waiting_reports
from storemon_pipeline.schedules.weekly_intervals import refresh_intervals

STORES = ("A", "=1+1", "-5", "z")


@pytest.fixture
def report(database_url: str, engine: sa.Engine) -> str:
    """A complete report of four stores that were up and then down."""
    for store in STORES:
        load(database_url, f"{store} 01:00 up", f"{store} 11:20 up", f"{store} 12:00 down")
    with bulk_transaction(database_url, is_writing_polls=True) as bulk:
        refresh_intervals(bulk)
    report_id = waiting_report(engine)
    make_waiting_reports(database_url, run_id=str(uuid.uuid4()), is_manual=False)
    return report_id


def decoded(extension: str, content: bytes) -> list[dict[str, Any]]:
    match extension:
        case "json":
            rows: list[dict[str, Any]] = json.loads(content)["rows"]
            return rows
        case "ndjson":
            return [json.loads(line) for line in content.decode().splitlines()]
        case "parquet":
            table = pq.read_table(io.BytesIO(content))
            records: list[dict[str, Any]] = table.to_pylist()
            return records
        case _:
            sheet = openpyxl.load_workbook(io.BytesIO(content))["report"]
            names, *values = sheet.iter_rows(values_only=True)
            return [dict(zip(names, row, strict=True)) for row in values]


@pytest.mark.parametrize("extension", ["json", "ndjson", "parquet", "xlsx"])
def test_every_format_has_the_csv_s_rows_and_more(
    client: httpx.Client, report: str, extension: str
) -> None:
    expected = list(csv.reader(io.StringIO(client.get(f"/reports/{report}.csv").text)))[1:]
    answer = client.get(f"/reports/{report}.{extension}")
    assert answer.status_code == 200
    rows = decoded(extension, answer.content)
    assert len(rows) == len(expected) == 4
    for row, line in zip(rows, expected, strict=True):
        named = list(row.values())
        # A spreadsheet would run the formula; the other formats are read by programs.
        assert named[0] == (line[0] if extension == "xlsx" else line[0].removeprefix("'"))
        assert [f"{float(value):.4f}" for value in named[1:7]] == line[1:]
        # Always open, down since 11:40: 20 of the last 60 minutes.
        assert row["uptime_last_hour_us"] == 40 * 60_000_000
        assert row["business_last_hour_us"] == 60 * 60_000_000
        assert row["uptime_percent_last_hour"] == 66.66
        # Between the last active and the first inactive poll nothing is sure.
        assert row["lowest_uptime_last_hour_us"] == 0
        assert row["highest_uptime_last_hour_us"] == 60 * 60_000_000


def test_accept_chooses_the_format(client: httpx.Client, report: str) -> None:
    def media_type(accept: str | None) -> str:
        headers = {} if accept is None else {"Accept": accept}
        answer = client.get(f"/reports/{report}", headers=headers)
        assert answer.headers["Vary"] == "Accept"
        return answer.headers["Content-Type"].partition(";")[0]

    assert media_type("*/*") == "text/csv"
    assert media_type("application/json") == "application/json"
    assert media_type("application/x-ndjson;q=0.9, text/csv;q=0.1") == "application/x-ndjson"
    assert media_type("application/vnd.apache.parquet") == "application/vnd.apache.parquet"


def test_a_client_that_has_a_format_gets_304(client: httpx.Client, report: str) -> None:
    answer = client.get(f"/reports/{report}.parquet")
    tag = answer.headers["ETag"]
    again = client.get(f"/reports/{report}.parquet", headers={"If-None-Match": tag})
    assert again.status_code == 304
    other = client.get(f"/reports/{report}.json", headers={"If-None-Match": tag})
    assert other.status_code == 200


def test_other_formats_of_an_incomplete_report_respond_as_its_csv_does(
    client: httpx.Client, engine: sa.Engine, report: str
) -> None:
    assert client.get(f"/reports/{report}.pdf").status_code == 404
    assert client.get(f"/reports/{uuid.uuid4()}.json").status_code == 404
    failed = failed_report(engine, "Nothing to report on.")
    assert client.get(f"/reports/{failed}.json").status_code == 409
    assert client.get(f"/reports/{failed}").json()["detail"] == "Nothing to report on."


@pytest.fixture
def groups(database_url: str, report: str) -> None:
    """A and -5 belong to one group, in two regions; z to none."""
    del report
    for store_id, group, region in (("A", "North", "East"), ("-5", "North", "West")):
        execute(
            database_url,
            "INSERT INTO store_details (store_key, name, group_name, region, load_id)"
            f" SELECT store_key, NULL, '{group}', '{region}', 1 FROM stores"
            f" WHERE store_id = '{store_id}'",
        )


@pytest.mark.usefixtures("groups")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("group=North", ["-5", "A"]),
        ("group=North&region=East", ["A"]),
        ("region=West", ["-5"]),
        ("group=nobody%27s", []),
    ],
)
def test_a_group_s_report_has_the_lines_of_its_stores(
    client: httpx.Client, report: str, query: str, expected: list[str]
) -> None:
    whole = client.get(f"/reports/{report}.csv").text.splitlines()
    answer = client.get(f"/reports/{report}.csv?{query}")
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert answer.text.splitlines() == [
        whole[0],
        *(line for line in whole[1:] if line.split(",")[0].removeprefix("'") in expected),
    ]
    for extension in ("json", "ndjson", "parquet", "xlsx"):
        rows = decoded(extension, client.get(f"/reports/{report}.{extension}?{query}").content)
        assert [str(row["store_id"]) for row in rows] == expected
    accepted = client.get(f"/reports/{report}?{query}", headers={"Accept": "text/csv"})
    assert accepted.text == answer.text


@pytest.mark.usefixtures("groups")
def test_a_report_s_totals_are_sums_and_shares_of_sums(client: httpx.Client, report: str) -> None:
    rows = {row["store_id"]: row for row in client.get(f"/reports/{report}.json").json()["rows"]}

    def totals(query: str) -> dict[str | None, Any]:
        answer = client.get(f"/reports/{report}/totals?{query}").json()
        return {total["name"]: total for total in answer["totals"]}

    for found, members in (
        (totals("")[None], list(STORES)),
        (totals("split=group")["North"], ["A", "-5"]),
        (totals("split=group")[None], ["=1+1", "z"]),
        (totals("split=region")["West"], ["-5"]),
        (totals("split=region&group=North")["East"], ["A"]),
    ):
        assert found["stores"] == len(members)
        for window, share in found["windows"].items():
            for name in ("business", "uptime", "downtime", "observed"):
                column = f"{name}_last_{window}_us"
                assert share[f"{name}_us"] == sum(rows[store][column] for store in members)
            up, business = share["uptime_us"], share["business_us"]
            assert share["uptime_percent"] == up * 10_000 // business / 100
    assert set(totals("split=region&group=North")) == {"East", "West"}
    assert totals("group=nobody") == {}


def test_a_group_is_text_and_a_split_is_known(client: httpx.Client, report: str) -> None:
    assert client.get(f"/reports/{report}.csv?group=%00").status_code == 422
    assert client.get(f"/reports/{report}/totals?split=colour").status_code == 422
    assert client.get(f"/reports/{uuid.uuid4()}/totals").status_code == 404
