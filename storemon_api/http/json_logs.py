"""The formatter of log lines as JSON, with the id of the request that an event belongs to.

The configuration that `storemon up` writes sets the level and the destination.
"""

from datetime import UTC, datetime

import structlog
from structlog.typing import EventDict, WrappedLogger


def json_formatter() -> structlog.stdlib.ProcessorFormatter:
    """Return a formatter that writes `at`, `level`, `logger`, `event` and the extra fields."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(),
        ],
        processors=[
            structlog.processors.format_exc_info,
            _as_the_service_writes_lines,
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(default=str),
        ],
    )


def _as_the_service_writes_lines(
    _logger: WrappedLogger, _method: str, event: EventDict
) -> EventDict:
    """Add the record's own time, and name the traceback as other lines of the service do."""
    created = datetime.fromtimestamp(event["_record"].created, UTC)
    # uvicorn adds its message with colours for terminals.
    event.pop("color_message", None)
    line = {"at": created.isoformat(timespec="milliseconds"), **event}
    if "exception" in line:
        line["traceback"] = line.pop("exception")
    return line
