"""What is wrong with which model: incidents, each as its newest change left it."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One table more; a house of before begins with no incident."""
    op.create_table(
        "incidents",
        sa.Column("incident", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("change", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("incident", name="pk_incidents"),
    )
    op.create_index("ix_incidents_model_state", "incidents", ["model", "state"])
    op.create_index("ix_incidents_at", "incidents", ["at"])
