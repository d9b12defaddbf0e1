"""Shows the state of the service: a live table on a terminal, plain lines elsewhere."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text


class ComponentState(StrEnum):
    """The state of a component, as it is shown."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    WORKING = "working"
    DONE = "done"
    RESTARTING = "restarting"
    FAILED = "failed"
    STOPPING = "stopping"
    STOPPED = "stopped"


_STYLES = {
    ComponentState.READY: "green",
    ComponentState.DONE: "green",
    ComponentState.RESTARTING: "yellow",
    ComponentState.FAILED: "bold red",
    ComponentState.WAITING: "dim",
    ComponentState.STOPPED: "dim",
}


# Print progress within one state at most this often.
_PROGRESS_LINE_SECONDS = 2.0


@dataclass(slots=True)
class _Row:
    state: ComponentState
    since: float
    note: str


class StatusDisplay:
    """Shows the components. Use it in a `with`, so that the terminal is restored at the end.

    On a terminal it keeps a table up to date below the printed lines. Elsewhere it prints one line
    with the time for each change of state.
    """

    def __init__(
        self,
        console: Console | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._console = console or Console(highlight=False, soft_wrap=True)
        self._clock = clock
        self._rows: dict[str, _Row] = {}
        self._live: Live | None = None
        self._last_line_at = 0.0

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            # No refresh thread: child processes are started from a process with a single thread.
            self._live = Live(self._table(), console=self._console, auto_refresh=False)
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.update(self._table(), refresh=True)
            self._live.stop()
            self._live = None

    def component(self, name: str, state: ComponentState, note: str = "") -> None:
        """Show the state of a component; they stay in the order of their first mention."""
        row = self._rows.get(name)
        if row is not None and (row.state, row.note) == (state, note):
            return
        is_new_state = row is None or row.state is not state
        since = self._clock() if row is None or is_new_state else row.since
        self._rows[name] = _Row(state=state, since=since, note=note)
        if self._live is not None:
            self.draw()
        elif is_new_state or self._is_progress_due(state):
            self._print_line(f"{name}: {state}{f' ({note})' if note else ''}")

    def _is_progress_due(self, state: ComponentState) -> bool:
        return (
            state is ComponentState.WORKING
            and self._clock() - self._last_line_at >= _PROGRESS_LINE_SECONDS
        )

    def line(self, text: str) -> None:
        """Print a line that stays on the screen."""
        if self._live is not None:
            self._console.print(Text(text))
            self.draw()
        else:
            self._print_line(text)

    def text(self, lines: list[str]) -> None:
        """Print lines as they are, for copying."""
        for line in lines:
            self._console.print(Text(line))

    def draw(self) -> None:
        """Bring the table on the terminal up to date."""
        if self._live is not None:
            self._live.update(self._table(), refresh=True)

    def _print_line(self, text: str) -> None:
        moment = datetime.fromtimestamp(self._clock()).astimezone()
        self._console.print(Text(f"{moment:%H:%M:%S} {text}"))
        self._last_line_at = self._clock()

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for heading in ("component", "state", "since", "note"):
            table.add_column(heading, overflow="fold" if heading == "note" else "ellipsis")
        for name, row in self._rows.items():
            since = datetime.fromtimestamp(row.since).astimezone()
            table.add_row(
                name,
                Text(row.state, style=_STYLES.get(row.state, "")),
                f"{since:%H:%M:%S}",
                Text(row.note),
            )
        return table


class JsonDisplay(StatusDisplay):
    """Prints each change and each line as JSON on standard output."""

    def __enter__(self) -> Self:
        return self

    def component(self, name: str, state: ComponentState, note: str = "") -> None:
        """Print the state of a component when it changed, and its progress every few seconds."""
        row = self._rows.get(name)
        is_new_state = row is None or row.state is not state
        self._rows[name] = _Row(state=state, since=self._clock(), note=note)
        if is_new_state or self._is_progress_due(state):
            self._print_event("component", component=name, state=state.value, note=note)

    def line(self, text: str) -> None:
        """Print a line."""
        self._print_event(text)

    def text(self, lines: list[str]) -> None:
        """Print lines meant for copying as one event."""
        self._print_event("text", text="\n".join(lines).strip())

    def draw(self) -> None:
        """Do nothing: there is no table."""

    def _print_event(self, event: str, **values: str) -> None:
        at = datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="milliseconds")
        fields = {"at": at, "level": "info", "logger": "storemon.up", "event": event, **values}
        print(json.dumps(fields), flush=True)  # noqa: T201 - standard output is the log
        self._last_line_at = self._clock()
