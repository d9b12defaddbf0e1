"""All reports that were asked for, as a list of pages."""

import sqlalchemy as sa

from storemon_pipeline.storage.reports import Report, ReportState
from storemon_pipeline.storage.tables import report_results, reports
from storemon_pipeline.uptime.windows import Policy


def list_reports(connection: sa.Connection, *, offset: int, limit: int) -> tuple[int, list[Report]]:
    """How many reports there are, and a page of them, the newest request first."""
    total = connection.execute(sa.select(sa.func.count()).select_from(reports)).scalar_one()
    columns = (*reports.c, *report_results.c)
    wanted = Report.__dataclass_fields__
    named = {column.name: column for column in reversed(columns) if column.name in wanted}
    rows = connection.execute(
        sa.select(*named.values())
        .select_from(
            reports.outerjoin(report_results, report_results.c.result_id == reports.c.result_id)
        )
        .order_by(reports.c.requested_at.desc(), reports.c.report_id)
        .offset(offset)
        .limit(limit)
    )
    found = []
    for row in rows:
        values = row._asdict()
        values["state"] = ReportState(values["state"])
        values["policy"] = Policy(values["policy"])
        found.append(Report(**values))
    return total, found
