"""When a statement is due: local times over clock changes, and what was missed."""

from datetime import UTC, datetime, time

import pytest

from storemon_pipeline.sent_statements.schedule import Every, Timetable, due_since, next_due

NEW_YORK = "America/New_York"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def dues(timetable: Timetable, after: str, now: str) -> list[tuple[str, str]]:
    return [
        (f"{due.at:%Y-%m-%d %H:%M}", due.period.text)
        for due in due_since(timetable, at(after), at(now))
    ]


@pytest.mark.parametrize(
    ("timetable", "after", "now", "expected"),
    [
        pytest.param(
            Timetable(Every.MONDAY, time(8), NEW_YORK),
            "2023-03-04 00:00",
            "2023-03-20 00:00",
            # The clocks went forward on Sunday the 12th.
            [("2023-03-06 13:00", "2023-W09"), ("2023-03-13 12:00", "2023-W10")],
            id="spring",
        ),
        pytest.param(
            Timetable(Every.MONDAY, time(8), NEW_YORK),
            "2023-10-29 00:00",
            "2023-11-06 13:00",
            [("2023-10-30 12:00", "2023-W43"), ("2023-11-06 13:00", "2023-W44")],
            id="autumn, and due at this instant",
        ),
        pytest.param(
            Timetable(Every.SUNDAY, time(2, 30), NEW_YORK),
            "2023-03-12 00:00",
            "2023-03-12 12:00",
            [("2023-03-12 07:30", "2023-W09")],
            id="a time that the clock change leaves out",
        ),
        pytest.param(
            Timetable(Every.MONTH, time(0), "Asia/Kathmandu"),
            "2023-01-31 18:15",
            "2023-03-31 18:15",
            [("2023-02-28 18:15", "2023-02"), ("2023-03-31 18:15", "2023-03")],
            id="months in a zone of quarter hours",
        ),
        pytest.param(
            Timetable(Every.MONDAY, time(8), "UTC"),
            "2023-01-02 08:00",
            "2023-01-09 07:59",
            [],
            id="nothing yet",
        ),
    ],
)
def test_statements_are_due_at_the_local_time(
    timetable: Timetable, after: str, now: str, expected: list[tuple[str, str]]
) -> None:
    assert dues(timetable, after, now) == expected


def test_after_a_long_pause_the_newest_twelve_are_caught_up() -> None:
    found = dues(Timetable(Every.MONDAY, time(8), "UTC"), "2022-01-01 00:00", "2023-01-02 08:00")
    assert len(found) == 12
    assert found[-1] == ("2023-01-02 08:00", "2022-W52")


def test_the_next_one_is_later_than_now() -> None:
    monday = Timetable(Every.MONDAY, time(8), "UTC")
    assert next_due(monday, at("2023-01-02 07:59")) == at("2023-01-02 08:00")
    assert next_due(monday, at("2023-01-02 08:00")) == at("2023-01-09 08:00")
    month = Timetable(Every.MONTH, time(8), "UTC")
    assert next_due(month, at("2023-01-02 08:00")) == at("2023-02-01 08:00")
