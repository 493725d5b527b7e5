"""Who is answered by whom: golden vectors any other language can be held to."""

import pytest

from everloop.rollout.assign import arm_of, compared, places
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
