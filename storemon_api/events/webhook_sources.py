"""The sources of webhooks that the API accepts messages of, with their secrets."""

import os
import time
from dataclasses import dataclass
from threading import Lock
from typing import Annotated, Final

from fastapi import Depends, FastAPI

from storemon_api.http.problems import UNKNOWN_WEBHOOK, WEBHOOK_NOT_READY, ProblemError
from storemon_api.http.services import from_state
from storemon_api.security.rate_limits import RateLimits
from storemon_pipeline.domain.rejections import UnusableFileError
from storemon_pipeline.files.folders import LocationError, UnreachableError, data_folder
from storemon_pipeline.webhooks.webhook_settings import (
    NoSecretError,
    WebhookSettingsError,
    WebhookSource,
    read_secrets,
    read_webhook_sources,
)

_SECONDS_KEPT: Final = 5.0
"""Anybody can send messages, so the file, which may be far away, is not read for each of them."""


@dataclass(frozen=True, slots=True)
class ReadySource:
    """A source of webhooks with the secrets that its messages may be signed with."""

    name: str
    source: WebhookSource
    secrets: list[str]


class WebhookSources:
    """Reads `webhooks.toml` of the data folder, at most every few seconds."""

    def __init__(self, data: str) -> None:
        self._data = data
        self._lock = Lock()
        self._read_at = -_SECONDS_KEPT
        self._sources: dict[str, WebhookSource] | ProblemError = {}

    def find(self, name: str) -> ReadySource:
        """The source of this name. Raises a 404 problem, and a 503 problem that says what to do."""
        sources = self._read()
        if isinstance(sources, ProblemError):
            raise sources
        source = sources.get(name)
        if source is None:
            raise ProblemError(UNKNOWN_WEBHOOK)
        try:
            return ReadySource(name, source, read_secrets(name, source, os.environ))
        except NoSecretError as error:
            raise ProblemError(WEBHOOK_NOT_READY, str(error)) from error

    def _read(self) -> dict[str, WebhookSource] | ProblemError:
        with self._lock:
            if time.monotonic() - self._read_at >= _SECONDS_KEPT:
                try:
                    self._sources = read_webhook_sources(data_folder(self._data))
                except WebhookSettingsError as error:
                    self._sources = ProblemError(WEBHOOK_NOT_READY, f"{error}.")
                except (LocationError, UnreachableError, UnusableFileError):
                    self._sources = ProblemError(WEBHOOK_NOT_READY)
                self._read_at = time.monotonic()
            return self._sources


WebhookSourcesDep = Annotated[WebhookSources, Depends(from_state("webhook_sources"))]


def install_webhooks(app: FastAPI, data: str) -> None:
    """Set what the routes of webhooks use: their sources, and the limit of audited refusals."""
    app.state.webhook_sources = WebhookSources(data)
    app.state.webhook_refusals = RateLimits(per_second=1 / 30, burst=10)
