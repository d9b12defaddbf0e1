"""The files of a sent statement, by name. No I/O."""

from typing import Final

from storemon_pipeline.statements.revision import Revision, changes_table
from storemon_pipeline.statements.statement import Statement
from storemon_pipeline.statements.statement_files import statement_csv, statement_xlsx
from storemon_pipeline.statements.statement_pdf import statement_pdf
from storemon_pipeline.statements.statement_tables import TableName, table_of

CHANGES: Final = "changes"


def revision_files(statement: Statement, revision: Revision) -> dict[str, bytes]:
    """PDF, workbook, and a CSV file for each table and for the changes."""
    tables = {name.value: table_of(statement, name) for name in TableName}
    tables[CHANGES] = changes_table(revision.changes)
    return {
        "pdf": statement_pdf(statement, revision),
        "xlsx": statement_xlsx(statement, revision),
        **{f"{name}.csv": statement_csv(statement, table) for name, table in tables.items()},
    }
