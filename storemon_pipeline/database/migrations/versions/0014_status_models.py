"""Keep versions of the status model, and name the one that each result was made with.

Results that were made before have no likely ranges, and name no version.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table of versions, and add the columns that refer to it."""
    op.create_table(
        "status_models",
        sa.Column("status_model_id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("fitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "as_of",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="newest poll that it was fitted to",
        ),
        sa.Column("recipe", sa.Integer(), nullable=False, comment="how it was fitted, by number"),
        sa.Column(
            "stores", sa.Integer(), nullable=False, comment="stores with polls in the period"
        ),
        sa.Column(
            "doubted_stores", sa.Integer(), nullable=False, comment="whose ranges are flagged"
        ),
        sa.Column(
            "parameters", sa.LargeBinary(), nullable=False, comment="NumPy arrays, compressed"
        ),
        sa.PrimaryKeyConstraint("status_model_id", name=op.f("pk_status_models")),
        comment=(
            "Versions of the status model, which likely ranges are computed from; never changed."
        ),
    )
    op.add_column(
        "reports",
        sa.Column(
            "requested_status_model_id",
            sa.Integer(),
            comment="NULL: the newest version when the report is computed",
        ),
    )
    for table in ("report_results", "result_shards"):
        op.add_column(
            table,
            sa.Column("status_model_id", sa.Integer(), comment="NULL: made without likely ranges"),
        )
