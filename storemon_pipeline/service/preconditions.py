"""Checks before anything is started; each failure is one line that says what to do."""

import errno
import ipaddress
import socket
from datetime import UTC, datetime

from storemon_pipeline.domain.sources import SETTINGS_FILE
from storemon_pipeline.files.folders import LocalFolder, LocationError, data_folder
from storemon_pipeline.host.errors import StartError
from storemon_pipeline.settings import Settings

# ruff: noqa: PLC0415 - pandas and the tables take a third of a second, before any process starts

_LOOPBACK = "127.0.0.1"
_EVERY_ADDRESS = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - compared, not bound


def check_data_folder(settings: Settings) -> None:
    """Raise StartError when the data folder is not there, or nothing here reads it.

    Whether files elsewhere can be reached just now is seen by each refresh.
    """
    try:
        folder = data_folder(settings.data)
    except LocationError as error:
        raise StartError(f"The data folder cannot be used: {error}.") from error
    if isinstance(folder, LocalFolder) and not folder.exists():
        raise StartError(
            f"The data folder {settings.data} does not exist: name it with --data "
            "(STOREMON_DATA), or make one with `storemon sample-data DIR`."
        )
    if isinstance(folder, LocalFolder) and folder.files([SETTINGS_FILE]):
        from storemon_pipeline.sources.source_settings import SettingsError, read_source_settings

        try:
            read_source_settings(folder)
        except SettingsError as error:
            raise StartError(f"{error}.") from error


def check_ports(settings: Settings) -> None:
    """Raise StartError when a port is taken or an address does not belong to this machine."""
    shares_address = settings.host in _EVERY_ADDRESS | {_LOOPBACK, "localhost"}
    if shares_address and settings.port == settings.dagster_port:
        raise StartError(
            f"Port {settings.port} is set for both API and Dagster: choose another with --port "
            "(STOREMON_PORT) or --dagster-port (STOREMON_DAGSTER_PORT)."
        )
    _check_port(settings.host, settings.port, option="--port", variable="STOREMON_PORT")
    _check_port(
        _LOOPBACK,
        settings.dagster_port,
        option="--dagster-port",
        variable="STOREMON_DAGSTER_PORT",
    )


def check_keys(settings: Settings, database_url: str) -> None:
    """Raise StartError when other machines could reach the API, and no key or account is usable.

    The database has the newest schema.
    """
    if is_loopback(settings.host):
        return
    from storemon_pipeline.access.account_management import has_enabled_account
    from storemon_pipeline.access.key_management import has_usable_key

    if has_usable_key(database_url, now=datetime.now(UTC)) or has_enabled_account(database_url):
        return
    raise StartError(
        f"Other machines could reach the API at {settings.host}, and there is no key yet: run "
        "`storemon keys create --name NAME --all-stores --scope admin` first, or leave --host "
        "(STOREMON_HOST) at 127.0.0.1."
    )


def is_loopback(host: str) -> bool:
    """Whether only programs on this machine can reach this address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _check_port(host: str, port: int, *, option: str, variable: str) -> None:
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise StartError(
            f"The address {host} is not known ({error.strerror}): choose another with --host "
            "(STOREMON_HOST)."
        ) from error
    for family, kind, protocol, _, address in addresses:
        try:
            with socket.socket(family, kind, protocol) as probe:
                # As the servers do: closed connections that linger do not block the port.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
                probe.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise StartError(
                    f"Port {port} on {host} is in use: choose another with {option} ({variable})."
                ) from error
            if error.errno == errno.EADDRNOTAVAIL:
                raise StartError(
                    f"This machine has no address {host}: choose another with --host "
                    "(STOREMON_HOST)."
                ) from error
            raise StartError(
                f"Port {port} on {host} cannot be listened on ({error.strerror}): choose another "
                f"with {option} ({variable})."
            ) from error
