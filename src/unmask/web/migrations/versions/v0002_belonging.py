"""Which data folder is the database's own, and which scans are a token's own."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    instance = op.create_table("instance", sa.Column("id", sa.String(32), primary_key=True))
    op.bulk_insert(instance, [{"id": secrets.token_urlsafe(16)}])
    with op.batch_alter_table("tokens") as tokens:
        tokens.add_column(sa.Column("owner", sa.String(64)))
    op.execute("UPDATE tokens SET owner = name")
    with op.batch_alter_table("tokens") as tokens:
        tokens.alter_column("owner", existing_type=sa.String(64), nullable=False)
        tokens.create_unique_constraint("tokens_owner_key", ["owner"])


def downgrade() -> None:
    with op.batch_alter_table("tokens") as tokens:
        tokens.drop_column("owner")
    op.drop_table("instance")
