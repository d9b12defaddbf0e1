"""Clients of the API in a process of their own: each asks once a second, as clients do.

Prints a JSON list of the seconds that the answers took.
"""

import argparse
import asyncio
import json
import random
import sys
import time

import httpx


async def _client(
    api: httpx.AsyncClient, method: str, path: str, until: float, taken: list[float]
) -> None:
    await asyncio.sleep(random.random())  # noqa: S311 - spreads the clients over the second
    while (begun := time.perf_counter()) < until:
        answer = await api.request(method, path)
        taken.append(time.perf_counter() - begun)
        answer.raise_for_status()
        await asyncio.sleep(max(0.0, begun + 1 - time.perf_counter()))


async def _ask(url: str, method: str, path: str, clients: int, seconds: float) -> list[float]:
    taken: list[float] = []
    limits = httpx.Limits(max_connections=clients, max_keepalive_connections=clients)
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=30, trust_env=False) as api:
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
