"""The PDF of a statement: names are text, whatever they hold."""

from datetime import UTC, date, datetime

import pytest

from storemon_pipeline.statements.statement import Scope, Statement, StoreLine, Summary
from storemon_pipeline.statements.statement_pdf import statement_pdf

BEGIN, END = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
NOTHING = Summary(0, 0, 0, 0, None, None, None, None, None, 0, 0, 0)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("北京烤鸭", id="Chinese"),
        pytest.param("مطعم", id="Arabic"),
        pytest.param("ร้านอาหาร", id="Thai"),
        pytest.param("😀 Pizza", id="an emoji"),
        pytest.param("e\u0301\u200d\u202e", id="marks and directions"),
        pytest.param("\x01\t\n", id="control characters"),
        pytest.param("#panic() $x$ *b* @ref <l> \\ `c` [", id="markup of the typesetter"),
    ],
)
def test_a_name_in_any_script_can_be_set(name: str) -> None:
    line = StoreLine("id", name, name, None, "America/Chicago", BEGIN, END, NOTHING)
    days = (date(2026, 10, 1), date(2026, 11, 1))
    statement = Statement(
        Scope(group=name), "2026-10", *days, END, True, NOTHING, [line, line], [], []
    )
    assert statement_pdf(statement).startswith(b"%PDF-")
