"""Many workers: who holds an errand, how often one was taken over from the dead, and by which code a turn was begun."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Columns more. No process of before holds anything any more: what it had taken waits again, its death counted."""
    op.add_column("errands", sa.Column("holder", sa.Text(), nullable=True))
    op.add_column("errands", sa.Column("fence", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("errands", sa.Column("takeovers", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("turns", sa.Column("code", sa.Text(), nullable=True))
    op.execute("UPDATE errands SET state = 'waiting', takeovers = taken WHERE state = 'taken'")
    op.execute("UPDATE leases SET holder = NULL, until = 0")
    op.create_index("ix_leases_holder", "leases", ["holder"])
