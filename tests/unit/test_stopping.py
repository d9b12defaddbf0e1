"""Signals that request a stop."""

import signal
from collections.abc import Iterator

import pytest

from storemon_pipeline.host.signals import StopRequestedError, StopRequests

EVERY = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """The handlers of before, whatever a test did to them."""
    before = {name: signal.getsignal(name) for name in EVERY}
    yield
    for name, handler in before.items():
        signal.signal(name, handler)


@pytest.mark.parametrize("name", EVERY)
def test_a_signal_is_counted_and_its_handler_given_back(name: signal.Signals) -> None:
    signal.signal(name, signal.SIG_DFL)
    requests = StopRequests()
    with requests.listening():
        requests.raise_if_any()
        signal.raise_signal(name)
        with pytest.raises(StopRequestedError):
            requests.raise_if_any()
        assert not requests.is_repeated()
        signal.raise_signal(name)
        assert requests.is_repeated()
    assert signal.getsignal(name) is signal.SIG_DFL


def test_a_hangup_that_is_to_be_ignored_is_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    requests = StopRequests()
    with requests.listening():
        signal.raise_signal(signal.SIGHUP)
        requests.raise_if_any()
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
