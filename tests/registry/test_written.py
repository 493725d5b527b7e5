"""How records are written: canonical, and readable again."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

from everloop.errors import StoreError
from everloop.records import Opinion, Record, Shape, Snapshot, Verdict
from everloop.registry.written import KINDS, as_data, canonical, read_as, read_back, written
from everloop.testing.registry import MONDAY, decision

OPINION = Opinion(clause="beats_champion('wape')", outcome="passed", sentence="it is better", effect=0.1)


def verdict(**words):
    said = {"effect": 0.1} | words
    opinion = replace(OPINION, **said)
    return Verdict(id="v", made_at=MONDAY, model="demand", candidate="c", champion="b", opinions=(opinion,), outcome="passed")


def test_every_record_of_the_ring_is_a_kind():
    assert set(KINDS) == {
        "Snapshot", "Report", "TrainingSet", "Candidate", "Contest", "Verdict", "Version", "Traffic", "Signals", "Decision", "Approval",
        "Incident", "Membership", "Handover", "Redaction", "Autonomy", "Withdrawal",
    }  # fmt: skip


def test_the_same_record_is_the_same_text_whatever_zone_it_was_said_in():
    berlin = datetime(2026, 11, 2, 2, tzinfo=timezone(timedelta(hours=2)))
    assert written(replace(decision(0), made_at=berlin)) == written(decision(0))
    assert '"made_at":"2026-11-02T00:00:00Z"' in written(decision(0))


def test_whole_numbers_and_numpy_numbers_are_written_like_any_other():
    assert written(verdict(effect=1)) == written(verdict(effect=1.0)) == written(verdict(effect=np.float64(1)))
    assert written(verdict(rows=np.int64(3))) == written(verdict(rows=3))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float64("nan")])
def test_what_could_not_be_worked_out_is_refused_and_named(value):
    with pytest.raises(StoreError, match=r"Verdict v cannot be written: opinions\[0\].effect is (nan|inf|-inf)"):
        written(verdict(effect=value))


def test_an_instant_without_a_zone_is_refused():
    with pytest.raises(StoreError, match="time zone"):
        written(replace(decision(0), made_at=datetime(2026, 11, 2)))


@pytest.mark.parametrize(
    "wrong", [{"because": "a string is a tuple of letters"}, {"action": "explode"}, {"cause": object()}, {"cause": None}]
)
def test_a_value_of_another_type_is_refused_when_it_is_written_not_when_it_is_read(wrong):
    with pytest.raises(StoreError, match="cannot be written"):
        written(replace(decision(0), **wrong))


def test_a_stranger_is_no_record():
    class Stranger(Record):
        pass

    for stranger in (Stranger(id="s", made_at=MONDAY), Record(id="r", made_at=MONDAY)):
        with pytest.raises(StoreError, match="no record the journal keeps"):
            written(stranger)


def test_hostile_text_goes_round():
    hostile = replace(decision(0), cause="'; DROP TABLE journal; --\x00\ud800\n💣", because=('{"a": 1}', "", "é" * 1000))
    assert read_back("Decision", written(hostile)) == hostile


def test_a_newer_release_may_add_fields_but_not_kinds():
    more = written(decision(0)).replace('{"action"', '{"a_new_field":1,"action"')
    assert read_back("Decision", more) == decision(0)
    with pytest.raises(StoreError, match="newer"):
        read_back("Prophecy", "{}")


@pytest.mark.parametrize("body", ["", "null", "[]", "{}", '{"id":1}', "{" * 10])
def test_what_is_no_record_is_said_to_be_none(body):
    with pytest.raises(StoreError, match="This is no Decision"):
        read_back("Decision", body)


def test_plain_data_is_canonical_too():
    assert canonical({"b": 1, "a": [True, None]}) == '{"a":[true,null],"b":1}'
    with pytest.raises(StoreError, match=r"profile cannot be written: bins\[1\] is nan"):
        canonical({"bins": [1.0, math.nan]}, "profile")
    with pytest.raises(StoreError, match="set"):
        canonical({"a": {1}})


def test_people_get_plain_data_without_nan():
    data = as_data({"records": (decision(0),), "shape": Shape(kind="number"), "number": math.nan, "at": MONDAY})
    assert data["records"][0]["because"] == ["nothing fired"]
    assert (data["number"], data["shape"]["kind"], data["at"]) == (None, "number", "2026-11-02T00:00:00Z")
    assert read_as(Snapshot, written(Snapshot(id="s", made_at=datetime(1, 1, 1, tzinfo=UTC), extents=()))).made_at.year == 1
