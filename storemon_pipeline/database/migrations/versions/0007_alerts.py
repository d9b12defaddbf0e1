"""Alerts and their messages, and when each source was last looked at."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "alert_watch",
        sa.Column("is_only_row", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("looked_at", _INSTANT, nullable=False, comment="by the clock"),
        sa.Column(
            "watching_since",
            _INSTANT,
            nullable=False,
            comment="without a long pause between looks",
        ),
        sa.Column(
            "seen",
            sa.Text(),
            nullable=True,
            comment="the version of the data that stores were judged by",
        ),
        sa.CheckConstraint("is_only_row", name=op.f("ck_alert_watch_is_only_row")),
        sa.PrimaryKeyConstraint("is_only_row", name=op.f("pk_alert_watch")),
        comment="The last look for alerts.",
    )
    op.create_table(
        "source_looks",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("looked_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_source_looks")),
        comment="When the files of each source were last looked at, and all of them could be used.",
    )
    op.create_table(
        "alerts",
        sa.Column("alert_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column(
            "subject", sa.Text(collation="C"), nullable=False, comment="the id of a store, …"
        ),
        sa.Column(
            "store_key", sa.Integer(), nullable=True, comment="NULL: it is not about one store"
        ),
        sa.Column(
            "opened_at", _INSTANT, nullable=False, comment="newest poll; of a source the clock"
        ),
        sa.Column("since", _INSTANT, nullable=False, comment="when that began which it tells of"),
        sa.Column("closed_at", _INSTANT, nullable=True, comment="as opened_at; NULL: open"),
        sa.Column("ending", sa.Text(), nullable=True, comment="in words, once it is closed"),
        sa.Column(
            "lost_us",
            sa.BigInteger(),
            nullable=False,
            comment="business time down, or without a poll",
        ),
        sa.Column(
            "stores",
            sa.Integer(),
            nullable=True,
            comment="so many were meant when it was last looked at",
        ),
        sa.Column("of_stores", sa.Integer(), nullable=True, comment="of so many open ones"),
        sa.Column("is_told", sa.Boolean(), nullable=False, comment="there were messages about it"),
        sa.Column("recorded_at", _INSTANT, server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "kind IN ('down', 'silent', 'source', 'platform')", name=op.f("ck_alerts_kind")
        ),
        sa.CheckConstraint(
            "(kind IN ('down', 'silent')) = (store_key IS NOT NULL)",
            name=op.f("ck_alerts_store_key"),
        ),
        sa.CheckConstraint("(closed_at IS NULL) = (ending IS NULL)", name=op.f("ck_alerts_ending")),
        sa.PrimaryKeyConstraint("alert_id", name=op.f("pk_alerts")),
        comment="What was wrong from when to when; at most one open alert of a kind and subject.",
    )
    op.create_index(
        "uq_alerts_open",
        "alerts",
        ["kind", "subject"],
        unique=True,
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_index("ix_alerts_kind_subject_closed_at", "alerts", ["kind", "subject", "closed_at"])
    op.create_index("ix_alerts_closed_at", "alerts", ["closed_at"])
    op.create_index(
        "ix_alerts_listed",
        "alerts",
        [sa.text("(closed_at IS NOT NULL)"), sa.text("opened_at DESC"), "alert_id"],
    )
    op.create_table(
        "alert_deliveries",
        sa.Column("delivery_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("alert_id", sa.BigInteger(), nullable=False),
        sa.Column("change", sa.Text(), nullable=False),
        sa.Column(
            "target", sa.Text(), nullable=False, comment="label of an address; never the address"
        ),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'waiting'"), nullable=False),
        sa.Column(
            "is_held", sa.Boolean(), nullable=False, comment="until its store's business time"
        ),
        sa.Column("tries", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_try_at", _INSTANT, nullable=False),
        sa.Column("claimed_at", _INSTANT, nullable=True, comment="when the last try began"),
        sa.Column(
            "is_repeated",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="a try was interrupted, so that this one may be the second to arrive",
        ),
        sa.Column("sent_at", _INSTANT, nullable=True),
        sa.Column(
            "error",
            sa.Text(),
            nullable=True,
            comment="of the last try; without any part of the address",
        ),
        sa.Column("created_at", _INSTANT, server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "change IN ('opened', 'closed')", name=op.f("ck_alert_deliveries_change")
        ),
        sa.CheckConstraint(
            "state IN ('waiting', 'sending', 'sent', 'failed')",
            name=op.f("ck_alert_deliveries_state"),
        ),
        sa.PrimaryKeyConstraint("delivery_id", name=op.f("pk_alert_deliveries")),
        sa.UniqueConstraint(
            "alert_id",
            "change",
            "target",
            name=op.f("uq_alert_deliveries_alert_id_change_target"),
        ),
        comment="The messages about each alert, one for each address: those that wait and those sent.",
    )
    op.create_index(op.f("ix_alert_deliveries_alert_id"), "alert_deliveries", ["alert_id"])
    op.create_index(
        "ix_alert_deliveries_open",
        "alert_deliveries",
        ["next_try_at"],
        postgresql_where=sa.text("state <> 'sent'"),
    )
