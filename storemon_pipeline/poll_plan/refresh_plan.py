"""Making the poll plan that the table `planned_polls` holds."""

from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.poll_plan.planned_polls import write_planned_polls
from storemon_pipeline.poll_plan.read_plan import PollPlan, read_poll_plan


def refresh_poll_plan(url: str, *, polls_per_hour: int | None) -> PollPlan:
    """Write the plan of the hour after the newest poll; None: as many polls as stores."""
    plan = read_poll_plan(url, polls_per_hour=polls_per_hour)
    with bulk_transaction(url) as bulk:
        write_planned_polls(bulk, plan.stores, plan.polls)
    return plan
