"""Alembic's entry: runs the steps on the connection that the store hands over."""

from alembic import context

from ivr.contacts.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
)
# The store owns the transaction: all steps are committed together, or none.
context.run_migrations()
