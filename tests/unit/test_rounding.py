"""Rounding of amounts of time; which amounts there are is `test_figures`' matter."""

import numpy as np
import pytest

from storemon_pipeline.domain.rounding import round_half_even

MINUTE = 60_000_000
HOUR = 3_600_000_000


# One ten-thousandth of a minute is 6,000 us and of an hour 360,000 us, so ties end in 3,000
# and in 180,000.
@pytest.mark.parametrize(
    ("amount_us", "unit_us", "ten_thousandths"),
    [
        pytest.param(0, MINUTE, 0, id="nothing"),
        pytest.param(2_999, MINUTE, 0, id="below-the-first-tie-in-minutes"),
        pytest.param(3_000, MINUTE, 0, id="0.00005-minutes-to-even-zero"),
        pytest.param(3_001, MINUTE, 1, id="above-the-first-tie-in-minutes"),
        pytest.param(9_000, MINUTE, 2, id="0.00015-minutes-up-to-even"),
        pytest.param(15_000, MINUTE, 2, id="0.00025-minutes-down-to-even"),
        pytest.param(21_000, MINUTE, 4, id="0.00035-minutes-up-to-even"),
        pytest.param(60_003_000, MINUTE, 10_000, id="1.00005-minutes-down-to-even"),
        pytest.param(60_009_000, MINUTE, 10_002, id="1.00015-minutes-up-to-even"),
        pytest.param(3_599_997_000, MINUTE, 600_000, id="59.99995-minutes-up-to-the-full-hour"),
        pytest.param(3_599_996_999, MINUTE, 599_999, id="just-short-of-59.99995-minutes"),
        pytest.param(60 * MINUTE, MINUTE, 600_000, id="sixty-minutes"),
        pytest.param(179_999, HOUR, 0, id="below-the-first-tie-in-hours"),
        pytest.param(180_000, HOUR, 0, id="0.00005-hours-to-even-zero"),
        pytest.param(180_001, HOUR, 1, id="above-the-first-tie-in-hours"),
        pytest.param(540_000, HOUR, 2, id="0.00015-hours-up-to-even"),
        pytest.param(900_000, HOUR, 2, id="0.00025-hours-down-to-even"),
        pytest.param(168 * HOUR - 180_000, HOUR, 1_680_000, id="167.99995-hours-up-to-even"),
        pytest.param(168 * HOUR - 540_000, HOUR, 1_679_998, id="167.99985-hours-down-to-even"),
        pytest.param(168 * HOUR, HOUR, 1_680_000, id="a-full-week"),
        pytest.param(
            14_092 * 168 * HOUR + 540_000,
            HOUR,
            14_092 * 1_680_000 + 2,
            id="a-week-of-14092-stores",
        ),
    ],
)
def test_a_tie_goes_to_the_even_digit(amount_us: int, unit_us: int, ten_thousandths: int) -> None:
    assert round_half_even(np.array([amount_us]), unit_us).tolist() == [ten_thousandths]


def test_a_table_of_amounts_is_rounded_element_by_element() -> None:
    amounts = np.array([[3_000, 9_000, 15_000], [2_999, 3_001, 60_000_000]])
    assert round_half_even(amounts, MINUTE).tolist() == [[0, 2, 2], [0, 1, 10_000]]


def test_rounding_nothing_gives_nothing() -> None:
    assert round_half_even(np.empty((0, 3), np.int64), HOUR).shape == (0, 3)
