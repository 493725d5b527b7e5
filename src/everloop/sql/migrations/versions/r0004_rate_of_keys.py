"""How often a key may ask."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One column more; the keys there are may ask as often as they like, as before."""
    op.add_column("keys", sa.Column("per_second", sa.Float(), nullable=True))
