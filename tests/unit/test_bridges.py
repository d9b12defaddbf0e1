"""Closed forms of chains between two polls, held to sums over small steps of time."""

import numpy as np
import pytest

import oracle_bridges
from storemon_pipeline.likelihood.bridges import ANY, DOWN, LONG, SHORT, UP, Chains

CHAINS = {
    "short and long outages": (0.3, 0.2, 0.1, 2.0),
    "long outages alone": (1e-6, 0.02, 0.06, 5.0),
    "mostly down": (0.5, 2.0, 0.2, 30.0),
    "nearly equal rates": (1.0, 1.0, 0.5, 0.5000001),
}
STATES = {"up": UP, "short": SHORT, "long": LONG}


def chain(name: str) -> Chains:
    return Chains.of(*np.array(CHAINS[name])[:, np.newaxis])


def uptime_of(
    name: str, start: tuple[int, ...], end: tuple[int, ...], *hours: float
) -> tuple[float, float]:
    mean, variance = chain(name).uptime(start, end, *(np.array([at]) for at in hours))
    return mean.item(), variance.item()


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("part", [(0.0, 1.5), (0.0, 0.5), (0.75, 1.25)])
@pytest.mark.parametrize(
    ("start", "end"), [("up", "up"), ("up", "long"), ("short", "up"), ("long", "long")]
)
def test_uptime_of_part_of_a_gap_agrees_with_sums_over_small_steps(
    name: str, part: tuple[float, float], start: str, end: str
) -> None:
    expected = oracle_bridges.uptime(CHAINS[name], STATES[start][0], STATES[end][0], 1.5, *part)
    assert uptime_of(name, STATES[start], STATES[end], 1.5, *part) == pytest.approx(
        expected, rel=1e-3, abs=2e-6
    )


@pytest.mark.parametrize("name", CHAINS)
def test_chances_agree_with_a_power_series(name: str) -> None:
    after = oracle_bridges.chances(*CHAINS[name], 0.25)
    got = [
        [chain(name).chance(a, b, np.array([0.25])).item() for b in STATES.values()]
        for a in STATES.values()
    ]
    assert got == [pytest.approx(row, rel=1e-8) for row in after]


def test_a_set_of_ends_is_the_mixture_of_them() -> None:
    hours = (2.0, 0.0, 2.0)
    name = "short and long outages"
    chances = [chain(name).chance(UP, end, np.array([2.0])).item() for end in (UP, SHORT, LONG)]
    means = [uptime_of(name, UP, end, *hours)[0] for end in (UP, SHORT, LONG)]
    down = sum(chances[1:])
    assert chain(name).chance(UP, DOWN, np.array([2.0])).item() == pytest.approx(down)
    assert uptime_of(name, UP, ANY, *hours)[0] == pytest.approx(
        sum(chance * mean for chance, mean in zip(chances, means, strict=True))
    )
    assert uptime_of(name, UP, DOWN, *hours)[0] == pytest.approx(
        (chances[1] * means[1] + chances[2] * means[2]) / down
    )


def test_a_gap_read_backwards_has_the_same_uptime() -> None:
    forward = uptime_of("short and long outages", UP, LONG, 3.0, 0.5, 1.0)
    backward = uptime_of("short and long outages", LONG, UP, 3.0, 2.0, 2.5)
    assert forward == pytest.approx(backward)


def test_a_part_of_no_length_has_no_uptime() -> None:
    assert uptime_of("mostly down", UP, LONG, 1.0, 0.5, 0.5) == (0.0, 0.0)
