"""Responses about pushed loads: row counts, or the problem that names invalid rows."""

from fastapi import Response

from storemon_api.http.problems import INVALID_REQUEST, ProblemError
from storemon_api.http.schemas import FieldError
from storemon_api.loads.schemas import LoadResponse, RejectedPushedRow
from storemon_pipeline.domain.rejections import shortened
from storemon_pipeline.loads.pushed_load import BadRowsError, PushedLoad

MAX_NAMED_ROWS = 1_000
"""At most this many invalid rows are named."""


def load_response(load: PushedLoad, *, is_rejecting: bool = False) -> Response:
    """Return the row counts of a load, with the rejected rows when requested."""
    row_counts = load.row_counts
    body = LoadResponse(
        load_id=load.load_id,
        rows_read=row_counts.read,
        rows_loaded=row_counts.loaded,
        rows_replaced=row_counts.replaced,
        rows_unchanged=row_counts.unchanged,
        rows_rejected=row_counts.rejected,
        rejected=[
            RejectedPushedRow(index=row.line, reason=row.reason.value, text=shortened(row.text))
            for row in load.rejected[:MAX_NAMED_ROWS]
        ]
        if is_rejecting
        else None,
    )
    return Response(body.model_dump_json(exclude_none=True), media_type="application/json")


def bad_rows(error: BadRowsError, what: str) -> ProblemError:
    """Return the problem that names the invalid rows by index; nothing was loaded."""
    are_all_named = len(error.rejected) <= MAX_NAMED_ROWS
    return ProblemError(
        INVALID_REQUEST,
        f"{len(error.rejected)} of {error.rows} {what} are invalid; nothing was loaded"
        f"{'.' if are_all_named else f'. The first {MAX_NAMED_ROWS} are listed.'}",
        errors=[
            FieldError(field=f"{what}[{row.line}]", message=row.reason.value, index=row.line)
            for row in error.rejected[:MAX_NAMED_ROWS]
        ],
    )
