"""Run migrations on the connection that `unmask.web.database.upgrade` hands over."""

from alembic import context

from unmask.web.tables import Base

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
