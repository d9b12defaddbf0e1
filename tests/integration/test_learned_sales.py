"""Sales learned from orders, over HTTP: their ranges hold the doubt of the rates."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from math import hypot
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
import pytest

from api_server import serve
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.demand.demand_table import read_demand
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.figures.fit_status_model import fit_first_status_model
from storemon_pipeline.figures.learn_demand import learn_demand_when_due
from storemon_pipeline.figures.refresh_daily import refresh_daily
from storemon_pipeline.figures.refresh_uptime import refresh_uptime
from storemon_pipeline.ingestion.ingest_files import ingest_source
from storemon_pipeline.schedules.refresh_weeks import refresh_weeks
from storemon_pipeline.stores.store_index import read_stores

NOW: Final = datetime(2023, 2, 1, tzinfo=UTC)
AS_OF: Final = datetime(2023, 1, 25, tzinfo=UTC)
HOUR: Final = timedelta(hours=1)
DOWN: Final = {"A": (30, 31), "B": (50,), "C": ()}
"""Hours before the newest poll at whose polls a store is down: from half an hour before it."""


def load(url: str, folder: Path, source: Source, name: str, *rows: str) -> None:
    (folder / f"{name}.csv").write_text("\n".join([*rows, ""]))
    ingest_source(url, folder, source, now=NOW, run_id=None)


@pytest.fixture(scope="module")
def served(
    module_database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[httpx.Client, dict[str, np.ndarray]]]:
    """Give an API over three stores that sell, and the learned rates of each: (3, 168)."""
    url, folder = module_database_url, tmp_path_factory.mktemp("learned")
    polls, orders = ["store_id,timestamp_utc,status"], ["store_id,ordered_at,amount,currency"]
    for ago in range(15 * 24):
        at = AS_OF - ago * HOUR
        for number, (store, down) in enumerate(DOWN.items()):
            state = "inactive" if ago in down else "active"
            polls.append(f"{store},{at:%Y-%m-%d %H:%M:%S},{state}")
            if ago not in down:
                amount = 2 + number + at.hour / 8
                orders.append(f"{store},{at - HOUR / 4:%Y-%m-%d %H:%M:%S},{amount:.2f},USD")
    load(url, folder, Source.STORE_STATUS, "store_status", *polls)
    zones = ("store_id,timezone_str", *(f"{store},UTC" for store in DOWN))
    load(url, folder, Source.STORE_TIMEZONES, "timezones", *zones)
    refresh_weeks(url)
    load(url, folder, Source.HOURLY_ORDERS, "orders", *orders)
    assert learn_demand_when_due(url) == len(DOWN)
    fit_first_status_model(url, fitted_at=NOW)
    refresh_uptime(url, refreshed_at=NOW)
    refresh_daily(url)
    with bulk_transaction(url) as bulk:
        curves = read_demand(bulk, read_stores(bulk))
    assert curves is not None
    assert curves.lowest is not None
    assert curves.highest is not None
    of_stores = np.stack([curves.lowest, curves.rate, curves.highest], axis=1)
    with serve(url) as client:
        yield client, dict(zip(DOWN, of_stores, strict=True))


def get(client: httpx.Client, path: str) -> Any:  # noqa: ANN401 - JSON
    return client.get(path).raise_for_status().json()


def lost_at(rates: np.ndarray, store: str) -> np.ndarray:
    """What a store has lost at its lowest, mean and highest rates, in currency units."""
    lost = np.zeros(3)
    for ago in DOWN[store]:
        at = AS_OF - ago * HOUR
        for half in (at - HOUR / 2, at):
            lost += rates[:, half.weekday() * 24 + half.hour] / 2 / 100
    return lost


def test_the_range_of_a_store_holds_the_doubt_of_its_rates(
    served: tuple[httpx.Client, dict[str, np.ndarray]],
) -> None:
    client, rates = served
    for store in ("A", "B"):
        sales = get(client, f"/stores/{store}")["sales"]["week"]
        lowest, lost, highest = lost_at(rates[store], store)
        assert sales["lost"] == pytest.approx(lost, abs=0.011)
        # Never narrower than either doubt: that of the rates, and that of the time.
        assert sales["lowest"] <= lowest + 0.01 < lost
        assert sales["highest"] >= highest - 0.01 > lost
    assert get(client, "/stores/C")["sales"]["week"]["lost"] == 0


def test_the_doubts_of_different_stores_do_not_add_up_in_totals(
    served: tuple[httpx.Client, dict[str, np.ndarray]],
) -> None:
    client, rates = served
    (total,) = get(client, "/fleet/now")["windows"]["week"]["sales"]
    days = "from=2023-01-18&to=2023-01-25&earlier_from=2023-01-11&earlier_to=2023-01-18"
    (found,) = get(client, f"/fleet/comparison?{days}&sales=true")["comparisons"]
    (of_days,) = found["later"]["sales"]
    of_a, of_b = (lost_at(rates[store], store) for store in "AB")
    lost = of_a[1] + of_b[1]
    below, above = (hypot(of_a[end] - of_a[1], of_b[end] - of_b[1]) for end in (0, 2))
    for sales in (total, of_days):
        assert sales["lost"] == pytest.approx(lost, abs=0.011)
        assert 0 < sales["lowest"] <= lost - below + 0.01
        assert sales["highest"] >= lost + above - 0.01
    (before,) = found["earlier"]["sales"]
    assert before["lost"] == 0
