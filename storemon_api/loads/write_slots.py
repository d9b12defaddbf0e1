"""Run writing operations in threads, with a limit on concurrency and waiting time."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Concatenate, Final, ParamSpec, TypeVar

import anyio
import anyio.to_thread

from storemon_api.http.problems import BUSY, ProblemError
from storemon_api.http.services import Services
from storemon_pipeline.database.bulk import BusyError

WRITE_SLOTS: Final = 2
"""One request writes while the next one's body is parsed; more would wait for the same lock."""

WRITE_TIMEOUT: Final = timedelta(seconds=2)
"""How long a request waits for a slot, and then for the lock of the load before it."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


async def write(
    services: Services,
    operation: Callable[Concatenate[str, _P], _T],
    /,
    *args: _P.args,
    **kwargs: _P.kwargs,
) -> _T:
    """Run an operation in a thread and return its result; its first argument is the database URL.

    Raises a 503 problem when no slot is free within WRITE_TIMEOUT, or another load holds the lock.
    """
    url = services.settings.database_url.get_secret_value()
    with anyio.move_on_after(WRITE_TIMEOUT.total_seconds()) as waiting:
        await services.write_slots.acquire_on_behalf_of(waiting)
    if waiting.cancelled_caught:
        raise ProblemError(BUSY)
    try:
        return await anyio.to_thread.run_sync(partial(operation, url, *args, **kwargs))
    except BusyError as error:
        raise ProblemError(BUSY) from error
    finally:
        services.write_slots.release_on_behalf_of(waiting)
