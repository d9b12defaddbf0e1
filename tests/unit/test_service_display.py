"""What the status display prints with and without a terminal."""

import io
import re
from datetime import datetime

from rich.console import Console

from storemon_pipeline.service.status_display import ComponentState, StatusDisplay

NOON = datetime(2026, 11, 23, 12, 0, 0).astimezone().timestamp()


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


def test_in_a_pipe_each_change_of_a_state_is_a_line_with_the_time() -> None:
    out, clock = io.StringIO(), Clock()
    with StatusDisplay(Console(file=out, soft_wrap=True), clock=clock) as display:
        display.component("database", ComponentState.STARTING)
        display.component("database", ComponentState.STARTING, "not accepting connections yet")
        clock.now += 1
        display.component("database", ComponentState.READY, "PostgreSQL in /home")
        display.component("database", ComponentState.READY, "PostgreSQL in /home")
        display.line("storemon is ready.")
        display.text(["  curl [x]"])
    assert out.getvalue().splitlines() == [
        "12:00:00 database: starting",
        "12:00:01 database: ready (PostgreSQL in /home)",
        "12:00:01 storemon is ready.",
        "  curl [x]",
    ]


def test_in_a_pipe_progress_is_printed_every_two_seconds() -> None:
    out, clock = io.StringIO(), Clock()
    with StatusDisplay(Console(file=out, soft_wrap=True), clock=clock) as display:
        for step in range(5):
            display.component("first refresh", ComponentState.WORKING, f"{step} of 5 steps")
            clock.now += 1
    assert out.getvalue().splitlines() == [
        "12:00:00 first refresh: working (0 of 5 steps)",
        "12:00:02 first refresh: working (2 of 5 steps)",
        "12:00:04 first refresh: working (4 of 5 steps)",
    ]


def test_a_terminal_shows_a_table_whose_states_are_words() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80, no_color=True)
    with StatusDisplay(console, clock=Clock()) as display:
        display.component("database", ComponentState.READY, "PostgreSQL [in] /home")
        display.component("API", ComponentState.RESTARTING, "ended by SIGKILL")
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue())
    last = shown.rstrip().splitlines()[-3:]
    assert [line.split() for line in last] == [
        ["component", "state", "since", "note"],
        ["database", "ready", "12:00:00", "PostgreSQL", "[in]", "/home"],
        ["API", "restarting", "12:00:00", "ended", "by", "SIGKILL"],
    ]
