"""Clients of the API in a process of their own: each asks once a second, as clients do.

Prints a JSON list of the seconds that the answers took. The client is a light one: it takes its
share of the processors that the service under test runs on.
"""

import argparse
import asyncio
import json
import random
import sys
import time

import aiohttp


async def _client(
    api: aiohttp.ClientSession, method: str, path: str, until: float, taken: list[float]
) -> None:
    await asyncio.sleep(random.random())  # noqa: S311 - spreads the clients over the second
    while (begun := time.perf_counter()) < until:
        async with api.request(method, path) as answer:
            await answer.read()
            taken.append(time.perf_counter() - begun)
            answer.raise_for_status()
        await asyncio.sleep(max(0.0, begun + 1 - time.perf_counter()))


async def _ask(url: str, method: str, path: str, clients: int, seconds: float) -> list[float]:
    taken: list[float] = []
    connector = aiohttp.TCPConnector(limit=clients)
    timeout = aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(url, connector=connector, timeout=timeout) as api:
        until = time.perf_counter() + seconds
        await asyncio.gather(*(_client(api, method, path, until, taken) for _ in range(clients)))
    return taken


def main() -> None:
    """Read the command line, ask, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("method")
    parser.add_argument("path")
    parser.add_argument("clients", type=int)
    parser.add_argument("seconds", type=float)
    given = parser.parse_args()
    taken = asyncio.run(_ask(given.url, given.method, given.path, given.clients, given.seconds))
    json.dump(taken, sys.stdout)


if __name__ == "__main__":
    main()
