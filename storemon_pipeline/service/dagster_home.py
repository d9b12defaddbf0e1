"""Dagster's folder in the home: its configuration and the address of the code server.

The configuration itself is in `dagster.yaml` and `workspace.yaml` at the top of the repository.
"""

import json
import os
import secrets
from importlib.resources import files
from pathlib import Path

from storemon_pipeline.contract import CODE_LOCATION
from storemon_pipeline.host.errors import HomeError
from storemon_pipeline.host.home import PRIVATE_MODE, Home, make_private_folder

INSTANCE_FILE = "dagster.yaml"
WORKSPACE_FILE = "workspace.yaml"


def packaged_file(name: str) -> Path:
    """Return the path of `dagster.yaml` or `workspace.yaml`.

    The wheel carries them beside this module; in a checkout they are at the repository's top.
    """
    installed = Path(str(files("storemon_pipeline.service") / name))
    checkout = Path(str(files("storemon_pipeline"))).parent / name
    for path in (installed, checkout):
        if path.is_file():
            return path
    raise HomeError(f"{name} is missing from this installation of storemon: install it again.")


def renew_dagster_token(home: Home) -> str:
    """Write a new token into the home, for its owner's eyes only; return it."""
    token = secrets.token_urlsafe(32)
    try:
        home.dagster_token.unlink(missing_ok=True)
        descriptor = os.open(home.dagster_token, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(token)
    except OSError as error:
        raise HomeError(f"{home.dagster_token} cannot be written ({error.strerror}).") from error
    return token


def read_dagster_token(home: Home) -> str | None:
    """Return the token of the running service, or None where there is none to be read."""
    try:
        return home.dagster_token.read_text()
    except OSError:
        return None


def prepare_dagster_home(home: Home) -> None:
    """Write this version's configuration into Dagster's folder."""
    workspace = {
        "load_from": [
            {
                "grpc_server": {
                    "socket": str(home.code_server_socket),
                    "location_name": CODE_LOCATION,
                }
            }
        ]
    }
    try:
        home.dagster.mkdir(mode=PRIVATE_MODE, exist_ok=True)
        make_private_folder(home.code_server_socket.parent)
        text = packaged_file(INSTANCE_FILE).read_text()
        (home.dagster / INSTANCE_FILE).write_text(text)
        # JSON is YAML.
        (home.dagster / WORKSPACE_FILE).write_text(json.dumps(workspace, indent=2))
    except OSError as error:
        raise HomeError(f"{home.dagster} cannot be written ({error.strerror}).") from error
