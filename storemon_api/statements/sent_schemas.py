"""Request and response models about sent statements."""

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from storemon_api.http.schemas import ResponseBody
from storemon_api.stores.store_filters import Percentage
from storemon_pipeline.sent_statements.delivery_table import ADDRESS, LONGEST_ADDRESS, FileFormat
from storemon_pipeline.sent_statements.send_statement import Difference
from storemon_pipeline.sent_statements.sent_table import SentStatement
from storemon_pipeline.statements.changes import Change, Line
from storemon_pipeline.statements.statement import Statement

Address = Annotated[str, Field(pattern=ADDRESS, max_length=LONGEST_ADDRESS)]


class SendBody(BaseModel):
    """The statement to send."""

    model_config = ConfigDict(extra="forbid")

    store_id: str | None = None
    group: str | None = None
    region: str | None = None
    period: str = Field(description="A month, or an ISO week.", examples=["2026-10"])
    objective: Percentage | None = None
    to: Address | None = Field(
        default=None, description="Also send it there by mail.", examples=["owner@example.com"]
    )
    format: FileFormat = Field(default=FileFormat.PDF, description="The file of the mail.")


class ChangeResponse(ResponseBody):
    """A value that a revision changed."""

    line: Line
    store_id: str | None = Field(description="`*`: every store.")
    item: str = Field(description="The local start of the outage or closure; otherwise empty.")
    field: str = Field(
        description="A field of the statement's JSON; `line` for a line that appeared or is gone.",
        examples=["down_us"],
    )
    before: str | int | float | None
    after: str | int | float | None
    is_estimate: bool = Field(
        description="Whether it depends on the status model or on other stores, so that it makes "
        "no revision alone."
    )


class SentStatementResponse(ResponseBody):
    """A revision of a sent statement, without its figures."""

    statement_id: int = Field(examples=[7])
    revision: int = Field(examples=[1])
    newest_statement_id: int = Field(description="The id of its newest revision.")
    store_id: str | None
    group: str | None
    region: str | None
    period: str = Field(examples=["2026-10"])
    objective_percent: float | None = Field(description="Null: the stored objectives.")
    stores: int
    as_of: AwareDatetime
    sent_at: AwareDatetime
    sent_by: str | None = Field(description="Name of the key.")
    reasons: list[str] = Field(description="Why it differs from the revision before.")
    changes: int = Field(description="Values that differ from the revision before.")


class SentStatementsResponse(ResponseBody):
    """A page of sent statements, the newest first."""

    statements: list[SentStatementResponse]
    next_offset: int | None = Field(description="Null on the last page.")


class SentFiguresResponse(ResponseBody):
    """A revision of a sent statement with its figures and changes."""

    about: SentStatementResponse
    changes: list[ChangeResponse]
    statement: Statement


class DifferenceResponse(ResponseBody):
    """What a new revision would change, by the data of now; empty when nothing."""

    makes_revision: bool
    reasons: list[str]
    changes: list[ChangeResponse]


def sent_response(sent: SentStatement) -> SentStatementResponse:
    """Return a revision as a body."""
    request = sent.request
    objective = request.objective_percent
    return SentStatementResponse(
        statement_id=sent.statement_id,
        revision=sent.revision.number,
        newest_statement_id=sent.newest_id,
        store_id=request.scope.store_id,
        group=request.scope.group,
        region=request.scope.region,
        period=request.period,
        objective_percent=None if objective is None else float(objective),
        stores=sent.stores,
        as_of=sent.as_of,
        sent_at=sent.revision.sent_at,
        sent_by=sent.sent_by,
        reasons=sent.revision.reasons,
        changes=len(sent.revision.changes),
    )


def change_responses(changes: list[Change]) -> list[ChangeResponse]:
    """Return changes as bodies."""
    return [
        ChangeResponse(
            line=change.line,
            store_id=change.store_id,
            item=change.item,
            field=change.field,
            before=change.before,
            after=change.after,
            is_estimate=change.is_estimate,
        )
        for change in changes
    ]


def difference_response(difference: Difference) -> DifferenceResponse:
    """Return what a revision would change as a body."""
    return DifferenceResponse(
        makes_revision=bool(difference.changes),
        reasons=difference.reasons,
        changes=change_responses(difference.changes),
    )
