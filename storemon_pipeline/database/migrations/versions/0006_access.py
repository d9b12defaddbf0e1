"""API keys, what was done with them, and which request asked for a report."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the tables, add the column."""
    op.create_table(
        "api_keys",
        sa.Column(
            "key_id",
            sa.Text(collation="C"),
            nullable=False,
            comment="the token's open part",
        ),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("secret_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column(
            "store_ids", postgresql.ARRAY(sa.Text()), nullable=True, comment="NULL: every store"
        ),
        sa.Column("created_at", _INSTANT, server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", _INSTANT, nullable=True),
        sa.Column("revoked_at", _INSTANT, nullable=True),
        sa.Column("last_used_at", _INSTANT, nullable=True, comment="to the minute"),
        sa.CheckConstraint("length(secret_sha256) = 32", name=op.f("ck_api_keys_secret_sha256")),
        sa.CheckConstraint(
            "scopes <@ ARRAY['read', 'trigger', 'ingest', 'admin'] AND scopes <> '{}'",
            name=op.f("ck_api_keys_scopes"),
        ),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_api_keys")),
        comment="Who may use the API, and for what; never holds a token.",
    )
    op.create_index(
        "uq_api_keys_name",
        "api_keys",
        ["name"],
        unique=True,
        postgresql_where=sa.text("revoked_at IS NULL"),
    )
    op.create_table(
        "audit_events",
        sa.Column("event_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", _INSTANT, server_default=sa.text("now()"), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column(
            "key_id",
            sa.Text(),
            nullable=True,
            comment="NULL: no key was needed, or the command line",
        ),
        sa.Column(
            "client",
            sa.Text(),
            nullable=True,
            comment="address of the client, or the user of the command line",
        ),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=True, comment="what it was done to"),
        sa.Column("status", sa.SmallInteger(), nullable=True, comment="of the answer"),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_audit_events")),
        comment="Who triggered, pushed, changed keys, and when; only ever appended to.",
    )
    op.create_index(op.f("ix_audit_events_at"), "audit_events", ["at"])
    op.add_column(
        "reports",
        sa.Column(
            "request_id", sa.Text(), nullable=True, comment="of the HTTP request that asked for it"
        ),
    )
