"""Weeks and months of statements: their first days, their ends, their names."""

from datetime import date

import pytest

from storemon_pipeline.business_time.local_periods import Period
from storemon_pipeline.statements.statement_period import StatementPeriod


@pytest.mark.parametrize(
    ("text", "begin", "end", "title"),
    [
        ("2026-10", date(2026, 10, 1), date(2026, 11, 1), "October 2026"),
        ("2026-12", date(2026, 12, 1), date(2027, 1, 1), "December 2026"),
        (
            "2026-W43",
            date(2026, 10, 19),
            date(2026, 10, 26),
            "Week 43 of 2026, 19 to 25 October 2026",
        ),
        (
            "2026-W53",
            date(2026, 12, 28),
            date(2027, 1, 4),
            "Week 53 of 2026, 28 December to 3 January 2027",
        ),
    ],
)
def test_a_period_begins_and_ends_on_its_days(
    text: str, begin: date, end: date, title: str
) -> None:
    period = StatementPeriod.parse(text)
    assert (period.begin, period.end, period.title, period.text) == (begin, end, title, text)


@pytest.mark.parametrize("text", ["2026", "2026-00", "2026-W00", "2027-W53", "26-10", "9999-12"])
def test_any_other_text_is_no_period(text: str) -> None:
    with pytest.raises(ValueError, match=r"month|week"):
        StatementPeriod.parse(text)


@pytest.mark.parametrize(
    ("day", "by", "text"),
    [
        (date(2026, 11, 1), Period.MONTH, "2026-10"),
        (date(2026, 11, 2), Period.MONTH, "2026-10"),
        (date(2026, 11, 2), Period.WEEK, "2026-W44"),
        (date(2026, 11, 3), Period.WEEK, "2026-W44"),
        (date(2026, 11, 1), Period.WEEK, "2026-W43"),
    ],
)
def test_the_last_period_has_ended_when_the_day_begins(day: date, by: Period, text: str) -> None:
    assert StatementPeriod.before(day, by).text == text
