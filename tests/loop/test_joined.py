"""Working for a house: whoever works for it keeps what it holds, whatever the clocks say; whoever died loses it to who looks next."""

import fcntl
import os
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from types import SimpleNamespace

import pytest

from everloop.clock import wall
from everloop.errors import HouseBusy, Overtaken, StoreError
from everloop.loop.control import by_hand as hands
from everloop.loop.control import joined as joining
from everloop.loop.control import signs as signing
from everloop.loop.control.errands import CONTROLLER
from everloop.loop.control.joined import WORKER, died_here, given_back, joined
from everloop.loop.control.signs import Signs, take_over
from everloop.loop.turning import turning
from everloop.registry.claims import Claims
from everloop.registry.errands import Errands
from everloop.registry.leases import Leases
from everloop.registry.outbox import Outbox
from everloop.registry.store import Store, open_store
from everloop.testing.registry import errand

YEAR = timedelta(days=365)


@dataclass(frozen=True)
class Little:
    """As much of a house as a lease needs."""

    store: Store
    settings: object
    worker: str = ""


@pytest.fixture
def house(tmp_path):
    """A house of one database; ``folder`` is where this process has its own, ``registry`` what it is told that its database is."""

    def made(folder="here", registry="sqlite:///house.db"):
        store = open_store(f"sqlite:///{tmp_path / 'house.db'}", busy_seconds=5)
        opened.append(store)
        (tmp_path / folder).mkdir(exist_ok=True)
        return Little(store, SimpleNamespace(registry=registry, house=tmp_path / folder))

    opened = []
    yield made
    for store in opened:
        store.close()


@pytest.fixture
def quick(monkeypatch):
    """A lease lasts a third of a second."""
    for module in (joining, signing, hands):
        monkeypatch.setattr(module, "LASTS", timedelta(seconds=0.3))


def names(house):
    return [lease.name for lease in Leases(house.store).all()]


def left_by(house, holder, *, until):
    """Somebody who works for the house, leads it, and turns demand."""
    leases = Leases(house.store)
    with house.store.transaction() as t:
        for name in (WORKER + holder, CONTROLLER):
            leases.seize(t, name, holder, seen=leases.there(name, within=t), now=until, lasts=timedelta(0))
        Errands(house.store).ask(t, errand(1))
        return Claims(house.store).take(t, holder, most=1)


@contextmanager
def renewed(house, holder, *, clock):
    """Somebody elsewhere who lives: everything of theirs is renewed, by a clock of their own."""
    done = threading.Event()

    def renewing():
        while not done.wait(0.02):
            with house.store.transaction() as t:
                Leases(house.store).renew_all(t, holder, now=clock(), lasts=timedelta(0))

    thread = threading.Thread(target=renewing)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def found_dead(signs, *, within):
    until = wall() + timedelta(seconds=within)
    while wall() < until:
        if dead := signs.dead():
            return dead
        threading.Event().wait(0.02)
    return []


def test_whoever_ends_in_good_order_leaves_nothing_held(house):
    one = house()
    with joined(one) as mine, one.store.transaction() as t:
        Errands(one.store).ask(t, errand(1))
        [claim] = Claims(one.store).take(t, mine.name, most=1)
        assert mine.name.startswith(socket.gethostname())
    assert names(one) == []
    there = Errands(one.store).find(claim.id)
    assert (there.state, there.taken, there.takeovers, there.holder) == ("waiting", 0, 0, None)
    assert not list((one.settings.house / "working").iterdir())


def test_who_died_on_this_machine_is_found_at_once_whatever_its_lease_says(house):
    one = house()
    dead = f"{socket.gethostname()}:1:dead"
    lock = one.settings.house / "working" / f"{dead.replace(':', '-')}.alive"
    lock.parent.mkdir()
    lock.touch()  # its lock is there, and nobody's
    left_by(one, dead, until=wall() + YEAR)
    with joined(one) as mine:
        [(holder, seen)] = Signs(one.store, one.settings.house, mine.name).dead()
        assert (holder, len(seen)) == (dead, 2)
        [left] = take_over(mine, one.settings.house, holder, seen)
    assert (left.state, left.takeovers) == ("waiting", 1)
    assert not lock.exists()
    [news] = Outbox(one.store).waiting()
    assert "Process 1 on" in news.alert.sentence
    assert "What it left waits again: the turn of demand." in news.alert.sentence


def test_who_lives_on_this_machine_is_not_dead_because_somebody_looks(house):
    one = house()
    with joined(one) as mine:
        assert not died_here(one.settings.house, mine.name)
        assert not died_here(one.settings.house, "elsewhere:1:unheard")
        assert not died_here(house("there").settings.house, mine.name), "of another folder nothing is known"


def test_who_died_elsewhere_is_watched_for_as_long_as_a_lease_lasts_though_a_clock_was_set_back_since(house, quick):
    one = house()
    left_by(one, "elsewhere:1:dead", until=wall() + YEAR)
    signs = Signs(one.store, one.settings.house, "me")
    assert signs.dead() == []
    assert [holder for holder, _ in found_dead(signs, within=10)] == ["elsewhere:1:dead"]


def test_who_lives_elsewhere_is_not_dead_though_their_clock_is_a_year_behind(house, quick):
    """The rival that believes the wall clock takes it from the living."""
    one = house()
    left_by(one, "elsewhere:1:alive", until=wall() - YEAR)
    with renewed(house(), "elsewhere:1:alive", clock=lambda: wall() - YEAR):
        signs = Signs(one.store, one.settings.house, "me")
        assert found_dead(signs, within=1.0) == []
        assert signs.lives == {"elsewhere:1:alive"}
        assert Leases(one.store).held(CONTROLLER, now=wall()) is None, "by the wall clock it is nobody's"


def test_nobody_is_blamed_for_the_time_in_which_nobody_could_look(house, quick, monkeypatch):
    """The database was away for longer than a lease lasts; the mutant that goes on counting kills everybody."""
    one = house()
    left_by(one, "elsewhere:1:x", until=wall())
    now = [100.0]
    monkeypatch.setattr(signing, "monotonic", lambda: now[0])
    signs, mutant = Signs(one.store, one.settings.house, "me"), Signs(one.store, one.settings.house, "me")
    for each in (signs, mutant):
        assert each.dead() == []
    now[0] += 60
    assert signs.dead() == []
    monkeypatch.setattr(signing, "AWAY", float("inf"))
    assert mutant.dead() != []


def test_a_sign_of_life_in_the_last_moment_saves_it(house):
    one = house()
    left_by(one, "elsewhere:1:x", until=wall())
    holder = "elsewhere:1:x"
    with joined(one) as mine:
        seen = tuple(lease for lease in Leases(one.store).all() if lease.holder == holder)
        with one.store.transaction() as t:
            Leases(one.store).renew_all(t, holder, now=wall(), lasts=timedelta(seconds=9))
        with pytest.raises(Overtaken, match="gave a sign of life"):
            take_over(mine, one.settings.house, holder, seen)
    assert Claims(one.store).held(holder) != []


def test_of_two_who_take_over_one_does(house):
    one = house()
    left_by(one, "elsewhere:1:x", until=wall())
    seen = tuple(lease for lease in Leases(one.store).all() if lease.holder == "elsewhere:1:x")
    with joined(one) as mine, joined(house()) as other:
        assert len(take_over(mine, one.settings.house, "elsewhere:1:x", seen)) == 1
        with pytest.raises(Overtaken, match="somebody else took over"):
            take_over(other, one.settings.house, "elsewhere:1:x", seen)
    assert Errands(one.store).find(errand(1).id).takeovers == 1


def test_who_was_taken_for_dead_knows_it_and_takes_over_from_nobody(house):
    one = house()
    with joined(one, renew_every=0.02) as mine:
        left_by(one, "elsewhere:1:x", until=wall())
        seen = tuple(lease for lease in Leases(one.store).all() if lease.holder == "elsewhere:1:x")
        with one.store.transaction() as t:
            given_back(one.store, t, mine.name)
        assert mine.lost.wait(10)
        with pytest.raises(Overtaken, match="belongs to nobody now"):
            take_over(mine, one.settings.house, "elsewhere:1:x", seen)
        with pytest.raises(Overtaken), one.store.transaction() as t:
            mine.fence(t)


def test_a_house_that_cannot_be_written_to_for_a_moment_costs_nobody_their_place(house, monkeypatch):
    one = house()
    with joined(one) as mine:
        with monkeypatch.context() as away:
            away.setattr(Store, "transaction", lambda _store: (_ for _ in ()).throw(StoreError("The server is away.")))
            mine.renew()
        assert not mine.lost.is_set()
        mine.renew()
        assert not mine.lost.is_set()


def test_the_lock_of_one_who_was_taken_for_dead_is_taken_from_it_and_that_of_the_living_is_not(house):
    """The zombie is stopped in the middle of a turn: its lock beside the house is still its own."""
    one = house()
    file = one.settings.house / "turns" / "demand.lock"
    file.parent.mkdir()
    with file.open("w") as zombie:
        fcntl.flock(zombie, fcntl.LOCK_EX)
        os.write(zombie.fileno(), b"elsewhere:1:x")
        left_by(one, "elsewhere:1:x", until=wall())
        with pytest.raises(HouseBusy, match="turning demand"), turning(one, "demand"):
            pass
        with one.store.transaction() as t:
            given_back(one.store, t, "elsewhere:1:x")
        with turning(one, "demand"), pytest.raises(HouseBusy), turning(house(), "demand"):
            pass
    with turning(one, "demand"):
        pass


def test_by_hand_a_model_is_held_in_the_database_where_that_is_elsewhere(house, quick):
    one, two = house("one", "postgresql://db/house"), house("two", "postgresql://db/house")
    with turning(one, "demand") as mine:
        assert names(one)[0] == "model/demand"
        assert hands.held_by_hand(Leases(one.store).all()) == {"demand"}
        holder = Leases(one.store).there("model/demand").holder
        with renewed(house(), holder, clock=wall), pytest.raises(HouseBusy, match="is turning demand"), turning(two, "demand"):
            pass
        with turning(two, "churn"):
            pass
        with mine.store.transaction():
            pass
        with one.store.transaction() as t:
            given_back(one.store, t, Leases(one.store).there("model/demand", within=t).holder)
        with pytest.raises(Overtaken, match="no longer to"), mine.store.transaction():
            pass
    with turning(two, "demand"):
        pass


def test_by_hand_waits_for_a_worker_to_show_that_it_lives_and_takes_over_from_a_dead_one(house, quick):
    one = house("one", "postgresql://db/house")
    left_by(one, "elsewhere:1:x", until=wall())
    busy = pytest.raises(HouseBusy, match="Process 1 on elsewhere is turning demand")
    with renewed(house(), "elsewhere:1:x", clock=wall), busy, turning(one, "demand"):
        pass
    with turning(one, "demand"):
        assert Errands(one.store).find(errand(1).id).takeovers == 1
