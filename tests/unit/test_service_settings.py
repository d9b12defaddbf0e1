"""Settings from the environment and from arguments."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from storemon_pipeline.settings import Settings


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HOME", "DATA", "HOST", "PORT", "DAGSTER_PORT", "DATABASE_URL"):
        monkeypatch.delenv(f"STOREMON_{name}", raising=False)
    monkeypatch.chdir(tmp_path)


def test_paths_are_absolute_whatever_they_were_given_as(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STOREMON_DATA", "elsewhere/data")
    settings = Settings()
    assert settings.home == tmp_path / ".storemon"
    assert Path(settings.data) == tmp_path / "elsewhere" / "data"


def test_an_argument_takes_precedence_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOREMON_PORT", "9000")
    assert Settings().port == 9000
    assert Settings(port=9001).port == 9001


def test_an_empty_database_url_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOREMON_DATABASE_URL", "")
    assert Settings().database_url is None


def test_addresses_of_alerts_are_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOREMON_ALERT_URLS", "json://user:pass-word@host")
    settings = Settings()
    assert "pass-word" not in f"{settings!r} {settings}"
    assert settings.alert_urls is not None
    assert settings.alert_urls.get_secret_value() == "json://user:pass-word@host"


@pytest.mark.parametrize(
    ("name", "value"),
    [("DOWN_MINUTES", "0"), ("SHARE_PERCENT", "101"), ("MIN_STORES", "0"), ("DAMP_MINUTES", "-1")],
)
def test_a_rule_of_alerts_that_makes_no_sense_is_refused(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"STOREMON_ALERT_{name}", value)
    with pytest.raises(ValidationError, match=f"alert_{name.lower()}"):
        Settings()


@pytest.mark.parametrize("port", ["0", "65536", "http"])
def test_a_port_that_is_none_is_refused(port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOREMON_PORT", port)
    with pytest.raises(ValidationError, match="port"):
        Settings()


@pytest.mark.parametrize(
    ("host", "url"),
    [
        pytest.param("127.0.0.1", "http://127.0.0.1:8000", id="loopback"),
        pytest.param("0.0.0.0", "http://127.0.0.1:8000", id="every address"),  # noqa: S104
        pytest.param("::", "http://[::1]:8000", id="every address, IPv6"),
        pytest.param("::1", "http://[::1]:8000", id="loopback, IPv6"),
        pytest.param("stores.example", "http://stores.example:8000", id="name"),
    ],
)
def test_the_api_is_reached_where_it_listens(host: str, url: str) -> None:
    assert Settings(host=host).api_url == url


def test_a_home_is_the_same_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    assert Settings(home=Path("link/home")).home == tmp_path / "home"
