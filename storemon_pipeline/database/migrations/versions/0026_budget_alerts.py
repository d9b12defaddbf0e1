"""Allow alerts about error budgets."""

from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Replace the constraints that list the kinds of alerts."""
    op.drop_constraint(op.f("ck_alerts_kind"), "alerts", type_="check")
    op.drop_constraint(op.f("ck_alerts_store_key"), "alerts", type_="check")
    op.create_check_constraint(
        op.f("ck_alerts_kind"),
        "alerts",
        "kind IN ('down', 'silent', 'source', 'platform', 'data', 'burn', 'exhausted')",
    )
    op.create_check_constraint(
        op.f("ck_alerts_store_key"),
        "alerts",
        "(kind IN ('down', 'silent', 'burn', 'exhausted')) = (store_key IS NOT NULL)",
    )
