"""How the API logs when it logs lines of JSON: the file that its server is given.

What a line holds is said by the API's own formatter.
"""

import json
from pathlib import Path
from typing import Final

from storemon_pipeline.host.errors import HomeError
from storemon_pipeline.host.home import Home

_CONFIG: Final = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "storemon_api.http.json_logs.JsonFormatter"}},
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
    """Return the place of the file."""
    return home.dagster / "api-logging.json"


def write_api_log_config(home: Home) -> None:
    """Write the file of this version. Raises HomeError."""
    try:
        api_log_config(home).write_text(json.dumps(_CONFIG, indent=2))
    except OSError as error:
        raise HomeError(f"{home.dagster} cannot be written ({error.strerror}).") from error
