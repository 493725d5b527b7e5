"""Laws of a roll-out, whatever the plan and however long it lives."""

from datetime import timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from everloop.errors import EverloopError
from everloop.project.steps import canary, shadow
from everloop.rollout import arm_of, begin, due, first, step, steps, undo
from everloop.testing.registry import MONDAY

HOUR = timedelta(hours=1)
rising = st.lists(st.floats(0.01, 1), min_size=1, max_size=4, unique=True).map(sorted)
plans = st.tuples(st.booleans(), st.one_of(st.none(), rising)).map(
    lambda said: ([shadow(HOUR)] if said[0] else []) + ([canary(*said[1], every=HOUR)] if said[1] else [])
)
moves = st.lists(st.sampled_from(["begin", "step", "undo"]), max_size=30)
UNITS = [f"u{n}" for n in range(40)]


def answers(traffic):
    """Who answers each unit, by version."""
    return [traffic.champion if arm_of(unit, traffic) == "champion" else traffic.candidate for unit in UNITS]


def live(plan, moves):
    """Every traffic of a life, refused moves left out; with each the move that made it."""
    traffic = first("demand", "v0", now=MONDAY, id="t0")
    yield "first", traffic
    for number, move in enumerate(moves, 1):
        words = {"now": MONDAY + number * HOUR, "id": f"t{number}"}
        try:
            if move == "begin":
                traffic = begin(traffic, f"v{number}", plan, **words)
            elif move == "step":
                traffic = step(traffic, plan, **words)
            else:
                traffic = undo(traffic, **words)
        except EverloopError:
            continue
        yield move, traffic


@given(plan=plans, taken=st.integers(0, 6))
def test_undo_after_begin_restores_who_answers(plan, taken):
    before = first("demand", "v0", now=MONDAY, id="t0")
    traffic = begin(before, "v1", plan, now=MONDAY, id="t1")
    for number in range(taken):
        if traffic.rolling:
            traffic = step(traffic, plan, now=MONDAY, id=f"s{number}")
    back = undo(traffic, now=MONDAY, id="u")
    assert answers(back) == answers(before)
    assert (back.stage, back.champion) == ("steady", "v0")


@given(plan=plans, moves=moves)
def test_generations_grow_one_by_one(plan, moves):
    assert [t.generation for _, t in live(plan, moves)] == list(range(1, len(list(live(plan, moves))) + 1))


@given(plan=plans, moves=moves)
def test_every_traffic_of_a_life_makes_sense(plan, moves):
    for _, traffic in live(plan, moves):
        assert (traffic.candidate is not None) == (traffic.stage in ("shadow", "canary"))
        assert (traffic.share > 0) == (traffic.stage == "canary")
        assert traffic.stage != "bake" or traffic.previous is not None
        assert traffic.champion not in (traffic.previous, traffic.candidate)
        assert set(answers(traffic)) <= {traffic.champion, traffic.candidate}


@given(plan=plans)
def test_shares_rise_until_everybody_and_a_roll_out_ends(plan):
    traffic = begin(first("demand", "v0", now=MONDAY, id="t0"), "v1", plan, now=MONDAY, id="t1")
    reached, got = [], []
    for number in range(len(steps(plan)) + 2):
        reached.append(1.0 if traffic.champion == "v1" else traffic.share)
        got.append({u for u, v in zip(UNITS, answers(traffic), strict=True) if v == "v1"})
        if not traffic.rolling:
            break
        traffic = step(traffic, plan, now=MONDAY + number * HOUR, id=f"s{number}")
    assert reached == sorted(reached)
    assert all(before <= after for before, after in pairwise(got))
    assert (traffic.stage, traffic.champion) == ("steady", "v1")


@given(plan=plans, hours=st.floats(0, 5))
def test_following_what_is_due_takes_as_long_as_the_plan_says(plan, hours):
    bake = timedelta(hours=hours)
    now, traffic, told = MONDAY, first("demand", "v0", now=MONDAY, id="t0"), []
    traffic = begin(traffic, "v1", plan, now=now, id="t1")
    while (what := due(traffic, plan, now, bake=bake)) or traffic.rolling:
        if what is None:
            now += bake if traffic.stage == "bake" else HOUR
            continue
        told.append(what)
        traffic = step(traffic, plan, now=now, id=f"s{len(told)}")
    assert now - MONDAY == len(steps(plan)) * HOUR + bake
    assert told == ["advance"] * (len(steps(plan)) - 1) + ["promote"] * bool(steps(plan)) + ["finish"]
