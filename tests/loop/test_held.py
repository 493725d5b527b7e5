"""Holding a house: whoever holds it keeps it, whatever the clocks say; whoever died loses it."""

import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from types import SimpleNamespace

import pytest

from everloop.clock import wall
from everloop.errors import HouseBusy, Overtaken
from everloop.loop.control import held as holding
from everloop.loop.control.errands import CONTROLLER
from everloop.loop.control.held import held
from everloop.registry.leases import Leases
from everloop.registry.store import open_store

YEAR = timedelta(days=365)


@dataclass
class Little:
    """As much of a house as a lease needs; ``sqlite`` False: as if its database were elsewhere, so that no lock is beside it."""

    store: object
    settings: object


@pytest.fixture
def house(tmp_path):
    def made(beside=True):
        store = open_store(f"sqlite:///{tmp_path / 'house.db'}", busy_seconds=5)
        opened.append(store)
        return Little(store, SimpleNamespace(registry="sqlite:///house.db" if beside else "postgresql://db/house", house=tmp_path))

    opened = []
    yield made
    for store in opened:
        store.close()


def there(house):
    return Leases(house.store).there(CONTROLLER)


def left_by(house, holder, *, until):
    with house.store.transaction() as t:
        Leases(house.store).seize(t, CONTROLLER, holder, seen=there(house), now=until, lasts=timedelta(0))


@contextmanager
def renewed(house, *, until):
    """Somebody elsewhere who lives: the lease is renewed, by a clock of their own."""
    done = threading.Event()

    def renewing():
        while not done.wait(0.02):
            with house.store.transaction() as t:
                Leases(house.store).renew(t, there(house), now=until(), lasts=timedelta(0))

    thread = threading.Thread(target=renewing)
    thread.start()
    yield
    done.set()
    thread.join()


def test_it_is_given_back_and_taken_by_the_next_at_once(house):
    told = []
    with held(house(), told.append) as one:
        assert there(one.house).holder.startswith(socket.gethostname())
    assert there(one.house).holder == ""
    with held(house(), told.append) as two:
        assert two.lease.fence == one.lease.fence + 1
    assert told == []


def test_a_second_one_is_told_who_holds_it(house):
    with held(house(), print), pytest.raises(HouseBusy, match=r"Process \d+ on .* turns this house already"), held(house(), print):
        pass


def test_who_died_on_this_machine_is_not_waited_for_whatever_its_lease_says(house):
    told = []
    left_by(house(), f"{socket.gethostname()}:1:dead", until=wall() + YEAR)
    with held(house(), told.append) as mine:
        assert mine.lease.fence == 2
    assert told == []


def test_who_died_elsewhere_is_watched_for_as_long_as_a_lease_lasts_though_a_clock_was_set_back_since(house, monkeypatch):
    monkeypatch.setattr(holding, "LASTS", timedelta(seconds=0.3))
    told = []
    left_by(house(), "elsewhere:1:dead", until=wall() + YEAR)
    with held(house(False), told.append) as mine:
        assert mine.lease.fence == 2
    assert "Process 1 on elsewhere may still turn this house. Waiting 0.3 s" in told[0]


def test_who_lives_elsewhere_keeps_it_though_their_clock_is_a_year_behind(house):
    """The rival that believes the wall clock takes it from the living."""
    store = house(False)
    left_by(store, "elsewhere:1:alive", until=wall() - YEAR)
    with renewed(house(False), until=lambda: wall() - YEAR):
        with pytest.raises(HouseBusy, match="Process 1 on elsewhere"), held(house(False), lambda _line: None):
            pass
        assert Leases(store.store).held(CONTROLLER, now=wall()) is None, "by the wall clock it is nobody's"


def test_it_is_renewed_and_who_was_replaced_knows(house):
    with held(house(), print, renew_every=0.02) as mine:
        before = there(mine.house)
        for _ in range(200):
            if there(mine.house) != before:
                break
            threading.Event().wait(0.01)
        assert there(mine.house).until > before.until
        left_by(mine.house, "elsewhere:1:x", until=wall() + YEAR)
        assert mine.lost.wait(10)
        with pytest.raises(Overtaken, match="belongs to elsewhere:1:x now"), mine.house.store.transaction() as t:
            mine.fence(t)
    assert there(mine.house).holder == "elsewhere:1:x"  # and what is somebody else's is not given back


def test_a_clock_set_back_while_it_is_held_neither_loses_nor_keeps_it(house, monkeypatch):
    with held(house(), print) as mine:
        monkeypatch.setattr(holding, "wall", lambda: wall() - YEAR)
        mine.renew()
        assert not mine.lost.is_set()
        with mine.house.store.transaction() as t:
            mine.fence(t)
    with held(house(), print) as again:
        assert again.lease.fence == mine.lease.fence + 1
