"""What pages ask of a month of 14,092 stores, from the database and from a lake that has the polls.

Both are measured in one run, each in an API of its own. The first answers compute what later ones
need as well.
"""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import httpx

from api_server import serve
from benchmarks.goals import Measured
from benchmarks.loaded import load, load_all, make_database, server
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.figures.fit_status_model import fit_first_status_model
from storemon_pipeline.figures.refresh_daily import refresh_daily
from storemon_pipeline.figures.refresh_uptime import refresh_uptime
from storemon_pipeline.lake.move_polls import move_polls
from storemon_pipeline.lake_files.lake_folder import LakeFolder
from storemon_pipeline.sample_data import write_sample_data

_STORES: Final = 14_092
_DAYS: Final = 31.0
_SEED: Final = 1
_TIMES: Final = 4
_OF_STORE: Final = 1.0
_OF_FLEET: Final = 3.0
"""The goals, in seconds."""

_ADDRESSES: Final = {
    "Now": (_OF_FLEET, "/stores"),
    "incidents of all": (_OF_FLEET, "/incidents"),
    "month by day": (_OF_FLEET, "/fleet/uptime?by=day"),
    "month by day of a group": (_OF_FLEET, "/fleet/uptime?by=day&group={group}"),
    "month by group": (_OF_FLEET, "/fleet/uptime?by=month&split=group"),
    "two weeks compared": (_OF_FLEET, "/fleet/comparison?period=last-week"),
    "two days by hour": (_OF_FLEET, "/fleet/uptime?by=hour"),
    "a store's timeline": (_OF_STORE, "/stores/{store}/timeline"),
    "a store's days": (_OF_STORE, "/stores/{store}/uptime?by=day"),
    "a store's incidents": (_OF_STORE, "/stores/{store}/incidents"),
    "why this number": (_OF_STORE, "/stores/{store}/explain"),
}


def measure(work: Path) -> list[Measured]:
    """Load a month, ask, move the polls, and ask again."""
    data = work / "pages-data"
    data.mkdir()
    write_sample_data(data, stores=_STORES, days=_DAYS, seed=_SEED)
    with server(work / "pages-server") as server_url:
        url = make_database(server_url, "pages")
        load_all(url, data)
        load(url, data, Source.STORE_DETAILS)
        now = datetime.now(UTC)
        fit_first_status_model(url, fitted_at=now)
        refresh_uptime(url, refreshed_at=now)
        refresh_daily(url)
        of_database = _ask(url)
        move_polls(url, LakeFolder(str(work / "pages-lake")))
        of_lake = _ask(url)
    return [
        Measured(
            f"lake: {name}",
            goal,
            max(of_lake[name]),
            "s",
            f"again {min(of_lake[name][1:]):.2f} s; from the database "
            f"{of_database[name][0]:.2f} s, again {min(of_database[name][1:]):.2f} s",
        )
        for name, (goal, _) in _ADDRESSES.items()
    ]


def _ask(url: str) -> dict[str, list[float]]:
    """The seconds of each address, asked several times."""
    seconds: dict[str, list[float]] = {}
    names: dict[str, str] = {}
    with serve(url) as client:
        for name, (_, address) in _ADDRESSES.items():
            path = address.format(**names)
            seconds[name] = [_seconds(client, path) for _ in range(_TIMES)]
            if not names:
                stores = _get(client, "/stores?limit=500").json()["stores"]
                store = next(store for store in stores if store["group"])
                names = {"store": store["store_id"], "group": store["group"]}
    return seconds


def _get(client: httpx.Client, path: str) -> httpx.Response:
    return client.get(path).raise_for_status()


def _seconds(client: httpx.Client, path: str) -> float:
    began = time.perf_counter()
    _get(client, path)
    return time.perf_counter() - began
