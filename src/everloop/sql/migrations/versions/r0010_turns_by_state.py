"""Turns: the newest that is done and the oldest that are open, of whichever model, are found without reading the others."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Two indexes."""
    op.create_index("ix_turns_state_now", "turns", ["state", "now"])
    op.create_index("ix_turns_state_started_at", "turns", ["state", "started_at"])
