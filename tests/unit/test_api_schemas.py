"""The body of a trigger: valid values, and errors by field."""

from datetime import UTC, date, datetime

import pytest
from pydantic import BaseModel, ValidationError

from storemon_api.http.problems import ProblemError
from storemon_api.http.request_bodies import parse_json
from storemon_api.loads.objective_schemas import ObjectiveBody
from storemon_api.loads.schemas import OpeningHours, SpecialHoursBody
from storemon_api.loads.store_change_schemas import PreviewBody
from storemon_api.reports.schemas import TriggerRequest
from storemon_api.sign_in.account_schemas import AccountChangeBody
from storemon_api.statements.delivery_schemas import ScheduleBody
from storemon_pipeline.domain.windows import Policy

JSON = "application/json"
AFTERNOON = datetime(2023, 1, 25, 18, 13, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        pytest.param(b"", None, id="no body"),
        pytest.param(b"", "application/x-www-form-urlencoded", id="an empty form"),
        pytest.param(b" \n", JSON, id="blanks"),
        pytest.param(b"{}", JSON, id="an empty object"),
        pytest.param(b"{}", None, id="no content type"),
        pytest.param(b"{}", "Application/JSON; charset=utf-8", id="a charset"),
        pytest.param(b"{}", "application/ld+json", id="another kind of JSON"),
        pytest.param(b"null", JSON, id="null"),
        pytest.param(b'{"as_of": null, "policy": null}', JSON, id="null values"),
    ],
)
def test_a_body_without_a_wish_is_the_default(body: bytes, content_type: str | None) -> None:
    assert parse_json(body, content_type, TriggerRequest) == TriggerRequest(as_of=None, policy=None)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        pytest.param("2023-01-25T18:13:22Z", AFTERNOON, id="UTC"),
        pytest.param("2023-01-25T18:13:22", AFTERNOON, id="no offset"),
        pytest.param("2023-01-25 18:13:22 UTC", AFTERNOON, id="as in the poll files"),
        pytest.param("2023-01-25T23:58:22+05:45", AFTERNOON, id="an offset with minutes"),
        pytest.param("2023-01-25T12:13:22-0600", AFTERNOON, id="an offset without a colon"),
        pytest.param("2023-01-25t18:13z", AFTERNOON.replace(second=0), id="no seconds"),
        pytest.param(
            "2023-01-25T18:13:22.4792209Z", AFTERNOON.replace(microsecond=479220), id="7 digits"
        ),
        pytest.param("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC), id="the first year"),
        pytest.param(
            "9999-12-31T23:59:59Z", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), id="the last"
        ),
    ],
)
def test_an_instant_is_read_as_utc(text: str, instant: datetime) -> None:
    wanted = parse_json(f'{{"as_of": "{text}"}}'.encode(), JSON, TriggerRequest)
    assert wanted.as_of == instant
    assert wanted.as_of is not None
    assert wanted.as_of.utcoffset() == UTC.utcoffset(None)


def test_a_policy_is_read() -> None:
    assert parse_json(b'{"policy": "previous"}', JSON, TriggerRequest).policy is Policy.PREVIOUS


@pytest.mark.parametrize(
    ("body", "field"),
    [
        pytest.param(b"{", "body", id="not JSON"),
        pytest.param(b"[]", "body", id="a list"),
        pytest.param(b"7", "body", id="a number"),
        pytest.param(b"\xff\xfe{}", "body", id="not UTF-8"),
        pytest.param(b"[" * 10_000, "body", id="deep"),
        pytest.param(b'{"as_of": 1' + b"0" * 9_000 + b"}", "body", id="a long number"),
        pytest.param(b'{"asof": "2023-01-25T18:13:22Z"}', "asof", id="an unknown field"),
        pytest.param(b'{"query": 1}', "query", id="another unknown field"),
        pytest.param(b'{"as_of": 1674670402}', "as_of", id="seconds since 1970"),
        pytest.param(b'{"as_of": "1674670402"}', "as_of", id="the same as text"),
        pytest.param(b'{"as_of": "yesterday"}', "as_of", id="a word"),
        pytest.param(b'{"as_of": ""}', "as_of", id="nothing"),
        pytest.param(b'{"as_of": "2023-02-30T00:00:00Z"}', "as_of", id="no such day"),
        pytest.param(b'{"as_of": "0001-01-01T00:00:00+14:00"}', "as_of", id="before year 1"),
        pytest.param(b'{"as_of": "9999-12-31T23:59:59-14:00"}', "as_of", id="after year 9999"),
        pytest.param(b'{"as_of": ["2023-01-25T18:13:22Z"]}', "as_of", id="a list of one"),
        pytest.param(b'{"policy": "best"}', "policy", id="no such policy"),
        pytest.param(b'{"policy": 1}', "policy", id="a number as policy"),
        pytest.param(b'{"policy": "NEAREST"}', "policy", id="a policy in capitals"),
    ],
)
def test_a_bad_body_is_refused_with_its_field(body: bytes, field: str) -> None:
    with pytest.raises(ProblemError) as raised:
        parse_json(body, JSON, TriggerRequest)
    problem = raised.value.problem
    assert problem.status == 422
    assert problem.errors is not None
    assert [error.field for error in problem.errors] == [field]


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ";"])
def test_a_body_of_another_type_is_refused(content_type: str) -> None:
    with pytest.raises(ProblemError) as raised:
        parse_json(b"{}", content_type, TriggerRequest)
    assert raised.value.problem.errors is not None
    assert raised.value.problem.errors[0].field == "Content-Type"


@pytest.mark.parametrize(
    ("model", "body"),
    [
        pytest.param(TriggerRequest, {"status_model": True}, id="true as a version"),
        pytest.param(
            ObjectiveBody, {"applies_to": "all", "objective": True}, id="true as a percentage"
        ),
        pytest.param(
            OpeningHours,
            {"day_of_week": False, "start_time_local": "09:00", "end_time_local": "17:00"},
            id="false as a weekday",
        ),
        pytest.param(AccountChangeBody, {"enabled": "no"}, id="a word as a boolean"),
        pytest.param(PreviewBody, {"withdrawn_date": 86_400}, id="seconds as a date"),
        pytest.param(PreviewBody, {"withdrawn_date": "86400"}, id="seconds in a string as a date"),
        pytest.param(
            PreviewBody, {"withdrawn_date": "2023-01-25T00:00:00Z"}, id="an instant as a date"
        ),
        pytest.param(PreviewBody, {"cancelled_closure": True}, id="true as an id"),
        pytest.param(SpecialHoursBody, {"date": 0, "hours": []}, id="zero as a date"),
        pytest.param(ScheduleBody, {"every": "monday", "to": [{}]}, id="an object as an address"),
        pytest.param(ScheduleBody, {"every": "monday", "to": [[]]}, id="a list as an address"),
        pytest.param(ScheduleBody, {"every": "monday", "to": 5}, id="a number as an address"),
    ],
)
def test_values_of_another_type_are_refused(
    model: type[BaseModel], body: dict[str, object]
) -> None:
    with pytest.raises(ValidationError):
        model.model_validate(body)


def test_dates_and_whole_percentages_are_read() -> None:
    change = PreviewBody.model_validate({"withdrawn_date": "2023-01-25"})
    assert change.withdrawn_date == date(2023, 1, 25)
    objective = ObjectiveBody.model_validate({"applies_to": "all", "objective": 98})
    assert objective.objective == 98.0
