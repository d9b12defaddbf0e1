"""Names cannot turn round the text beside them: in messages, lists and statements."""

from datetime import UTC, date, datetime
from typing import Final

import pytest

from storemon_pipeline.access.keys import ApiKey, Scope
from storemon_pipeline.alerts.conditions import GROUP_PREFIX, Key, Kind
from storemon_pipeline.alerts.messages import StoreName, down_opened, many_opened
from storemon_pipeline.commands.key_options import describe_key
from storemon_pipeline.domain.text_directions import with_visible_directions
from storemon_pipeline.statements.statement import Scope as StatementScope
from storemon_pipeline.statements.statement import Statement, Summary
from storemon_pipeline.statements.statement_text import statement_text

NOW: Final = datetime(2026, 10, 1, tzinfo=UTC)
TURNED: Final = "Bar\u202etxt"
NOTHING: Final = Summary(0, 0, 0, 0, None, None, None, None, None, 0, 0, 0)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("\u061ca\u200eb\u200fc", "[U+061C]a[U+200E]b[U+200F]c", id="marks"),
        pytest.param("\u202a\u202b\u202c\u202d\u202e", "[U+202A][U+202B][U+202C][U+202D][U+202E]"),
        pytest.param("\u2066\u2067\u2068\u2069", "[U+2066][U+2067][U+2068][U+2069]"),
        pytest.param("مطعم بيت", "مطعم بيت", id="Arabic letters"),
        pytest.param("\u200d\u200c", "\u200d\u200c", id="joiners, which some scripts need"),
    ],
)
def test_characters_that_change_the_direction_are_numbers(text: str, shown: str) -> None:
    assert with_visible_directions(text) == shown


def test_messages_of_alerts_show_them() -> None:
    store = StoreName("7", TURNED, "UTC")
    assert down_opened(store, NOW, 0, None).title == "Offline: Bar[U+202E]txt (7)"
    key = Key(Kind.PLATFORM, GROUP_PREFIX + TURNED)
    assert many_opened(key, NOW, 9, 10, None).title == "Widespread outage: group Bar[U+202E]txt"


def test_the_list_of_keys_shows_them() -> None:
    key = ApiKey("id", TURNED, b"", frozenset({Scope.READ}), None, NOW, None, None, None)
    assert describe_key(key, NOW).startswith("id  Bar[U+202E]txt  read  all stores")


def test_statements_on_paper_and_by_mail_show_them() -> None:
    days = (date(2026, 10, 1), date(2026, 11, 1))
    statement = Statement(
        StatementScope(group=TURNED), "2026-10", *days, NOW, True, NOTHING, [], [], []
    )
    text = statement_text(statement)
    assert text.title == "Group Bar[U+202E]txt"
    assert text.facts[0] == ("Statement of", "Group Bar[U+202E]txt")
