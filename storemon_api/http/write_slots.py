"""Running what writes to the database beside the handlers that read: few at a time, never for long.

What is written is the pipeline's matter.
"""

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
"""One writes while another one's body is parsed; more would only wait for the same lock."""

WRITE_TIMEOUT: Final = timedelta(seconds=2)
"""So long a request waits for its turn, and then for the load before it to end."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


async def write(
    services: Services,
    operation: Callable[Concatenate[str, _P], _T],
    /,
    *args: _P.args,
    **kwargs: _P.kwargs,
) -> _T:
    """Return what the operation returns; its first argument is the database's URL.

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
