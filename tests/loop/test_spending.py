"""What a step took: its own work and its children's, shared out among steps under way together, in money by the prices that are said."""

import threading
from datetime import timedelta

import pyarrow as pa
import pytest

from everloop.lake.receive import receive
from everloop.loop.house import open_house
from everloop.loop.look import history, spent_until, status
from everloop.loop.spending import Meter, cost, spent, spoken_cost
from everloop.records import Cost
from everloop.testing.registry import decision
from everloop.training.usage import Usage, used
from tests.loop.houses import NOW, demand, house_at, orders

BUSY = 0.05


def work(seconds=BUSY):
    begun = used().cpu_seconds
    while used().cpu_seconds - begun < seconds:
        sum(range(1000))


def test_a_step_takes_what_was_worked_in_it():
    meter = Meter()
    work()
    with meter.step() as step:
        work()
    found = meter.taken(step)
    assert BUSY <= found.cpu_seconds < 4 * BUSY
    assert meter.taken(step) == Usage(), "it is told once"


def test_a_child_counts_for_the_step_of_its_thread_and_one_of_no_step_for_none():
    meter, child = Meter(), Usage(100.0, 7, 9)
    with meter.step() as step:
        meter.child(child)
    meter.child(child)
    assert 100 <= meter.taken(step).cpu_seconds < 101


def test_what_two_steps_used_together_is_counted_once():
    meter, took, begun = Meter(), [], used().cpu_seconds
    both = threading.Barrier(2)

    def step():
        with meter.step() as mine:
            both.wait()
            work()
            both.wait()
        took.append(meter.taken(mine).cpu_seconds)

    threads = [threading.Thread(target=step) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(took) <= used().cpu_seconds - begun
    assert min(took) > 0


def test_a_step_that_raises_is_forgotten():
    meter = Meter()
    with pytest.raises(ZeroDivisionError), meter.step():
        1 / 0
    assert not meter._under_way


@pytest.mark.parametrize(
    ("prices", "money"), [({}, None), ({"gpu_hour": 3.0}, None), ({"cpu_hour": 2.0}, 1.0), ({"gb_read": 1.0, "gb_month": 0.5}, 4.0)]
)
def test_money_is_by_the_prices_said_and_unknown_without(prices, money):
    assert cost(Usage(1800.0, 3 * 10**9, 2 * 10**9), prices).money == money


def test_bytes_nobody_counts_are_unknown_not_zero():
    found = cost(Usage(1.0, None, None), {"gb_read": 1.0})
    assert (found.bytes_read, found.bytes_written) == (None, None)
    assert spoken_cost(found).startswith("1 CPU s, 0 by")


def test_a_sum_counts_what_is_known():
    a, b = Cost(cpu_seconds=1, bytes_read=5, money=2.0), Cost(cpu_seconds=2)
    from dataclasses import replace

    total = spent([replace(decision(1), cost=a), replace(decision(2), cost=b), decision(3)])
    assert total == Cost(cpu_seconds=3, bytes_read=5, bytes_written=None, money=2.0)
    assert spent([decision(1)]) is None


def test_every_step_of_a_turn_has_its_cost_and_people_see_the_sum(tmp_path):
    (tmp_path / "everloop.toml").write_text("[prices]\ncpu_hour = 3600\n")
    from everloop.loop.project_file import project_of
    from everloop.loop.turn import turn
    from everloop.settings import read_settings

    house = open_house(project_of(demand), settings=read_settings(tmp_path, house=tmp_path / "house"))
    row = {"line_id": "l1", "ordered_at": NOW - timedelta(days=3), "product_id": "p1", "customer_id": "c1", "quantity": 2, "price": 100}
    receive(house.lake, orders, pa.Table.from_pylist([row]), now=NOW)
    turn(house, demand, NOW)
    steps = [e.record for e in house.journal.read(kind=("Signals", "Decision"))]
    assert all(r.cost.cpu_seconds > 0 and r.cost.money == pytest.approx(r.cost.cpu_seconds, rel=1e-3) for r in steps)
    total = spent_until(house, "demand", NOW)
    assert total.cpu_seconds == pytest.approx(sum(r.cost.cpu_seconds for r in steps))
    assert spent_until(house, "demand", NOW - timedelta(days=8)) is None
    assert "turns of the last 7 days took" in str(status(house)[0])
    assert history(house, demand)[0]
    house.journal.verify()


def test_a_house_of_before_has_no_cost_and_says_none(tmp_path):
    house = house_at(tmp_path, (demand,))
    assert status(house)[0].spent is None
