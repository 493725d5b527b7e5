"""The first house: journal, versions, traffic, turns, leases, alerts, approvals, facts."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Everything a house needs, into an empty database."""
    _journal()
    _rollouts()
    _running()
    _people()


def _text(name: str, *, empty: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=empty)


def _moment(name: str, *, empty: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=empty)


def _key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=f"pk_{table}")


def _journal() -> None:
    op.create_table(
        "journal",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        _text("id"),
        _text("model", empty=True),
        _text("turn", empty=True),
        _text("verb"),
        _text("kind"),
        _moment("at"),
        _text("body"),
        _text("previous"),
        _text("hash"),
        _key("journal", "seq"),
    )
    op.create_index("ix_journal_id", "journal", ["id"], unique=True)
    op.create_index("ix_journal_model_kind_seq", "journal", ["model", "kind", "seq"])
    op.create_index("ix_journal_turn", "journal", ["turn"])
    op.create_index("ix_journal_at", "journal", ["at"])
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER journal_no_{verb.lower()} BEFORE {verb} ON journal "
                f"BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END"
            )
        # INSERT OR REPLACE deletes without waking the trigger above.
        op.execute(
            "CREATE TRIGGER journal_no_replace BEFORE INSERT ON journal "
            "WHEN EXISTS (SELECT 1 FROM journal WHERE seq = NEW.seq OR id = NEW.id) "
            "BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END"
        )
    else:
        op.execute(
            "CREATE FUNCTION journal_stays() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'the journal is append-only'; END $$"
        )
        op.execute("CREATE TRIGGER journal_stays BEFORE UPDATE OR DELETE ON journal FOR EACH ROW EXECUTE FUNCTION journal_stays()")
        op.execute("CREATE TRIGGER journal_not_emptied BEFORE TRUNCATE ON journal EXECUTE FUNCTION journal_stays()")


def _rollouts() -> None:
    op.create_table(
        "versions",
        _text("id"),
        _text("model"),
        sa.Column("number", sa.Integer(), nullable=False),
        _text("content"),
        _text("candidate"),
        _text("verdict", empty=True),
        _moment("made_at"),
        _text("made_from"),
        _key("versions", "id"),
        sa.UniqueConstraint("model", "number", name="uq_versions_model_number"),
        sa.UniqueConstraint("model", "content", name="uq_versions_model_content"),
    )
    op.create_table(
        "traffic",
        _text("model"),
        sa.Column("generation", sa.Integer(), nullable=False),
        _text("id"),
        _moment("at"),
        _text("body"),
        _key("traffic", "model"),
    )


def _running() -> None:
    op.create_table(
        "turns",
        _text("id"),
        _text("model"),
        _moment("now"),
        _text("cause"),
        _text("state"),
        _moment("started_at"),
        _moment("finished_at", empty=True),
        _key("turns", "id"),
    )
    op.create_index("ix_turns_model_now", "turns", ["model", "now"])
    is_open = sa.text("state = 'open'")
    op.create_index("one_open_turn", "turns", ["model"], unique=True, sqlite_where=is_open, postgresql_where=is_open)
    op.create_table(
        "leases",
        _text("name"),
        _text("holder", empty=True),
        _moment("until"),
        sa.Column("fence", sa.Integer(), nullable=False),
        _key("leases", "name"),
    )
    op.create_table("facts", _text("model"), _text("name"), _moment("at"), _text("body"), _key("facts", "model", "name", "at"))


def _people() -> None:
    op.create_table(
        "alerts",
        _text("key"),
        _text("model"),
        _text("severity"),
        _text("sentence"),
        _text("owner", empty=True),
        _text("head", empty=True),
        _moment("raised_at"),
        _moment("delivered_at", empty=True),
        _key("alerts", "key"),
    )
    op.create_index("ix_alerts_delivered_at_raised_at", "alerts", ["delivered_at", "raised_at"])
    op.create_table(
        "approvals",
        _text("decision"),
        _text("model"),
        _text("action"),
        _moment("asked_at"),
        _text("state"),
        _text("by", empty=True),
        _text("reason", empty=True),
        _moment("answered_at", empty=True),
        _key("approvals", "decision"),
    )
    op.create_index("ix_approvals_model_state", "approvals", ["model", "state"])
