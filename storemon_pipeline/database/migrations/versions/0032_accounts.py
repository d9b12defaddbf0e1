"""Let people sign in: accounts, their links and sessions."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables, name accounts in the audit log, and allow keys to edit."""
    op.create_table(
        "accounts",
        sa.Column("account_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("email", sa.Text(collation="C"), nullable=False, comment="lower case"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column(
            "store_ids",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            comment="stores of an owner, beside those of the groups",
        ),
        sa.Column(
            "groups", postgresql.ARRAY(sa.Text()), nullable=False, comment="groups of an owner"
        ),
        sa.Column(
            "password_hash", sa.Text(), comment="Argon2; NULL: invited, or signs in at a provider"
        ),
        sa.Column(
            "issuer", sa.Text(collation="C"), comment="OpenID provider that knows the person"
        ),
        sa.Column("subject", sa.Text(collation="C"), comment="id of the person at the provider"),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.Column("disabled_at", sa.DateTime(timezone=True)),
        sa.Column("last_sign_in_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint("role IN ('owner', 'operator', 'admin')", name=op.f("ck_accounts_role")),
        sa.CheckConstraint(
            "role = 'owner' OR (store_ids = '{}' AND groups = '{}')",
            name=op.f("ck_accounts_stores_of_owners"),
        ),
        sa.CheckConstraint("(issuer IS NULL) = (subject IS NULL)", name=op.f("ck_accounts_issuer")),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("email", name=op.f("uq_accounts_email")),
        sa.UniqueConstraint("issuer", "subject", name=op.f("uq_accounts_issuer_subject")),
        comment="People who sign in; never holds a password.",
    )
    op.create_table(
        "account_links",
        sa.Column("token_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("length(token_sha256) = 32", name=op.f("ck_account_links_token_sha256")),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.account_id"],
            name=op.f("fk_account_links_account_id_accounts"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("token_sha256", name=op.f("pk_account_links")),
        comment="Links with which a password is chosen: invitations and resets. Used ones are deleted.",
    )
    op.create_index(op.f("ix_account_links_account_id"), "account_links", ["account_id"])
    op.create_table(
        "account_sessions",
        sa.Column("token_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.Column(
            "last_used_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="accurate to the minute",
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "length(token_sha256) = 32", name=op.f("ck_account_sessions_token_sha256")
        ),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.account_id"],
            name=op.f("fk_account_sessions_account_id_accounts"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("token_sha256", name=op.f("pk_account_sessions")),
        comment="Sessions of signed-in accounts; those that have ended are deleted.",
    )
    op.create_index(op.f("ix_account_sessions_account_id"), "account_sessions", ["account_id"])
    op.add_column(
        "audit_events",
        sa.Column("account_id", sa.BigInteger(), comment="account whose session it was"),
    )
    op.drop_constraint(op.f("ck_api_keys_scopes"), "api_keys")
    op.create_check_constraint(
        op.f("ck_api_keys_scopes"),
        "api_keys",
        "scopes <@ ARRAY['read', 'trigger', 'edit', 'ingest', 'admin'] AND scopes <> '{}'",
    )
