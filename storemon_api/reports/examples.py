"""Example responses for the OpenAPI document, all of one report."""

from datetime import UTC, datetime, timedelta
from typing import Final

from storemon_api.reports.report_status import ReportStatus
from storemon_api.reports.schemas import (
    CompleteReport,
    FailedReport,
    MessageStatusResponse,
    MessageTriggerResponse,
    RunningReport,
    TriggerResponse,
)
from storemon_pipeline.domain.windows import Policy
from storemon_pipeline.reports.csv_file import HEADER

REPORT_ID: Final = "0b9f4c1e-6a53-4c3b-9d0e-2f5a1c7e8d41"
CSV: Final = f"{HEADER}\n7482936150293847561,42.5000,11.2500,80.0000,17.5000,0.7500,4.0000\n"
_AS_OF: Final = datetime(2023, 1, 25, 18, 13, 22, 479220, tzinfo=UTC)
_REQUESTED_AT: Final = datetime(2023, 1, 25, 18, 20, tzinfo=UTC)
_ERROR: Final = "No poll has been loaded yet, so there is nothing to report on."

TRIGGERED: Final = TriggerResponse(report_id=REPORT_ID)
RUNNING: Final = RunningReport(report_id=REPORT_ID, requested_at=_REQUESTED_AT)
COMPLETE: Final = CompleteReport(
    report_id=REPORT_ID,
    requested_at=_REQUESTED_AT,
    report_url=f"http://127.0.0.1:8000/reports/{REPORT_ID}.csv",
    as_of=_AS_OF,
    policy=Policy.NEAREST,
    stores=14092,
    silent_stores=3,
    completed_at=_REQUESTED_AT + timedelta(seconds=2.5),
    revision=1,
    stores_with_rejected_hours=0,
    zone_rules="2026f",
    status_model=3,
)
FAILED: Final = FailedReport(report_id=REPORT_ID, requested_at=_REQUESTED_AT, error=_ERROR)
API_TRIGGERED: Final = MessageTriggerResponse(report_id=REPORT_ID)
API_RUNNING: Final = MessageStatusResponse(
    message=ReportStatus.RUNNING, status=ReportStatus.RUNNING, report_id=REPORT_ID
)
API_FAILED: Final = MessageStatusResponse(
    message=ReportStatus.FAILED, status=ReportStatus.FAILED, report_id=REPORT_ID, error=_ERROR
)
