"""The likely range of a figure is one value wherever it is shown, and null before any model."""

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import httpx
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from api_server import serve
from databases import Databases
from stored import HOUR, at, execute, fetch, load, load_hours, load_zones
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.database.connections import create_engine
from storemon_pipeline.domain.amounts import UNKNOWN
from storemon_pipeline.domain.windows import Policy, Window
from storemon_pipeline.figures.compute_uptime import compute_uptime
from storemon_pipeline.figures.fit_status_model import fit_status_model
from storemon_pipeline.figures.refresh_uptime import refresh_uptime
from storemon_pipeline.figures.status_models import read_status_model, write_status_model
from storemon_pipeline.likelihood.doubts import Doubt
from storemon_pipeline.likelihood.model import StoreParameters
from storemon_pipeline.reports.ask_for_report import ask_for_report
from storemon_pipeline.reports.make_reports import make_waiting_reports
from storemon_pipeline.schedules.refresh_weeks import refresh_weeks
from storemon_pipeline.stores.store_index import read_stores
from storemon_pipeline.uptime.figures import Figures

NOW: Final = datetime(2023, 2, 6, 2, 30, tzinfo=UTC)
HOURS: Final = 264
STORES: Final = ("busy", "day", "sparse", "steady")
LIKELY: Final = ("likely_lowest_uptime_us", "likely_highest_uptime_us")


def fill(url: str) -> None:
    """Eleven days of hourly polls: `busy` is down at times, `day` is closed at night."""
    load(
        url,
        *(f"steady {hour:02}:00 up" for hour in range(HOURS)),
        *(f"busy {hour:02}:00 {'down' if hour % 17 in {3, 4} else 'up'}" for hour in range(HOURS)),
        *(f"day {hour:02}:00 {'down' if hour % 40 == 12 else 'up'}" for hour in range(HOURS)),
        f"sparse {HOURS - 30}:00 up",
        f"sparse {HOURS - 2}:00 up",
    )
    load_hours(url, *(f"day,{day},08:00,18:00" for day in range(7)))
    load_zones(url, *(f"{store},UTC" for store in STORES))
    load(url, f"steady {HOURS}:00 up")
    refresh_weeks(url)


@dataclass(frozen=True, slots=True)
class Served:
    """A running API, and the database behind it."""

    client: httpx.Client
    url: str

    def get(self, path: str, **parameters: str) -> Any:  # noqa: ANN401 - a JSON body
        response = self.client.get(path, params=parameters)
        assert response.status_code == 200, response.text
        return response.json()


@pytest.fixture
def filled(database_url: str) -> str:
    fill(database_url)
    return database_url


@pytest.fixture(scope="module")
def fitted_url(module_database_url: str) -> str:
    """Fill a database and fit a model once, for each test to have a copy."""
    fill(module_database_url)
    fit_status_model(module_database_url, fitted_at=NOW)
    refresh_uptime(module_database_url, refreshed_at=NOW)
    return module_database_url


@pytest.fixture(scope="module")
def served(databases: Databases, fitted_url: str) -> Iterator[Served]:
    """Give an API to tests that only read."""
    with databases.copied(fitted_url) as url, serve(url) as client:
        yield Served(client, url)


@pytest.fixture
def own_served(databases: Databases, fitted_url: str) -> Iterator[Served]:
    """Give an API of its own to a test that writes."""
    with databases.copied(fitted_url) as url, serve(url) as client:
        yield Served(client, url)


def limits(figures: Any) -> dict[str, list[int]]:  # noqa: ANN401 - a part of a JSON body
    return {window: [figures[window][name] for name in LIKELY] for window in Window}


def test_without_a_model_there_are_no_ranges(filled: str) -> None:
    refresh_uptime(filled, refreshed_at=NOW)
    with serve(filled) as client:
        store = client.get("/stores/busy", params={"objective": "50"}).json()
        total = client.get("/fleet/now").json()
        why = client.get("/stores/busy/explain").json()
        days = client.get("/stores/busy/uptime").json()
    nothing = {window: [None, None] for window in Window}
    assert limits(store["figures"]) == limits(total["windows"]) == nothing
    assert store["figures"]["week"]["verdict"] == "cannot be told"
    assert (why["status_model"], [why[name] for name in LIKELY]) == (None, [None, None])
    assert {day[name] for day in days["periods"] for name in LIKELY} == {None}
    stored = fetch(
        filled,
        "SELECT count(*) AS rows FROM store_uptime WHERE likely_lowest_uptime_last_week_us IS NULL",
    )
    assert stored == [{"rows": 4}]


def test_a_range_holds_the_figure_within_business_time(served: Served) -> None:
    for store_id in STORES:
        for figures in served.get(f"/stores/{store_id}")["figures"].values():
            lowest, highest = (figures[name] for name in LIKELY)
            assert 0 <= lowest <= figures["uptime_us"] <= highest <= figures["business_us"]
    busy = served.get("/stores/busy")["figures"]["week"]
    steady = served.get("/stores/steady")["figures"]["week"]
    width = {name: figures[LIKELY[1]] - figures[LIKELY[0]] for name, figures in
             (("busy", busy), ("steady", steady))}  # fmt: skip
    assert 0 < width["steady"] < width["busy"] < 24 * HOUR


def test_every_address_gives_the_same_range(served: Served) -> None:
    listed = {store["store_id"]: store for store in served.get("/stores")["stores"]}
    stored = {
        row["store_id"]: row
        for row in fetch(
            served.url, "SELECT s.store_id, u.* FROM store_uptime u JOIN stores s USING (store_key)"
        )
    }
    assert set(listed) == set(stored) == set(STORES)
    for store_id, store in listed.items():
        shown = limits(store["figures"])
        assert limits(served.get(f"/stores/{store_id}")["figures"]) == shown
        assert shown == {
            window: [
                stored[store_id][f"likely_{end}_uptime_last_{window}_us"]
                for end in ("lowest", "highest")
            ]
            for window in Window
        }
        for window in Window:
            why = served.get(f"/stores/{store_id}/explain", window=window)
            assert [why[name] for name in LIKELY] == shown[window]
            assert why["status_model"] == 1


def test_a_store_with_few_polls_is_flagged_with_the_reason(served: Served) -> None:
    assert "few_polls" in served.get("/stores/sparse")["likely_flags"]
    assert "few_polls" in served.get("/stores/sparse/explain")["likely_flags"]
    assert "few_polls" not in served.get("/stores/busy")["likely_flags"]


def test_a_total_has_a_range_of_its_own(served: Served) -> None:
    total = served.get("/fleet/now")["windows"]["week"]
    stores = [store["figures"]["week"] for store in served.get("/stores")["stores"]]
    lowest, highest = (total[name] for name in LIKELY)
    assert 0 <= lowest <= total["uptime_us"] <= highest <= total["business_us"]
    assert [lowest, highest] != [sum(store[name] for store in stores) for name in LIKELY]
    (zone,) = served.get("/fleet/now")["timezones"]
    assert limits(zone["windows"])["week"] == [lowest, highest]


def test_a_total_of_one_store_has_about_the_range_of_the_store(served: Served) -> None:
    total = limits(served.get("/fleet/now", q="busy")["windows"])["week"]
    own = limits(served.get("/stores/busy")["figures"])["week"]
    assert total == pytest.approx(own, abs=3 * HOUR)


@pytest.mark.parametrize(
    ("objective", "verdict"), [("50", "met"), ("100", "missed"), ("0.0001", "met")]
)
def test_an_objective_has_a_verdict_in_each_window(
    served: Served, objective: str, verdict: str
) -> None:
    store = served.get("/stores/busy", objective=objective)
    assert store["figures"]["week"]["verdict"] == verdict
    (listed,) = served.get("/stores", q="busy", objective=objective)["stores"]
    assert listed["figures"]["week"]["verdict"] == verdict
    total = served.get("/fleet/now", q="busy", objective=objective)
    assert total["windows"]["week"]["verdict"] == verdict


@pytest.mark.parametrize(("objective", "verdict"), [("50", "met"), ("100", "missed")])
def test_a_budget_has_a_verdict_though_the_month_began_before_the_first_poll(
    served: Served, objective: str, verdict: str
) -> None:
    budget = served.get("/stores/busy/budget", objective=objective, at="2023-01-28")
    assert budget["unknown_us"] > 0
    assert budget["verdict"] == verdict


def test_an_objective_within_the_range_cannot_be_told(served: Served) -> None:
    week = served.get("/stores/busy")["figures"]["week"]
    assert week["verdict"] is None
    percent = f"{100 * week['uptime_us'] / week['business_us']:.3f}"
    store = served.get("/stores/busy", objective=percent)
    assert store["figures"]["week"]["verdict"] == "cannot be told"


@pytest.mark.parametrize("objective", ["-1", "100.1", "NaN", "99.99999", "ninety"])
def test_what_is_no_percentage_is_refused(served: Served, objective: str) -> None:
    for path in ("/stores", "/stores/busy", "/fleet/now"):
        assert served.client.get(path, params={"objective": objective}).status_code == 422


def test_days_of_history_have_ranges_where_all_of_the_day_is_known(served: Served) -> None:
    days = served.get("/stores/busy/uptime", **{"from": "2023-01-21"})
    known = {day["begin_local"][:10]: day for day in days["periods"] if day[LIKELY[0]] is not None}
    # The first poll is of midnight on 23 January.
    assert list(known) == [f"2023-01-{day}" for day in range(23, 32)] + ["2023-02-01", "2023-02-02"]
    for day in known.values():
        lowest, highest = (day[name] for name in LIKELY)
        assert 0 <= lowest <= day["uptime_us"] <= highest <= day["business_us"]
    assert days["sum"][LIKELY[0]] is None
    whole = served.get("/stores/busy/uptime", **{"from": "2023-01-24", "to": "2023-01-31"})
    lowest, highest = (whole["sum"][name] for name in LIKELY)
    assert lowest <= whole["sum"]["uptime_us"] <= highest
    widths = sum(day[LIKELY[1]] - day[LIKELY[0]] for day in whole["periods"])
    assert 0 < highest - lowest < widths


def test_a_page_of_history_has_the_ranges_of_its_rows(served: Served) -> None:
    everything = served.get("/stores/busy/uptime", **{"from": "2023-01-24"})["periods"]
    page = served.get("/stores/busy/uptime", **{"from": "2023-01-24", "offset": "3", "limit": "2"})
    assert page["periods"] == everything[3:5]


def test_ranges_of_a_past_instant_use_no_later_poll(own_served: Served) -> None:
    past = {"as_of": "2023-01-31T00:00:00Z", "window": "week"}
    before = own_served.get("/stores/busy/explain", **past)
    execute(own_served.url, f"DELETE FROM status_runs WHERE first_poll_at > '{at('192:00')}'")
    assert own_served.get("/stores/busy/explain", **past) == before


def figures_of(url: str, stores_per_chunk: int) -> list[Figures]:
    with bulk_transaction(url) as bulk:
        return [
            figures
            for _, figures in compute_uptime(
                bulk,
                read_stores(bulk),
                as_of=at(f"{HOURS}:00"),
                policy=Policy.NEAREST,
                model=read_status_model(bulk),
                stores_per_chunk=stores_per_chunk,
            )
        ]


def test_a_range_does_not_depend_on_the_stores_beside_it(served: Served) -> None:
    (whole,) = figures_of(served.url, 100)
    single = figures_of(served.url, 1)
    assert (whole.likely_lowest_uptime_us != UNKNOWN).all()
    for name in ("likely_lowest_uptime_us", "likely_highest_uptime_us", "likely_deviation_s"):
        alone = np.concatenate([getattr(figures, name) for figures in single])
        assert (getattr(whole, name) == alone).all()


def ask(url: str, as_of: datetime | None, status_model: int | None) -> str:
    """Request a report without the API, whose dispatcher would try to launch a run."""
    engine = create_engine(url, application_name="test", pool_size=1)
    try:
        return ask_for_report(
            engine, as_of=as_of, policy=Policy.NEAREST, status_model_id=status_model
        )
    finally:
        engine.dispose()


def make_report(
    served: Served, *, as_of: datetime | None = None, status_model: int | None = None
) -> str:
    report_id = ask(served.url, as_of, status_model)
    make_waiting_reports(served.url, run_id="run", is_manual=False)
    return report_id


def test_a_report_has_the_ranges_and_names_the_version_of_the_model(own_served: Served) -> None:
    report_id = make_report(own_served)
    status = own_served.get(f"/get_report/{report_id}")
    assert status["status_model"] == 1
    report = own_served.get(f"/reports/{report_id}.json")
    assert report["status_model"] == "1"
    rows = {row["store_id"]: row for row in report["rows"]}
    for store in own_served.get("/stores")["stores"]:
        row = rows.pop(store["store_id"])
        assert row["likely_flags"] == (" ".join(store["likely_flags"]) or None)
        assert limits(store["figures"]) == {
            window: [row[f"likely_{end}_uptime_last_{window}_us"] for end in ("lowest", "highest")]
            for window in Window
        }
    assert rows == {}
    # The CSV keeps its seven columns.
    assert own_served.client.get(f"/reports/{report_id}.csv").text.splitlines()[0].count(",") == 6


def test_totals_of_a_report_have_the_ranges_of_the_newest_totals(own_served: Served) -> None:
    report_id = make_report(own_served)
    (total,) = own_served.get(f"/reports/{report_id}/totals", objective="50")["totals"]
    now = own_served.get("/fleet/now", objective="50")
    assert limits(total["windows"]) == limits(now["windows"])
    assert total["likely_flags"] == now["likely_flags"]
    verdicts = [total["windows"][window]["verdict"] for window in Window]
    assert verdicts == [now["windows"][window]["verdict"] for window in Window]
    assert verdicts == ["met"] * 3


def test_reasons_to_doubt_stores_and_totals_are_in_a_report(own_served: Served) -> None:
    with bulk_transaction(own_served.url) as bulk:
        version, stores = read_status_model(bulk), read_stores(bulk)
        assert version is not None
        doubt = np.full(len(stores), int(Doubt.SWITCHED_OFF | Doubt.FEW_POLLS))
        write_status_model(
            bulk,
            stores,
            version.model,
            StoreParameters(version.parameters_of(stores).of_class, doubt),
            polled=np.arange(len(stores)),
            as_of=at(f"{HOURS}:00"),
            fitted_at=NOW,
        )
    report_id = make_report(own_served)
    rows = own_served.get(f"/reports/{report_id}.json")["rows"]
    assert {row["likely_flags"] for row in rows} == {"switched_off few_polls"}
    (total,) = own_served.get(f"/reports/{report_id}/totals")["totals"]
    # Few polls of one store do not make the total wrong.
    assert total["likely_flags"] == ["switched_off"]


def test_a_report_holds_an_objective_against_each_row(own_served: Served) -> None:
    report_id = make_report(own_served)
    plain = own_served.client.get(f"/reports/{report_id}.json")
    judged = own_served.client.get(f"/reports/{report_id}.json", params={"objective": "95"})
    assert plain.headers["ETag"] != judged.headers["ETag"]
    verdicts = {row["store_id"]: row["verdict_last_week"] for row in judged.json()["rows"]}
    assert (verdicts["busy"], verdicts["steady"]) == ("missed", "met")
    assert "verdict_last_week" not in plain.json()["rows"][0]


@pytest.mark.parametrize("extension", ["parquet", "xlsx", "ndjson"])
def test_every_extended_format_has_the_ranges(own_served: Served, extension: str) -> None:
    report_id = make_report(own_served)
    content = own_served.client.get(f"/reports/{report_id}.{extension}").content
    match extension:
        case "parquet":
            table = pq.read_table(io.BytesIO(content))
            names = table.column_names
            assert table.schema.metadata[b"storemon.status_model"] == b"1"
        case "xlsx":
            names = list(pd.read_excel(io.BytesIO(content)).columns)
        case _:
            names = list(json.loads(content.splitlines()[0]))
    likely = [name for name in names if name.startswith("likely_")]
    assert likely == [
        *(f"likely_lowest_uptime_last_{window}_us" for window in Window),
        *(f"likely_highest_uptime_last_{window}_us" for window in Window),
        "likely_flags",
    ]


def test_a_report_is_made_again_byte_for_byte_with_the_version_that_it_names(
    own_served: Served,
) -> None:
    as_of = datetime(2023, 2, 2, 12, tzinfo=UTC)
    first = make_report(own_served, as_of=as_of)
    # A model that was fitted to other polls gives other ranges.
    execute(own_served.url, "UPDATE status_runs SET is_active = NOT is_active WHERE polls = 2")
    fit_status_model(own_served.url, fitted_at=NOW)
    execute(own_served.url, "UPDATE status_runs SET is_active = NOT is_active WHERE polls = 2")
    newest = make_report(own_served, as_of=as_of)
    again = make_report(own_served, as_of=as_of, status_model=1)
    rows = {
        report_id: own_served.get(f"/reports/{report_id}.json")["rows"]
        for report_id in (first, newest, again)
    }
    assert rows[again] == rows[first] != rows[newest]
    assert [own_served.get(f"/get_report/{one}")["status_model"] for one in rows] == [1, 2, 1]
    stored = fetch(
        own_served.url,
        "SELECT result_id, md5(string_agg(content, '' ORDER BY part)) AS content"
        " FROM report_columns GROUP BY result_id ORDER BY result_id",
    )
    of_first, of_newest, of_again = (row["content"] for row in stored)
    assert of_again == of_first != of_newest


def test_a_request_names_a_version_that_is_there(own_served: Served) -> None:
    response = own_served.client.post("/trigger_report", json={"status_model": 1})
    assert response.status_code == 200
    asked = fetch(own_served.url, "SELECT requested_status_model_id AS version FROM reports")
    assert asked == [{"version": 1}]
    response = own_served.client.post("/trigger_report", json={"status_model": 7})
    assert response.status_code == 422
    assert "status_model" in response.text


def test_a_report_fails_when_its_version_went_meanwhile(own_served: Served) -> None:
    report_id = ask(own_served.url, None, 1)
    execute(own_served.url, "DELETE FROM status_models")
    make_waiting_reports(own_served.url, run_id="run", is_manual=False)
    status = own_served.get(f"/get_report/{report_id}")
    assert status["status"] == "Failed"
    assert "no version 1" in status["error"]


def test_a_report_without_a_model_has_no_ranges(filled: str) -> None:
    with serve(filled) as client:
        served = Served(client, filled)
        report_id = make_report(served)
        assert "status_model" not in served.get(f"/get_report/{report_id}")
        row = served.get(f"/reports/{report_id}.json")["rows"][0]
        assert row["likely_lowest_uptime_last_week_us"] is None
        assert row["likely_flags"] is None
        (total,) = served.get(f"/reports/{report_id}/totals")["totals"]
        assert limits(total["windows"])["week"] == [None, None]
