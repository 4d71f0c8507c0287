"""The first register: calls with their utterances, decisions, transfers and latencies."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "calls",
        sa.Column("call_id", sa.Text, nullable=False),
        sa.Column("node", sa.Text, nullable=False),
        sa.Column("process", sa.Text, nullable=False),
        sa.Column("line", sa.Text, nullable=False),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("sip_call_id", sa.Text),
        sa.Column("caller_hash", sa.Text),
        sa.Column("caller_encrypted", sa.LargeBinary),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("answered_at", MOMENT),
        sa.Column("ended_at", MOMENT),
        sa.Column("outcome", sa.Text),
        sa.Column("thema", sa.Text),
        sa.Column("voorlichter_group", sa.Text),
        sa.Column("sip_status", sa.Integer),
        sa.Column("recovered_at", MOMENT),
        sa.PrimaryKeyConstraint("call_id", name="pk_calls"),
    )
    op.create_index("ix_calls_started_at", "calls", ["started_at"])
    op.create_index("ix_calls_open", "calls", ["node", "ended_at"])
    op.create_index("ix_calls_caller_hash", "calls", ["caller_hash"])
    op.create_table(
        "utterances",
        sa.Column("call_id", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("audio_seconds", sa.Double),
        sa.Column("recording", sa.Text),
        sa.Column("transcript", sa.Text),
        sa.Column("confidence", sa.Double),
        sa.Column("words", sa.JSON),
        sa.Column("alternatives", sa.JSON),
        sa.Column("recogniser", sa.Text, nullable=False),
        sa.Column("recogniser_version", sa.Text, nullable=False),
        sa.Column("failure", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("call_id", "number", name="pk_utterances"),
        sa.ForeignKeyConstraint(["call_id"], ["calls.call_id"], "fk_utterances_call_id_calls"),
    )
    op.create_index("ix_utterances_at", "utterances", ["at"])
    op.create_table(
        "decisions",
        sa.Column("call_id", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("utterance_number", sa.Integer),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("decided_by", sa.Text, nullable=False),
        sa.Column("thema", sa.Text),
        sa.Column("voorlichter_group", sa.Text),
        sa.Column("probability", sa.Double),
        sa.Column("ranking", sa.JSON),
        sa.Column("costs", sa.JSON),
        sa.Column("policy_version", sa.Text, nullable=False),
        sa.Column("model_version", sa.Text, nullable=False),
        sa.Column("language", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("call_id", "number", name="pk_decisions"),
        sa.ForeignKeyConstraint(["call_id"], ["calls.call_id"], "fk_decisions_call_id_calls"),
    )
    op.create_index("ix_decisions_at", "decisions", ["at"])
    op.create_table(
        "transfer_attempts",
        sa.Column("call_id", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("voorlichter_group", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("method", sa.Text, nullable=False),
        sa.Column("result", sa.Text, nullable=False),
        sa.Column("sip_status", sa.Integer),
        sa.Column("seconds", sa.Double),
        sa.PrimaryKeyConstraint("call_id", "number", name="pk_transfer_attempts"),
        sa.ForeignKeyConstraint(
            ["call_id"], ["calls.call_id"], "fk_transfer_attempts_call_id_calls"
        ),
    )
    op.create_table(
        "stage_latencies",
        sa.Column("call_id", sa.Text, nullable=False),
        sa.Column("turn", sa.Integer, nullable=False),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("seconds", sa.Double),
        sa.PrimaryKeyConstraint("call_id", "turn", "stage", name="pk_stage_latencies"),
        sa.ForeignKeyConstraint(["call_id"], ["calls.call_id"], "fk_stage_latencies_call_id_calls"),
    )


def downgrade() -> None:
    """Drop everything."""
    for table in ("stage_latencies", "transfer_attempts", "decisions", "utterances", "calls"):
        op.drop_table(table)
