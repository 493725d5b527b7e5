"""Laws of both readings: what is told online, event by event, is what training reads, bit for bit; one wrong character is found out.

The bench compares a million values in the same way; these are twenty thousand.
"""

from __future__ import annotations

import pyarrow as pa
import pytest
from bench.features_exact import differences, folded, learnt, replayed
from bench.features_mutants import MUTANTS, killed

from everloop.features.tiles import Tiles


@pytest.fixture(scope="module")
def heard():
    return replayed(7, deliveries=260, questions=26)


def test_what_is_told_online_is_what_training_reads_to_the_last_bit(heard):
    assert heard.values > 20_000
    assert differences(heard.told, learnt(heard)) == {}


def test_rows_folded_many_at_a_time_tell_the_same(heard):
    assert differences(folded(heard, at_a_time=50), heard.told) == {}


def test_a_state_built_in_bulk_goes_on_as_one_that_was_folded(heard):
    for rows in (heard.events.num_rows // 3, heard.events.num_rows * 2 // 3):
        told = folded(heard, built=rows)
        assert told.num_rows > 0
        assert differences(told, heard.told.slice(heard.told.num_rows - told.num_rows)) == {}


def test_any_spine_in_the_same_rows_out_whatever_their_order(heard):
    assert learnt(heard, seed=4).equals(learnt(heard, seed=5))


@pytest.mark.slow
def test_every_wrong_rule_is_found_out(heard):
    found = killed(heard)
    assert len(found) == len(MUTANTS)
    assert [name for name, values in found.items() if values == 0] == []


def test_a_fold_that_forgets_its_rows_is_found_out_by_the_real_comparison(heard, monkeypatch):
    monkeypatch.setattr(Tiles, "rows", lambda self, state, ids: [None] * len(ids))
    with pytest.raises(ValueError, match="The real code differs"):
        killed(heard, ())


def test_two_values_that_differ_in_one_bit_are_different():
    one = pa.table({"x": pa.array([0.1 + 0.2, 0.0, None, float("nan")])})
    other = pa.table({"x": pa.array([0.3, -0.0, 0.0, None])})
    assert differences(one, one) == {}
    assert differences(one, other) == {"x": 4}
