"""The logging configuration that makes the API's server log JSON lines.

The API's own formatter decides what a line holds.
"""

import json
from pathlib import Path
from typing import Final

from storemon_pipeline.host.errors import HomeError
from storemon_pipeline.host.home import Home

_CONFIG: Final = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "storemon_api.http.json_logs.json_formatter"}},
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "json",
            "stream": "ext://sys.stderr",
        }
    },
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        "uvicorn": {"level": "INFO"},
        "storemon_api": {"level": "INFO"},
    },
}


def api_log_config(home: Home) -> Path:
    """Return the path of the configuration file."""
    return home.dagster / "api-logging.json"


def write_api_log_config(home: Home) -> None:
    """Write this version's configuration file. Raises HomeError."""
    try:
        api_log_config(home).write_text(json.dumps(_CONFIG, indent=2))
    except OSError as error:
        raise HomeError(f"{home.dagster} cannot be written ({error.strerror}).") from error
