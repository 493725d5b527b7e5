"""The outbox out into the world: who was told which alert, how often it was tried, and which addresses cannot be reached."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Two tables more, and how an alert ended that was not delivered."""
    op.add_column("alerts", _text("ended", empty=True))
    op.create_table(
        "letters",
        _text("alert"),
        _text("address"),
        _text("person"),
        _text("state"),
        sa.Column("attempts", sa.Integer(), nullable=False),
        _text("message", empty=True),
        _moment("first_at"),
        _moment("due_at"),
        _moment("ended_at", empty=True),
        _text("why", empty=True),
        sa.PrimaryKeyConstraint("alert", "address", name="pk_letters"),
    )
    op.create_index("ix_letters_address_ended_at", "letters", ["address", "ended_at"])
    op.create_table(
        "addresses",
        _text("id"),
        _text("person"),
        sa.Column("failures", sa.Integer(), nullable=False),
        _moment("failing_since"),
        _moment("paused_until"),
        _text("why"),
        sa.PrimaryKeyConstraint("id", name="pk_addresses"),
    )


def _text(name: str, *, empty: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=empty)


def _moment(name: str, *, empty: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=empty)
