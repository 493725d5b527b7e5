"""The table of chances and truths: it adds up, moves with late truths, and tells what the rows tell, to the last digit of its bins."""

import json
from functools import reduce
from operator import add

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.stats.shop import chances

from everloop.monitor.scores import ENDS, MIDDLES, Scores
from everloop.stats.measures import measure


def world(rows=4000, seed=0, *, a=1.0, b=4.0, off=0.0):
    rng = np.random.default_rng(seed)
    said = rng.beta(a, b, rows)
    return said, (rng.random(rows) < np.clip(said + off, 0, 1)).astype(float)


def in_bins(said):
    return MIDDLES[np.searchsorted(ENDS, said, side="right")]


@pytest.mark.parametrize(("a", "b"), [(1, 4), (0.3, 30), (5, 5), (40, 0.5)])
def test_figures_are_those_of_the_binned_chances_to_the_last_digit_and_nearly_those_of_the_rows(a, b):
    said, truth = world(a=a, b=b)
    table = Scores.of(said, truth)
    for name, found in (("auc", table.auc), ("logloss", table.logloss), ("brier", table.brier)):
        assert found == pytest.approx(measure(name).value(truth, chances(in_bins(said))), rel=1e-12)
        assert found == pytest.approx(measure(name).value(truth, chances(said)), abs=2e-3)
    assert abs(table.said - said.mean()) < 0.0031
    assert table.came == truth.mean()
    for above in (0.1, 0.5, 0.9):
        found, yes = table.confusion(above), in_bins(said) > above
        assert (found.true_yes, found.false_yes) == ((yes & (truth == 1)).sum(), (yes & (truth == 0)).sum())
        assert (found.false_no, found.true_no) == ((~yes & (truth == 1)).sum(), (~yes & (truth == 0)).sum())


def test_rare_events_keep_their_order_where_bins_of_equal_width_lose_it():
    said, truth = world(20_000, a=0.3, b=300)
    whole, table = measure("auc").value(truth, chances(said)), Scores.of(said, truth)
    rival = measure("auc").value(truth, chances(np.floor(said * 256) / 256))
    assert abs(table.auc - whole) < 0.01 < abs(rival - whole)


rows = st.lists(st.tuples(st.floats(0, 1), st.sampled_from([0.0, 1.0, np.nan])), max_size=30)


@settings(max_examples=25, deadline=None)
@given(st.lists(rows, min_size=1, max_size=4), st.randoms())
def test_parts_add_up_in_any_order_and_late_truths_move_counts(parts, random):
    arrays = [(np.array([p for p, _ in part]), np.array([t for _, t in part])) for part in parts]
    said, truth = (np.concatenate([one[i] for one in arrays]) for i in (0, 1))
    whole = Scores.of(said, truth)
    tables = [Scores.of(*one) for one in arrays]
    random.shuffle(tables)
    assert reduce(add, tables, Scores.none()) == whole
    assert Scores.of(said, np.full(len(said), np.nan)).told(said, np.full(len(said), np.nan), truth) == whole
    assert Scores.from_plain(json.loads(json.dumps(whole.to_plain()))) == whole


def test_a_truth_of_an_answer_nobody_counted_is_refused_and_no_answer_counts_nowhere():
    table = Scores.of(np.array([0.5, np.nan]), np.array([1.0, 1.0]))
    assert (table.rows, table.judged) == (1, 1)
    with pytest.raises(ValueError, match="never counted"):
        table.told(np.array([0.9]), np.array([np.nan]), np.array([1.0]))
    empty = Scores.none()
    assert (empty.auc, empty.brier, empty.logloss, empty.said, empty.came, empty.calibration()) == (None,) * 5 + ([],)


def test_calibration_tells_chances_that_say_too_little():
    honest, modest = (Scores.of(*world(8000, off=off)).calibration() for off in (0.0, 0.1))
    assert len(honest) == 10
    assert sum(g.rows for g in honest) == 8000
    assert sum(not g.low <= g.said <= g.high for g in honest) <= 2
    assert sum(g.low > g.said for g in modest) >= 8


def test_a_table_takes_little_room_whatever_the_number_of_answers():
    rng = np.random.default_rng(0)
    for most in (3, 2**15, 2**31):
        assert len(Scores(rng.integers(0, most, (256, 3))).to_plain()) < 4400
    said, truth = world(200_000)
    assert len((Scores.of(said, truth)).to_plain()) < 1600
