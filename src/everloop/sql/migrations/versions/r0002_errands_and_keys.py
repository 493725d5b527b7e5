"""Out into the world: errands for the controller, and the keys of whoever may ask over HTTP."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Two tables more; nothing that was there is touched."""
    op.create_table(
        "errands",
        _text("id"),
        _text("verb"),
        _text("model"),
        _moment("now"),
        _text("cause"),
        _text("state"),
        _moment("asked_at"),
        _moment("done_at", empty=True),
        _text("said", empty=True),
        sa.Column("taken", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_errands"),
    )
    op.create_index("ix_errands_state_asked_at", "errands", ["state", "asked_at"])
    op.create_index("ix_errands_model_verb_now", "errands", ["model", "verb", "now"])
    op.create_table(
        "keys",
        _text("id"),
        _text("name"),
        _text("scopes"),
        _text("digest"),
        _moment("made_at"),
        _moment("revoked_at", empty=True),
        sa.PrimaryKeyConstraint("id", name="pk_keys"),
    )


def _text(name: str, *, empty: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=empty)


def _moment(name: str, *, empty: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=empty)
