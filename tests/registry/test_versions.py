"""Versions: the same content is the same version, and the baseline is number 0."""

from dataclasses import replace

import pytest

from everloop.errors import Unknown
from everloop.records import Candidate, Shape
from everloop.registry.versions import Versions
from everloop.testing.registry import MONDAY

BASELINE = Candidate(
    id="c0",
    made_at=MONDAY,
    model="demand",
    artefact="a0",
    format="baseline",
    columns=(),
    shape=Shape(kind="number"),
    learner="its own past",
    parameters="",
    definition="d",
)
LEARNT = replace(BASELINE, id="c1", artefact="a1", format="skops", columns=("x",))


def admit(store, candidate, id):
    with store.transaction() as t:
        return Versions(store).admit(t, candidate, None, now=MONDAY, id=id)


def test_versions_are_numbered_per_model_and_the_baseline_is_zero(store):
    made = [
        admit(store, BASELINE, "v0"),
        admit(store, LEARNT, "v1"),
        admit(store, replace(LEARNT, artefact="a2"), "v2"),
        admit(store, replace(BASELINE, model="churn"), "w0"),
    ]
    assert [v.name for v in made] == ["demand@0", "demand@1", "demand@2", "churn@0"]
    assert Versions(store).all("demand") == made[:3]
    assert Versions(store).named("demand@2") == made[2] == Versions(store).named("v2")


def test_a_model_without_a_baseline_begins_at_one(store):
    assert admit(store, LEARNT, "v1").number == 1
    assert admit(store, BASELINE, "late").number == 2


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"id": "c9", "seconds": 9.0, "commit": "other"}, True),
        ({"artefact": "a9"}, False),
        ({"columns": ("y",)}, False),
        ({"columns": ("x", "y")}, False),
        ({"definition": "e"}, False),
    ],
)
def test_a_version_is_its_artefact_columns_and_definition(store, change, same):
    first = admit(store, LEARNT, "v1")
    again = admit(store, replace(LEARNT, **change), "v2")
    assert (again == first) is same
    assert again.number == (1 if same else 2)


def test_columns_do_not_run_together(store):
    first = admit(store, replace(LEARNT, columns=("a,b",)), "v1")
    assert admit(store, replace(LEARNT, columns=("a", "b")), "v2") != first


def test_an_unknown_version_names_those_there_are(store):
    admit(store, BASELINE, "v0")
    with pytest.raises(Unknown, match=r"demand@7.*There is demand@0"):
        Versions(store).named("demand@7")
    with pytest.raises(Unknown):
        Versions(store).named("nothing")
