"""The journal: what it keeps, and what nobody gets past it. (What every backend must do is in everloop.testing.registry.)"""

import sqlite3
from datetime import timedelta

import pytest
from sqlalchemy import event, text

from everloop.errors import ClockWentBack, EverloopError, HouseFull, JournalBroken, StoreError
from everloop.registry.journal import NOTHING, Head, Journal
from everloop.registry.store import open_store
from everloop.testing.registry import decision


@pytest.fixture
def journal(store):
    kept = Journal(store)
    for number in range(1, 6):
        with store.transaction() as t:
            kept.append(t, decision(number), turn="t", verb="decide")
    return kept


def tamper(journal, *statements):
    """As somebody would who has the file and knows about the triggers."""
    file = sqlite3.connect(journal.store.engine.url.database)
    for statement in ("DROP TRIGGER journal_no_update", "DROP TRIGGER journal_no_delete", *statements):
        file.execute(statement)
    file.commit()
    file.close()


def test_an_empty_journal_holds(store):
    assert Journal(store).verify() == Journal(store).head() == Head(0, NOTHING)
    assert Journal(store).newest() is None
    assert Journal(store).read() == []


def test_an_untouched_journal_holds(journal):
    assert journal.verify(journal.head()).seq == 5


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE journal SET verb = 'x' WHERE seq = 2",
        "DELETE FROM journal WHERE seq = 5",
        "INSERT OR REPLACE INTO journal SELECT seq, id, model, turn, 'x', kind, at, body, previous, hash FROM journal WHERE seq = 5",
    ],
)
def test_the_database_itself_refuses_to_change_the_past(journal, statement):
    with pytest.raises(StoreError, match="append-only"), journal.store.transaction() as t:
        t.execute(text(statement))
    assert journal.verify().seq == 5


@pytest.mark.parametrize(
    ("statement", "seq", "why"),
    [
        ("UPDATE journal SET body = replace(body, 'hold', 'undo') WHERE seq = 3", 3, "changed"),
        ("UPDATE journal SET at = at + 1 WHERE seq = 3", 3, "changed"),
        ("UPDATE journal SET turn = 'another' WHERE seq = 4", 4, "changed"),
        ("UPDATE journal SET turn = NULL WHERE seq = 4", 4, "changed"),
        ("UPDATE journal SET verb = 'x' WHERE seq = 1", 1, "changed"),
        ("UPDATE journal SET model = 'churn' WHERE seq = 1", 1, "changed"),
        ("UPDATE journal SET id = 'x' WHERE seq = 5", 5, "changed"),
        ("UPDATE journal SET hash = previous WHERE seq = 2", 2, "changed"),
        ("UPDATE journal SET previous = hash WHERE seq = 2", 2, "does not follow"),
        ("DELETE FROM journal WHERE seq = 1", 1, "gone"),
        ("DELETE FROM journal WHERE seq = 3", 3, "gone"),
        ("UPDATE journal SET seq = seq + 1 WHERE seq = 5", 5, "gone"),
    ],
)
def test_the_chain_finds_what_was_changed(journal, statement, seq, why):
    tamper(journal, statement)
    with pytest.raises(JournalBroken, match=why) as broken:
        journal.verify()
    assert broken.value.seq == seq


def test_the_chain_finds_two_records_that_changed_places(journal):
    tamper(journal, *(f"UPDATE journal SET seq = {to} WHERE seq = {of}" for of, to in ((2, 99), (3, 2), (99, 3))))
    with pytest.raises(JournalBroken) as broken:
        journal.verify()
    assert broken.value.seq == 2


def test_a_tail_that_was_cut_off_is_found_by_a_head_noted_before(journal):
    anchor = journal.head()
    tamper(journal, "DELETE FROM journal WHERE seq > 3")
    assert journal.verify().seq == 3  # without a head nobody can tell
    with pytest.raises(JournalBroken, match="ends at record 3, but a head at record 5"):
        journal.verify(anchor)


def test_a_chain_that_was_written_anew_is_found_by_a_head_noted_before(journal, tmp_path):
    anchor = journal.head()
    forged = open_store(f"sqlite:///{tmp_path / 'forged.db'}")
    for number in range(1, 7):
        with forged.transaction() as t:
            Journal(forged).append(t, decision(number, cause="as we wish it had been"))
    assert Journal(forged).verify().seq == 6
    with pytest.raises(JournalBroken, match="rewritten") as broken:
        Journal(forged).verify(anchor)
    assert broken.value.seq == 5
    forged.close()


def test_a_head_goes_through_text(journal):
    assert Head.read(str(journal.head())) == journal.head()
    for text_ in ("", "5", "5:abc", "x:" + NOTHING, "-1:" + NOTHING):
        with pytest.raises(EverloopError, match="no head of a journal"):
            Head.read(text_)


def test_a_clock_set_back_says_what_to_do(journal):
    with pytest.raises(ClockWentBack, match="already journalled 2026-11-02 05:00 UTC") as refused, journal.store.transaction() as t:
        journal.append(t, decision(0))
    assert "--now" in str(refused.value)


def test_the_caller_says_how_far_back_is_fine(journal):
    with journal.store.transaction() as t:
        journal.append(t, decision(0), back=timedelta(hours=5))
    with pytest.raises(ClockWentBack), journal.store.transaction() as t:
        journal.append(t, decision(-1), back=timedelta(hours=5))
    assert journal.newest() == decision(5).made_at


def test_a_full_disk_leaves_the_journal_as_it_was(tmp_path):
    store = open_store(f"sqlite:///{tmp_path / 'house.db'}")
    pages = {}

    @event.listens_for(store.engine, "begin")
    def small(connection):
        if pages:
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages['most']}")

    journal = Journal(store)
    with store.transaction() as t:
        journal.append(t, decision(0))
        pages["most"] = t.execute(text("PRAGMA page_count")).scalar() + 6
    with pytest.raises(HouseFull, match="Make room"):
        for number in range(1, 100):
            with store.transaction() as t:
                for part in range(3):
                    journal.append(t, decision(number, id=f"{number}-{part}", because=("x" * 1000,)))
    head = journal.verify()
    assert head.seq > 1
    assert head.seq % 3 == 1, "a transaction was kept in part"
    pages["most"] = 100_000
    with store.transaction() as t:
        journal.append(t, decision(200))
    assert journal.verify().seq == head.seq + 1
    store.close()


def test_a_long_journal_is_walked_in_pieces(store):
    journal = Journal(store)
    with store.transaction() as t:
        for number in range(2000):
            journal.append(t, decision(number))
    assert journal.verify().seq == 2000
    assert [e.seq for e in journal.read(newest_first=True, limit=2)] == [2000, 1999]
