"""Requests one report from the running API, as a client of its HTTP interface."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, BinaryIO, Self

import httpx
from pydantic import SecretStr

from storemon_pipeline.host.errors import ServiceError

_TIMEOUT = httpx.Timeout(30.0, connect=3.0)
_POLL_SECONDS = 0.3
# How long the API may be unreachable while waiting for a report, as in a restart.
_PATIENCE_SECONDS = 60.0


class ReportFailedError(ServiceError):
    """The report failed; `str()` is the API's error message."""


class ApiUnreachableError(ServiceError):
    """Nothing answers at the API's address."""


@dataclass(frozen=True, slots=True)
class FinishedReport:
    """A complete report, as its status resource describes it."""

    report_id: str
    as_of: str
    stores: int
    silent_stores: int


class ReportRequest:
    """One report of the API at `base_url`; use it in a `with`."""

    def __init__(self, base_url: str, *, key: SecretStr | None = None) -> None:
        self._base_url = base_url
        headers = {} if key is None else {"Authorization": f"Bearer {key.get_secret_value()}"}
        # The service is on this machine or was named explicitly: use no proxy.
        self._client = httpx.Client(
            base_url=base_url, timeout=_TIMEOUT, trust_env=False, headers=headers
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.close()

    def trigger(self, *, as_of: str | None, policy: str | None) -> str:
        """Request the report; return its id.

        Raises ApiUnreachableError without a response, ReportFailedError when it is refused.
        """
        wanted = {"as_of": as_of, "policy": policy}
        body = {name: value for name, value in wanted.items() if value is not None}
        try:
            response = self._client.post("/trigger_report", json=body)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        return str(self._read(response)["report_id"])

    def wait(self, report_id: str, on_check: Callable[[float], None]) -> FinishedReport:
        """Wait until it is complete; `on_check` gets the elapsed seconds at every check.

        Raises ReportFailedError with the report's own sentence when it failed.
        """
        begun = last_response = time.monotonic()
        while True:
            on_check(time.monotonic() - begun)
            try:
                response = self._client.get(f"/get_report/{report_id}")
            except httpx.HTTPError as error:
                if time.monotonic() - last_response > _PATIENCE_SECONDS:
                    raise self._unreachable(error) from error
            else:
                if response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                    last_response = time.monotonic()
                    status = self._read(response)
                    if status["status"] == "Failed":
                        raise ReportFailedError(f"The report failed: {status['error']}")
                    if status["status"] == "Complete":
                        return FinishedReport(
                            report_id=report_id,
                            as_of=str(status["as_of"]),
                            stores=int(status["stores"]),
                            silent_stores=int(status["silent_stores"]),
                        )
                elif time.monotonic() - last_response > _PATIENCE_SECONDS:
                    self._read(response)
            time.sleep(_POLL_SECONDS)

    def download(self, report_id: str, out: BinaryIO) -> int:
        """Write the CSV; return its bytes."""
        written = 0
        try:
            with self._client.stream("GET", f"/reports/{report_id}.csv") as response:
                if not response.is_success:
                    response.read()
                    self._read(response)
                for chunk in response.iter_bytes():
                    written += out.write(chunk)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        return written

    def _read(self, response: httpx.Response) -> dict[str, Any]:
        try:
            body = response.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise ApiUnreachableError(
                f"The server at {self._base_url} is not storemon's API "
                f"(status {response.status_code}): check --host and --port."
            )
        if not response.is_success:
            raise ReportFailedError(_problem_sentence(body))
        return body

    def _unreachable(self, error: Exception) -> ApiUnreachableError:
        return ApiUnreachableError(
            f"Nothing answers at {self._base_url} ({type(error).__name__}): start the service with "
            "`storemon up`, or name another address with --host and --port."
        )


def _problem_sentence(body: dict[str, Any]) -> str:
    """Return the problem's detail, and the messages about fields that it does not contain."""
    detail = str(body.get("detail") or body.get("title") or "The API refused.")
    more = [
        f"{error.get('field', 'request')}: {error['message']}"
        for error in body.get("errors") or []
        if isinstance(error, dict) and error.get("message") and error["message"] not in detail
    ]
    return " ".join([detail, *more])
