"""The period of a statement: a calendar week or month. Pure computation."""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Self

from storemon_pipeline.business_time.local_periods import Period

_WEEK: Final = re.compile(r"([0-9]{4})-W([0-9]{2})")
_MONTH: Final = re.compile(r"([0-9]{4})-([0-9]{2})")
_YEARS: Final = range(1970, 9900)
_MONTHS_A_YEAR: Final = 12


@dataclass(frozen=True, slots=True)
class StatementPeriod:
    """The local dates `[begin, end)` of a week that begins on Monday, or of a month."""

    by: Period
    begin: date

    @classmethod
    def parse(cls, text: str) -> Self:
        """The period of a text such as `2026-10` or `2026-W43`, an ISO week.

        Raises ValueError for any other text.

        >>> StatementPeriod.parse("2026-W01").begin
        datetime.date(2025, 12, 29)
        """
        week, month = _WEEK.fullmatch(text), _MONTH.fullmatch(text)
        found = week or month
        if found is None or int(found[1]) not in _YEARS:
            raise ValueError("Give a month such as 2026-10, or a week such as 2026-W43.")
        if week is not None:
            return cls(Period.WEEK, date.fromisocalendar(int(week[1]), int(week[2]), 1))
        return cls(Period.MONTH, date(int(found[1]), int(found[2]), 1))

    @classmethod
    def before(cls, day: date, by: Period) -> Self:
        """The last period that ended by the beginning of a day.

        >>> StatementPeriod.before(date(2026, 3, 1), Period.MONTH).text
        '2026-02'
        """
        last = day - timedelta(days=1)
        of_last = cls.of(last, by)
        return of_last if of_last.end <= day else cls.of(of_last.begin - timedelta(days=1), by)

    @classmethod
    def of(cls, day: date, by: Period) -> Self:
        """The period that a day is in."""
        if by is Period.WEEK:
            return cls(by, day - timedelta(days=day.weekday()))
        return cls(Period.MONTH, day.replace(day=1))

    @property
    def end(self) -> date:
        """The first day after the period."""
        if self.by is Period.WEEK:
            return self.begin + timedelta(days=7)
        years, month = divmod(self.begin.month, _MONTHS_A_YEAR)
        return date(self.begin.year + years, month + 1, 1)

    @property
    def text(self) -> str:
        """The text that `parse` reads."""
        if self.by is Period.WEEK:
            year, week, _ = self.begin.isocalendar()
            return f"{year}-W{week:02}"
        return f"{self.begin:%Y-%m}"

    @property
    def title(self) -> str:
        """The period in words.

        >>> StatementPeriod.parse("2026-10").title
        'October 2026'
        >>> StatementPeriod.parse("2026-W43").title
        'Week 43 of 2026, 19 to 25 October 2026'
        """
        if self.by is Period.MONTH:
            return f"{self.begin:%B %Y}"
        year, week, _ = self.begin.isocalendar()
        last = self.end - timedelta(days=1)
        shape = "%B" if self.begin.month != last.month else ""
        first = f"{self.begin.day} {self.begin:{shape}}" if shape else f"{self.begin.day}"
        return f"Week {week} of {year}, {first} to {last.day} {last:%B %Y}"
