"""Fetching one file over http or https: with time limits, a size limit and its ETag."""

import time
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import BinaryIO, Final

import httpx

SCHEMES: Final = ("http", "https")

_MOST_REDIRECTS: Final = 5


@dataclass(frozen=True, slots=True)
class WebFile:
    """A file at an address. Addresses of private calendars are secrets, so it is not shown."""

    name: str
    url: str = field(repr=False)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a fetch may wait for an answer and take in all, and the bytes that it may give."""

    answer_seconds: float = 20
    all_seconds: float = 60
    most_bytes: int = 32 << 20


class WebFileError(Exception):
    """A file that cannot be fetched; `str()` says why, without its address."""


class NotModifiedError(Exception):
    """The file is still the one with the ETag that was sent."""


def fetch(file: WebFile, into: BinaryIO, *, etag: str = "", limits: Limits | None = None) -> str:
    """Write the file's content, and return its ETag; empty without one.

    Follows redirects to http and https, but none from https to http. Raises WebFileError, and
    NotModifiedError if the server says that the file with this `etag` is current.
    """
    limits = limits or Limits()
    deadline = time.monotonic() + limits.all_seconds
    headers = {"If-None-Match": etag} if etag else {}
    try:
        url = _checked(httpx.URL(file.url))
        with httpx.Client(timeout=limits.answer_seconds, headers=headers) as client:
            for _ in range(_MOST_REDIRECTS + 1):
                with client.stream("GET", url) as response:
                    if response.has_redirect_location:
                        url = _redirect(url, response.headers["Location"])
                        continue
                    if response.status_code == HTTPStatus.NOT_MODIFIED and etag:
                        raise NotModifiedError
                    if response.status_code != HTTPStatus.OK:
                        raise WebFileError(f"its server answered {response.status_code}")
                    _copy(response, into, deadline, limits)
                    return str(response.headers.get("ETag", ""))
    except httpx.TimeoutException as error:
        seconds = limits.answer_seconds
        raise WebFileError(f"its server did not answer within {seconds:g} seconds") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise WebFileError(f"it cannot be fetched ({type(error).__name__})") from error
    raise WebFileError(f"its server redirects more than {_MOST_REDIRECTS} times")


def _copy(response: httpx.Response, into: BinaryIO, deadline: float, limits: Limits) -> None:
    copied = 0
    for block in response.iter_bytes():
        copied += len(block)
        if copied > limits.most_bytes:
            raise WebFileError(f"it has more than {limits.most_bytes:,} bytes")
        if time.monotonic() > deadline:
            raise WebFileError(f"it did not arrive within {limits.all_seconds:g} seconds")
        into.write(block)


def _redirect(url: httpx.URL, location: str) -> httpx.URL:
    target = _checked(url.join(location))
    if url.scheme == "https" and target.scheme != "https":
        raise WebFileError("its server redirects from https to http")
    return target


def _checked(url: httpx.URL) -> httpx.URL:
    if url.scheme not in SCHEMES or not url.host:
        raise WebFileError(f"its address leads to {url.scheme or 'no scheme'}: not http or https")
    return url
