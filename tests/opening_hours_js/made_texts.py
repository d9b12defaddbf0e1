"""Texts of opening hours, made of the parts that those in OpenStreetMap have."""

from random import Random
from typing import Final

_DAYS: Final = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov")
_REST: Final = (
    ' "by appointment"',
    "; SH off",
    ' || "call us"',
    "; Su sunrise-sunset",
    "; Su 10:00+",
    "; Sa 10:00-16:00/00:30",
)


def made_texts(number: int, *, seed: int) -> list[str]:
    """As many different texts, the same for the same seed."""
    maker = _Maker(Random(seed))  # noqa: S311  (no secret)
    texts: dict[str, None] = {}
    while len(texts) < number:
        texts[maker.text()] = None
    return list(texts)


class _Maker:
    def __init__(self, random: Random) -> None:
        self._random = random

    def text(self) -> str:
        """Weekly hours; every third with dates, and a few with parts that are rejected."""
        kind = self._random.random()
        if kind < 0.65:
            return self._week()
        if kind < 0.97:
            dates = [self._dates() for _ in range(self._random.randint(1, 3))]
            return "; ".join([self._week(), *dates])
        return self._week() + self._random.choice(_REST)

    def _time(self, first: int, last: int) -> str:
        minute = self._random.choice((0, 0, 0, 15, 30, 30))
        return f"{self._random.randint(first, last):02}:{minute:02}"

    def _span(self) -> str:
        afternoon = f"{self._time(14, 15)}-{self._time(17, 22)}"
        return self._random.choice(
            (
                *(f"{self._time(6, 11)}-{self._time(16, 23)}",) * 5,
                *(f"{self._time(7, 10)}-{self._time(12, 13)},{afternoon}",) * 2,
                f"{self._time(11, 18)}-{self._random.choice(('24:00', '00:00'))}",
                f"{self._time(16, 22)}-{self._time(1, 5)}",
                f"{self._time(16, 22)}-{self._random.randint(25, 29)}:00",
            )
        )

    def _days(self) -> str:
        first = self._random.randint(0, 5)
        span = f"{_DAYS[first]}-{_DAYS[self._random.randint(first + 1, 6)]}"
        some = ",".join(_DAYS[day] for day in sorted(self._random.sample(range(7), 3)))
        over_sunday = f"{self._random.choice(('Fr', 'Sa'))}-{self._random.choice(('Mo', 'Tu'))}"
        one = self._random.choice(_DAYS)
        return self._random.choice((span, span, span, span, one, one, one, some, over_sunday, ""))

    def _week(self) -> str:
        usual = f"Mo-Fr {self._span()}; Sa {self._span()}"
        parts = [f"{self._days()} {self._span()}" for _ in range(self._random.randint(2, 4))]
        any_parts = self._random.choice(("; ", "; ", ", ")).join(part.strip() for part in parts)
        sunday = f"{usual}; Su {self._random.choice(('off', self._span()))}"
        every_day = f"Mo-Su {self._span()}"
        return self._random.choice((usual, sunday, sunday, any_parts, any_parts, every_day, "24/7"))

    def _dates(self) -> str:
        random, month = self._random, self._random.choice(_MONTHS)
        off_or_hours = random.choice(("off", self._span()))
        return random.choice(
            (
                f"PH {off_or_hours}",
                "PH off",
                f"Dec {random.choice(('24', '25', '25-26', '31'))} {off_or_hours}",
                "Jan 01 off",
                f"{month} {random.randint(1, 28):02} off",
                f"easter {random.choice(('off', '-2 days off', '+1 day off'))}",
                f"{month} {random.choice(_DAYS)}[{random.choice((1, 2, -1))}] {off_or_hours}",
                f"2026 {month} {random.randint(1, 14):02}-{random.randint(15, 28)} off",
                f"{random.choice(('Jun-Aug', 'Nov-Mar', 'Dec-Feb'))} {self._days()} off",
                f"week {random.randint(1, 20)}-{random.randint(21, 53)} {random.choice(_DAYS)} off",
            )
        )
