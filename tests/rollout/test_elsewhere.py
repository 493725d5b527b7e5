"""The same arm in JavaScript and in Liquid: the files that are exported, run by Node, by liquidjs, and by Shopify's own Liquid.

Node and npm are never installed from here. liquidjs has a ``sha256`` filter of its own; the Ruby gem has none, so there the judge
registers what Shopify documents, the hex digest of the text.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
from dataclasses import replace
from math import nextafter
from pathlib import Path

import pytest
from bench.peers import apart, node_packages
from hypothesis import example, given
from hypothesis import strategies as st

from everloop.connect.arms.folder import Rolled, said, write
from everloop.connect.arms.golden import golden
from everloop.records import candidate_arms
from everloop.rollout.assign import WHOLE, arm_of, compared, control_salt, limit, limits, places, told_arms
from everloop.testing.registry import traffic

HERE = Path(__file__).parent
CASES = 10_000
node = pytest.mark.skipif(shutil.which("node") is None, reason="JUDGED BY NOBODY: no node on this machine; install Node 18 or newer")
npm = pytest.mark.skipif(shutil.which("npm") is None, reason="JUDGED BY NOBODY: no npm on this machine, so no liquidjs")
APT = {"DEBIAN_FRONTEND": "noninteractive"}


def canary(share, salt="s", stage="canary"):
    return traffic(2, stage=stage, candidate="v1", share=share, salt=salt)


def case(unit, salt, share, stage="canary"):
    covered, given = limits(share)
    return {"unit": unit, "salt": salt, "share": share, "stage": stage, "covered": covered, "given": given}


def some(count, seed):
    """Units of every kind under salts and shares of every kind, a third of them at the very edge of an arm."""
    chance = random.Random(seed)
    found = []
    for n in range(count):
        letters = "".join(chr(chance.choice(RANGES)(chance)) for _ in range(chance.choice((0, 1, 3, 12, 60, 130))))
        unit = chance.choice((str(chance.randrange(10**13)), f"gid://shopify/Customer/{chance.randrange(10**13)}", letters))
        salt = f"{chance.randrange(2**64):016x}"
        coverage, variation = places(unit, salt)
        edge = coverage / 2 if n % 2 or variation < 0.5 else variation
        at_edge = chance.choice((edge, nextafter(edge, 1), min(1.0, edge + 1 / WHOLE), nextafter(edge, 0)))
        found.append(case(unit, salt, at_edge if n % 3 == 0 else chance.choice((0.0, 1e-9, 0.05, 0.2, 0.5, 0.7, 1.0, chance.random()))))
    return found


RANGES = (
    lambda c: c.randrange(0x20, 0x7F),
    lambda c: c.randrange(0x20),
    lambda c: c.randrange(0x80, 0x800),
    lambda c: c.randrange(0xE000, 0x10000),
    lambda c: c.randrange(0x10000, 0x110000),
    lambda c: ord(c.choice("'\"\\{}%<>&:\x00")),
)


def kept_by(model, unit, control, stage="canary", share=0.5):
    """A case of a model with a control."""
    told = {"control": control, "controlSalt": control_salt(model), "kept": limit(control), "model_of": model}
    return case(unit, "s", share, stage) | told


def among(unit, number, share, left=None):
    """A case of a test of several candidates, of which one may have been dropped."""
    versions = tuple(None if place == left else f"v{place}" for place in range(number))
    return case(unit, "s", share) | {"versions": versions, "candidates": told_arms(replace(canary(share), arms=versions))}


SEVERAL = [among(str(n), number, share, left) for n in range(150) for number, left, share in ((2, 0, 0.5), (3, None, 0.2), (5, 4, 0.7))]


def in_python(one):
    here = canary(one["share"], one["salt"], one["stage"])
    here = replace(here, arms=tuple(one.get("versions", ())))
    here = replace(here, control=one.get("control", 0.0), model=one.get("model_of", "demand"))
    coverage, variation = places(one["unit"], one["salt"])
    return [arm_of(one["unit"], here), compared(one["unit"], here), coverage * WHOLE, variation * WHOLE]


def judged(folder, cases, modules=None):
    """What the exported files say of these cases, by language."""
    command = ["node", HERE / "judge.mjs", folder, *([modules] if modules else [])]
    done = subprocess.run(command, input=json.dumps(cases), capture_output=True, text=True, env=apart(), timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """What is exported of one roll-out."""
    folder = tmp_path_factory.mktemp("exported")
    write(folder, {"demand": Rolled(canary(0.2, "3f2a9c0b6d71e845"), "demand@0", "demand@1", ("product_id",))})
    return folder


# -- golden vectors ------------------------------------------------------------------------------------------------------------------


def test_golden_vectors_have_both_arms_on_either_side_of_every_edge():
    vectors = golden()
    assert {arm for one in vectors["units"] for arm in one["arms"]} == {"champion", "candidate"}
    assert {one["arm"] for one in vectors["edges"]} == {"champion", "candidate"}
    steps = []
    for one in vectors["edges"]:
        coverage, variation = (int(place * WHOLE) for place in places(one["unit"], one["salt"]))
        steps.append(min(abs(one["covered"] - coverage), abs(one["given"] - variation)))
    assert set(steps) == {0, 1, 2}
    assert {one["arm"] for one in vectors["controls"]} == {"champion", "candidate", "control"}
    assert {one["arm"] for one in vectors["several"]} == {"champion", *candidate_arms(5)}
    assert [one["arm"] for one in vectors["stages"]] == ["champion", "champion", "candidate", "champion"]
    assert json.loads(json.dumps(vectors)) == vectors


@given(unit=st.text(), share=st.floats(0, 1))
@example(unit="1", share=5e-324)
@example(unit="1", share=nextafter(1, 0))
def test_whole_numbers_say_what_floats_say(unit, share):
    covered, given = limits(share)
    coverage, variation = (int(place * WHOLE) for place in places(unit, "s"))
    assert (coverage < covered and variation < given) == (arm_of(unit, canary(share)) == "candidate")
    assert (coverage < covered) == compared(unit, canary(share))


# -- JavaScript ----------------------------------------------------------------------------------------------------------------------


@node
def test_javascript_agrees_with_every_golden_vector(exported):
    vectors = json.loads((exported / "golden.json").read_text())
    shares = [one["share"] for one in vectors["shares"]]
    for kind in ("units", "unpaired"):
        cases = [one | {"stage": "canary", "share": share} for one in vectors[kind] for share in shares]
        wanted = [(arm, one["coverage"], one["variation"]) for one in vectors[kind] for arm in one["arms"]]
        assert [(arm, *stands) for arm, _, *stands in judged(exported, cases)["javascript"]] == wanted
    cases = [
        one | {"stage": one.get("stage", "canary")}
        for one in (*vectors["edges"], *vectors["stages"], *vectors["controls"], *vectors["several"])
    ]
    assert [arm for arm, *_ in judged(exported, cases)["javascript"]] == [one["arm"] for one in cases]


@node
def test_javascript_agrees_on_ten_thousand_units(exported):
    cases = some(CASES, seed=7)
    cases += [kept_by("m", one["unit"], 0.2, one["stage"], one["share"]) for one in cases[:2000]] + SEVERAL
    assert judged(exported, cases)["javascript"] == [in_python(one) for one in cases]


@node
@pytest.mark.parametrize(
    ("was", "broken"),
    [
        ("rollout.controlSalt)[0] < control", "rollout.controlSalt)[0] <= control"),
        ("places(unit, rollout.controlSalt)", "places(unit, rollout.salt)"),
        (" || kept(unit, rollout)", ""),
        ("coverage < covered", "coverage <= covered"),
        ("variation < Math.max", "variation <= Math.max"),
        ("Math.max(0.5, rollout.share)", "0.5"),
        ("* among)", "* (among - 1))"),
        ("`arm:${salt}`", "salt"),
        ("armOf(unit, rollout) !== 'champion'", "true"),
        ("0xf0 | (code >> 18)", "0xe0 | (code >> 18)"),
        ("of text)", "of text.normalize())"),
        ("(bytes.length + 8)", "bytes.length"),
    ],
)
def test_javascript_that_is_a_little_wrong_is_noticed(was, broken, exported, tmp_path):
    text = (exported / "everloop-arm.mjs").read_text()
    assert was in text
    (tmp_path / "everloop-arm.mjs").write_text(text.replace(was, broken))
    cases = [case(one["unit"], one["salt"], share) for one in golden()["units"] for share in (0.05, 0.5, 0.7)]
    cases += [case(one["unit"], one["salt"], one["share"]) for one in golden()["edges"]]
    cases += [kept_by("m", one["unit"], place) for one in golden()["units"] for place in (0.5, places(one["unit"], control_salt("m"))[0])]
    cases += SEVERAL
    assert judged(tmp_path, cases)["javascript"] != [in_python(one) for one in cases]


@node
@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"unit": None}, "a unit is a text or a whole number"),
        ({"unit": 1.5}, "a unit is a text or a whole number, not number 1.5"),
        ({"unit": 2**53}, "a unit is a text or a whole number"),
        ({"unit": ["1"]}, "a unit is a text or a whole number"),
        ({"share": "0.5"}, "a canary has a salt and a share from 0 to 1"),
        ({"share": 1.5}, "not s and 1.5"),
        ({"share": None}, "a canary has a salt"),
        ({"salt": None}, "a canary has a salt"),
        ({"control": 0.1}, "a control has a controlSalt and a share from 0 to 1"),
        ({"control": 2, "controlSalt": "control:m"}, "not control:m and 2"),
    ],
)
def test_javascript_refuses_what_would_silently_be_another_arm(change, told, exported):
    (error,) = judged(exported, [case("1", "s", 0.5) | change])["javascript"]
    assert error.startswith("TypeError: everloop: ")
    assert told in error


@node
def test_a_number_is_the_text_everloop_has_for_it(exported):
    (number, text) = judged(exported, [case(7, "s", 0.5), case("7", "s", 0.5)])["javascript"]
    assert number == text == in_python(case("7", "s", 0.5))


# -- Liquid --------------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def liquidjs():
    return node_packages("liquid")


@node
@npm
@pytest.mark.slow
def test_liquid_agrees_on_the_golden_vectors_and_on_ten_thousand_units(exported, liquidjs):
    vectors = golden()
    cases = some(CASES, seed=8) + [
        case(one["unit"], one["salt"], share) for one in vectors["units"] for share in (0.0, 0.05, 0.5, 0.7, 1.0)
    ]
    cases += [case(one["unit"], one["salt"], one["share"]) for one in vectors["edges"]]
    cases += [case(one["unit"], one["salt"], one["share"], one["stage"]) for one in vectors["stages"]]
    cases += [kept_by("m", one["unit"], 0.2, one["stage"], one["share"]) for one in cases[:2000]]
    cases += [kept_by("m", str(n), places(str(n), control_salt("m"))[0], stage) for n in range(200) for stage in ("canary", "bake")]
    cases += SEVERAL
    assert judged(exported, cases, liquidjs)["liquid"] == [in_python(one)[0] for one in cases]


@node
@npm
@pytest.mark.slow
@pytest.mark.parametrize(
    ("was", "broken"),
    [
        ("coverage < covered", "coverage <= covered"),
        ("variation < given", "variation <= given"),
        ("value = 12", "value = 13"),
        ("arm:", "arm"),
    ],
)
def test_liquid_that_is_a_little_wrong_is_noticed(was, broken, exported, liquidjs, tmp_path):
    shutil.copytree(exported, tmp_path, dirs_exist_ok=True)
    text = (exported / "everloop-arm.liquid").read_text()
    assert was in text
    (tmp_path / "everloop-arm.liquid").write_text(text.replace(was, broken))
    cases = [case(one["unit"], one["salt"], one["share"]) for one in golden()["edges"]] + SEVERAL
    assert judged(tmp_path, cases, liquidjs)["liquid"] != [in_python(one)[0] for one in cases]


@node
@npm
@pytest.mark.slow
def test_a_snippet_of_a_model_and_its_line_in_the_rollouts_say_the_same(exported, liquidjs):
    rollout = json.loads((exported / "everloop-rollouts.json").read_text())["models"]["demand"]
    units = [str(n) for n in range(200)]
    wanted = [arm_of(unit, canary(0.2, "3f2a9c0b6d71e845")) for unit in units]
    assert judged(exported, [rollout | {"unit": unit} for unit in units], liquidjs)["liquid"] == wanted
    assert judged(exported, [{"model": "demand", "unit": unit} for unit in units], liquidjs)["liquid"] == wanted


@node
@npm
@pytest.mark.slow
def test_without_a_unit_or_a_roll_out_a_theme_shows_the_champion(exported, liquidjs):
    nobody, numbered, nothing = case(None, "s", 1.0), case(1, "s", 1.0), {"unit": "1"}
    assert judged(exported, [nobody, numbered, nothing], liquidjs)["liquid"] == ["champion", "candidate", "champion"]


def has_liquid():
    """Whether there is a Ruby with Shopify's own engine."""
    try:
        return subprocess.run(["ruby", "-e", "require 'liquid'"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


@pytest.fixture(scope="module")
def ruby():
    """Shopify's own engine; on a Debian where we may, it is installed."""
    if not has_liquid() and os.geteuid() == 0 and shutil.which("apt-get"):
        for words in (["update"], ["install", "--yes", "--no-install-recommends", "ruby", "ruby-liquid"]):
            subprocess.run(["apt-get", "-qq", *words], env=os.environ | APT, capture_output=True, check=False)
    if not has_liquid():
        pytest.skip("JUDGED BY NOBODY: no ruby with the gem liquid on this machine (Debian: ruby-liquid)")
    return "ruby"


@pytest.mark.slow
def test_shopifys_own_liquid_agrees(exported, ruby):
    cases = some(CASES, seed=9) + [case(one["unit"], one["salt"], one["share"]) for one in golden()["edges"]]
    cases += [kept_by("m", one["unit"], 0.2, one["stage"], one["share"]) for one in cases[:2000]] + SEVERAL
    done = subprocess.run([ruby, HERE / "judge.rb", exported], input=json.dumps(cases), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [in_python(one)[0] for one in cases]


# -- the folder ----------------------------------------------------------------------------------------------------------------------


def test_what_never_changes_is_the_same_for_every_roll_out(tmp_path):
    steady = Rolled(canary(0.0, "", "steady"), "demand@0", None, ())
    for name, rolled in (("one", {}), ("two", {"demand": steady})):
        write(tmp_path / name, rolled)
    for name in ("everloop-arm.mjs", "everloop-arm.liquid", "golden.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert len((tmp_path / "one" / "everloop-arm.mjs").read_bytes()) < 10_000  # what a theme may carry in one block
    assert said(steady)["stage"] == "steady"


def test_a_file_of_somebody_else_is_left_alone_and_nothing_is_written(tmp_path):
    (tmp_path / "golden.json").write_text("{}")
    with pytest.raises(Exception, match="was not written by everloop"):
        write(tmp_path, {})
    assert [path.name for path in tmp_path.iterdir()] == ["golden.json"]


def test_a_salt_that_would_run_in_a_theme_is_refused(tmp_path):
    with pytest.raises(Exception, match="cannot stand in a Liquid snippet"):
        write(tmp_path, {"demand": Rolled(canary(0.5, "'}}{{ shop.email }}"), "a", "b", ())})
    assert list(tmp_path.iterdir()) == []
