"""What a second engine heard, beside what a call was decided on."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "other_readings",
        sa.Column("call_id", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("heard_in", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("transcript", sa.Text),
        sa.Column("confidence", sa.Double),
        sa.Column("words", sa.JSON),
        sa.Column("alternatives", sa.JSON),
        sa.Column("recogniser", sa.Text, nullable=False),
        sa.Column("recogniser_version", sa.Text, nullable=False),
        sa.Column("seconds", sa.Double),
        sa.Column("failure", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("call_id", "number", "heard_in", name="pk_other_readings"),
        sa.ForeignKeyConstraint(["call_id"], ["calls.call_id"], "fk_other_readings_call_id_calls"),
    )
    op.create_index("ix_other_readings_at", "other_readings", ["at"])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("other_readings")
