"""Two folders, as of two machines, that work for one house on Postgres: what one of them is alone at, the other is not at."""

from __future__ import annotations

from datetime import timedelta

import pyarrow as pa
import pytest

from everloop.errors import HouseBusy, Overtaken
from everloop.lake.delta import DeltaTables
from everloop.lake.receive import receive
from everloop.loop.answers import TABLE, answer_one, seal_answers
from everloop.loop.backup.take import take
from everloop.loop.control.by_hand import by_hand
from everloop.loop.control.joined import joined
from everloop.loop.forget import empty, erase, everybody, forget
from everloop.loop.house import with_pause
from everloop.registry.leases import LEASES
from everloop.testing.postgres_server import postgres_server
from tests.loop.backed_up import BEGIN, OTHER, RARE, bought, closed, house_in, orders

WORDS = {"by": "Kim", "reason": "she asked"}
NOW = BEGIN + timedelta(days=2)


@pytest.fixture(scope="module")
def server():
    with postgres_server() as server:
        yield server


@pytest.fixture
def folders(server, tmp_path, monkeypatch):
    """The same house, opened in two folders; each has answered, and sealed nothing."""
    for module in (erase, everybody):
        monkeypatch.setattr(module, "PATIENCE", 0.05)
    monkeypatch.setattr(erase, "LETTING_GO", 0.0)
    url = server.database()
    there = {"registry": url, "events": url, "lake": str(tmp_path / "lake"), "blobs": str(tmp_path / "blobs")}
    houses = [house_in(tmp_path / name, **there) for name in ("a", "b")]
    receive(houses[0].lake, orders, bought(1), now=NOW - timedelta(hours=1))
    for house in houses:
        answer_one(house, house.project.models["spends"], [OTHER], NOW)
    yield houses
    for house in houses:
        closed(house)


def units(house):
    """Whom the answers in the table are about, as often as they are there."""
    return house.lake.tables.read(TABLE, schema=pa.schema([("unit", pa.string())])).column("unit").to_pylist()


def at(house, moment, what):
    """The house, with something done at one moment."""
    done = []

    def pause(name):
        if name == moment:
            done.append(what())

    return with_pause(house, pause), done


def busy(verb):
    """Somebody else's try, which is refused."""
    with pytest.raises(HouseBusy, match=r"Another process is (forgetting somebody|backing)"):
        verb()


def overtaken(house):
    with house.store.transaction() as t:
        t.execute(LEASES.update().where(LEASES.c.name == "model/spends").values(fence=LEASES.c.fence + 1))


def test_an_answer_that_lies_in_both_is_sealed_once(folders, monkeypatch):
    a, b = folders
    append = DeltaTables.append_once

    def slowly(tables, name, *words, **more):
        monkeypatch.setattr(DeltaTables, "append_once", append)
        seal_answers(b)
        return append(tables, name, *words, **more)

    monkeypatch.setattr(DeltaTables, "append_once", slowly)
    seal_answers(a)
    seal_answers(b)
    assert units(a) == [OTHER]


def test_one_backup_is_made_at_a_time(folders, tmp_path):
    """One that lets older ones go would take away what the other has put there and not yet named."""
    a, b = folders
    to = str(tmp_path / "to")
    a, done = at(a, "proven, not there", lambda: busy(lambda: take(b, to, keep=1)))
    take(a, to)
    assert done


def test_one_forgets_at_a_time_and_nobody_while_a_backup_is_made(folders, tmp_path):
    a, b = folders
    again, done = at(a, "found, nothing erased", lambda: busy(lambda: forget(b, "customer_id", OTHER, now=NOW, **WORDS)))
    forget(again, "customer_id", RARE, now=NOW, **WORDS)
    again, more = at(a, "tables copied", lambda: busy(lambda: empty(b, now=NOW, **WORDS)))
    take(again, str(tmp_path / "to"))
    assert done
    assert more


def test_who_was_taken_for_dead_while_forgetting_keeps_nothing(folders):
    a, _ = folders
    again, done = at(a, "wiped", lambda: overtaken(a))
    with pytest.raises(Overtaken):
        forget(again, "customer_id", RARE, now=NOW, **WORDS)
    assert done
    assert not list(a.journal.read(kind="Redaction"))


def test_who_holds_several_models_is_fenced_by_each(folders):
    a, _ = folders
    with by_hand(a, "spends") as first, by_hand(first, "sells") as both:
        overtaken(a)
        with pytest.raises(Overtaken), both.store.transaction():
            pass


def test_what_another_folder_had_answered_and_not_sealed_goes_too(folders):
    a, b = folders
    answer_one(b, b.project.models["spends"], [RARE], NOW)
    a, done = at(a, "erased, not sealed elsewhere", lambda: seal_answers(b))
    with joined(b):
        forget(a, "customer_id", RARE, now=NOW, **WORDS)
    assert done
    assert set(units(b)) == {OTHER}


def test_who_empties_a_house_is_told_of_answers_of_other_machines(folders):
    a, b = folders
    with joined(b):
        done = empty(a, now=NOW, **WORDS)
    assert any("other machines" in one for one in done.left)
    assert not any("other machines" in one for one in empty(a, now=NOW + timedelta(days=1), **WORDS).left)
