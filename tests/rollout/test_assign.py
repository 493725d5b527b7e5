"""Who is answered by whom: golden vectors any other language can be held to."""

from dataclasses import replace

import numpy as np
import pytest

from everloop.rollout.assign import arm_of, compared, control_salt, kept, places
from everloop.testing.registry import traffic

# printf '%s' "salt:unit" | sha256sum; the first and the second eight digits, each divided by 2**32.
GOLDEN = [
    ("s", "1", 0x1B25F38C, 0x1AA8553B),
    ("s", "2", 0x5BE39311, 0x986172DB),
    ("s", "3", 0xD12D3BCF, 0x5E7ACA1F),
    ("salt", "gid://shop/Customer/7", 0x64BD4060, 0x3E210672),
    ("c0ffee", "Zoë", 0xD3B83CDF, 0x4C1DEA48),
    ("", "", 0xE7AC0786, 0x668E0FF0),
]


def canary(share, salt="s"):
    return traffic(2, stage="canary", candidate="v1", share=share, salt=salt)


@pytest.mark.parametrize(("salt", "unit", "coverage", "variation"), GOLDEN)
def test_places_are_the_same_in_every_language(salt, unit, coverage, variation):
    assert places(unit, salt) == (coverage / 2**32, variation / 2**32)


@pytest.mark.parametrize(
    ("share", "arms"),
    [(0.0, "cccc"), (0.05, "cccc"), (0.06, "Xccc"), (0.5, "XcXX"), (0.6, "XXXX"), (1.0, "XXXX")],
)
def test_arms_by_share(share, arms):
    units = [("s", "1"), ("s", "2"), ("s", "3"), ("salt", "gid://shop/Customer/7")]
    assert "".join("X" if arm_of(unit, canary(share, salt)) == "candidate" else "c" for salt, unit in units) == arms


@pytest.mark.parametrize("stage", ["steady", "shadow", "bake"])
def test_outside_a_canary_the_champion_answers_everybody(stage):
    resting = traffic(2, stage=stage, candidate="v1", share=1.0, salt="s")
    assert {arm_of(str(n), resting) for n in range(50)} == {"champion"}
    assert not any(compared(str(n), resting) for n in range(50))


def test_a_share_of_nothing_is_nobody_and_of_everything_is_everybody():
    units = [str(n) for n in range(500)]
    assert {arm_of(u, canary(0.0)) for u in units} == {"champion"}
    assert {arm_of(u, canary(1.0)) for u in units} == {"candidate"}


def test_hostile_units_have_an_arm():
    for unit in ("", ":", "\x00", "\ud800", "💣" * 1000):
        assert arm_of(unit, canary(0.5)) in ("champion", "candidate")


def controlled(share=0.0, control=0.2, **words):
    return replace(canary(share), control=control, baseline="v0", **words)


def test_a_unit_of_the_control_keeps_the_baseline_through_every_stage_and_roll_out():
    units = [str(n) for n in range(500)]
    held = {unit for unit in units if kept(unit, controlled())}
    assert 60 < len(held) < 140
    for stage, salt, share in (("steady", "", 0.0), ("shadow", "a", 0.0), ("canary", "b", 0.5), ("canary", "c", 1.0), ("bake", "d", 0.0)):
        here = replace(controlled(share), stage=stage, salt=salt)
        assert {unit for unit in units if arm_of(unit, here) == "control"} == held
        assert not any(compared(unit, here) for unit in held)


def test_a_larger_control_adds_units_and_lets_none_go():
    units = [str(n) for n in range(2000)]
    small, large = ({u for u in units if kept(u, controlled(control=c))} for c in (0.05, 0.2))
    assert small < large


def test_the_control_knows_nothing_of_the_roll_outs_split():
    units = [str(n) for n in range(20_000)]
    control = np.array([places(u, control_salt("demand"))[0] for u in units])
    for salt in ("s", "a1b2"):
        both = np.array([places(u, salt) for u in units])
        assert abs(np.corrcoef(control, both[:, 0])[0, 1]) < 0.025
        assert abs(np.corrcoef(control, both[:, 1])[0, 1]) < 0.025


@pytest.mark.parametrize(("share", "control"), [(0.0, 0.0), (0.05, 0.0), (0.25, 0.1), (0.7, 0.3), (1.0, 0.5)])
def test_propensities_are_the_shares_of_units_that_get_each_arm(share, control):
    here = controlled(share, control)
    arms = [arm_of(str(n), here) for n in range(20_000)]
    assert sum(here.propensities.values()) == pytest.approx(1)
    for arm in ("champion", "candidate", "control"):
        assert arms.count(arm) / len(arms) == pytest.approx(here.propensities.get(arm, 0.0), abs=0.012)
