"""Routes that make a statement: as JSON and as files."""

from collections.abc import Callable
from enum import StrEnum, unique
from typing import Annotated, Any, Final

from fastapi import Path, Query, Response

from storemon_api.http.problems import invalid_field
from storemon_api.http.routing import Router
from storemon_api.http.services import ServicesDep
from storemon_api.statements.statement_query import STATEMENT_PROBLEMS, StatementQueryDep
from storemon_pipeline.statements.statement import Statement
from storemon_pipeline.statements.statement_files import statement_csv, statement_xlsx
from storemon_pipeline.statements.statement_json import statement_json
from storemon_pipeline.statements.statement_pdf import statement_pdf
from storemon_pipeline.statements.statement_tables import TableName, scope_name, table_of

router = Router(tag="statements")


@unique
class StatementFormat(StrEnum):
    """Formats of a statement's file; the value is the extension in its URL."""

    CSV = "csv"
    PDF = "pdf"
    XLSX = "xlsx"


MEDIA_TYPES: Final = {
    StatementFormat.CSV: "text/csv; charset=utf-8",
    StatementFormat.PDF: "application/pdf",
    StatementFormat.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
FILES: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The statement as a file.",
        "content": {media_type.split(";")[0]: {} for media_type in MEDIA_TYPES.values()},
    }
}


@router.get(
    "/statement",
    summary="A statement of a store, a group, a region or all stores",
    responses={200: {"model": Statement}, **STATEMENT_PROBLEMS},
)
def get_statement(services: ServicesDep, query: StatementQueryDep) -> Response:
    """Return the figures, incidents and closures of a local week or month.

    Without `objective`, each store is held against its stored objective.
    """
    return Response(statement_json(query.make(services)), media_type="application/json")


@router.get(
    "/statement.{extension}",
    summary="A statement as CSV, PDF or XLSX",
    response_class=Response,
    responses={**FILES, **STATEMENT_PROBLEMS},
)
def get_statement_file(
    services: ServicesDep,
    query: StatementQueryDep,
    extension: Annotated[StatementFormat, Path()],
    table: Annotated[
        TableName, Query(description="The table of a CSV file; the others have all of them.")
    ] = TableName.STORES,
) -> Response:
    """Return the statement as a file for people: amounts of time in hours."""
    if extension is not StatementFormat.CSV and table is not TableName.STORES:
        raise invalid_field("table", "`table` can only be used with CSV.")
    statement = query.make(services)
    encode: dict[StatementFormat, Callable[[], bytes]] = {
        StatementFormat.CSV: lambda: statement_csv(statement, table_of(statement, table)),
        StatementFormat.PDF: lambda: statement_pdf(statement),
        StatementFormat.XLSX: lambda: statement_xlsx(statement),
    }
    part = "" if table is TableName.STORES else f"-{table}"
    name = f"statement-{scope_name(statement.scope)}-{statement.period}{part}"
    return file_response(encode[extension](), name, extension)


def file_response(content: bytes, name: str, extension: StatementFormat) -> Response:
    """Return a file to be saved under a name."""
    return Response(
        content,
        media_type=MEDIA_TYPES[extension],
        headers={"Content-Disposition": f'attachment; filename="{name}.{extension}"'},
    )
