"""Rates learned from made-up orders with known rates."""

import numpy as np
import numpy.typing as npt
import pytest

from storemon_pipeline.demand.learned_rates import LearnedRates, learn_rates

FloatArray = npt.NDArray[np.float64]
WEEKS = 8
DAY = 1 + 0.8 * np.sin(2 * np.pi * np.arange(24) / 24)
PROFILE = np.tile(DAY, 7)


def made_up(
    seed: int, level: FloatArray, difference: float = 0.0, weeks: int = WEEKS
) -> tuple[FloatArray, FloatArray, LearnedRates]:
    """The true rates, the plain means and the learned rates of stores with orders of 10.00.

    `level` is the mean number of orders per hour of each store. Each hour of a store differs from
    the profile by a gamma factor with variance `difference`.
    """
    random = np.random.default_rng(seed)
    shape = (len(level), len(PROFILE))
    factor = random.gamma(1 / difference, difference, shape) if difference else np.ones(shape)
    true = level[:, None] * PROFILE * factor
    hours = np.full(shape, float(weeks))
    amount = 1000.0 * random.poisson(true * hours)
    group = np.zeros(len(level), np.int64)
    learned = learn_rates(amount, hours, np.full(len(level), 1000.0), group)
    return 1000 * true, amount / hours, learned


@pytest.mark.parametrize("difference", [0.0, 0.1, 0.5])
@pytest.mark.parametrize(
    "level",
    [np.linspace(1, 8, 30), np.linspace(0.05, 0.3, 100), np.full(2, 3.0), np.full(1, 3.0)],
    ids=["thirty stores", "few orders", "two stores", "one store"],
)
def test_nine_of_ten_true_rates_are_in_their_range(level: FloatArray, difference: float) -> None:
    within = []
    for seed in range(5):
        true, _, learned = made_up(seed, level, difference)
        within.append((learned.lowest <= true) & (true <= learned.highest))
        assert (learned.lowest <= learned.rate).all()
        assert (learned.rate <= learned.highest).all()
    assert 0.84 < np.mean(within) < 0.94


@pytest.mark.parametrize(("level", "share"), [(3.0, 0.9), (0.2, 0.5)])
def test_rates_are_nearer_to_the_truth_than_plain_means(level: float, share: float) -> None:
    true, plain, learned = made_up(7, np.linspace(level / 2, level * 2, 50), 0.1)
    assert np.abs(learned.rate - true).mean() < share * np.abs(plain - true).mean()


def test_with_many_weeks_the_orders_of_a_store_decide() -> None:
    _, plain, learned = made_up(3, np.full(10, 5.0), 0.5, weeks=1000)
    assert learned.rate == pytest.approx(plain, rel=0.02, abs=10)


def test_an_hour_without_time_of_its_own_has_the_rate_of_the_group() -> None:
    # Two groups of two stores with ten orders of 1.00 an hour; the second sells nothing at hour 0.
    amount, hours = np.full((4, 168), 10_000.0), np.full((4, 168), 10.0)
    amount[2:, 0] = 0
    amount[[0, 2], 0] = hours[[0, 2], 0] = 0
    learned = learn_rates(amount, hours, np.full(4, 100.0), np.array([0, 0, 1, 1]))
    assert learned.rate[0, 0] == pytest.approx(1000, rel=0.02)
    assert learned.rate[2, 0] < 10


def test_larger_orders_make_the_same_amount_less_sure() -> None:
    amount, hours = np.full((1, 168), 50_000.0), np.full((1, 168), 8.0)
    small, large = (
        learn_rates(amount, hours, np.array([typical]), np.array([0]))
        for typical in (100.0, 10_000.0)
    )
    # The width of the range of a mean grows with the root of the size of an order.
    widths = [(each.highest - each.lowest).mean() for each in (small, large)]
    assert widths[1] == pytest.approx(10 * widths[0], rel=0.1)
