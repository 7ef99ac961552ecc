"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    instant = sa.DateTime(timezone=True)
    op.create_table(
        "scans",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.Column("same", sa.String(64), unique=True),
        sa.Column("created", instant, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("duration", sa.Float()),
        sa.Column("verdict", sa.String(16)),
        sa.Column("probability", sa.Float()),
        sa.Column("message", sa.Text(), nullable=False),
    )
    op.create_index("ix_scans_created", "scans", ["created"])
    op.create_index("scans_by_owner_and_time", "scans", ["owner", "created"])
    op.create_table(
        "jobs",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("scan_id", sa.String(32), sa.ForeignKey("scans.id", ondelete="CASCADE"), nullable=False),
        sa.Column("task", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("cancel", sa.Boolean(), nullable=False),
        sa.Column("created", instant, nullable=False),
        sa.Column("started", instant),
        sa.Column("finished", instant),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.UniqueConstraint("scan_id", "task"),
        sqlite_autoincrement=True,
    )
    op.create_index("jobs_by_state", "jobs", ["state", "id"])
    op.create_table(
        "tokens",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("sha256", sa.String(64), nullable=False, unique=True),
        sa.Column("created", instant, nullable=False),
    )


def downgrade() -> None:
    for table in ("tokens", "jobs", "scans"):
        op.drop_table(table)
