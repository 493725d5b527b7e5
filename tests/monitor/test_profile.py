"""Profiles: counts in fixed bins that add up, whatever comes."""

import json

import numpy as np
import pyarrow as pa
import pytest
from tests.stats.shop import numbers, words

from everloop.errors import Unknown
from everloop.monitor.drift import moved
from everloop.monitor.profile import Profile, answers_as_column, profile, profile_of
from everloop.monitor.spec import BINS, Bins, Spec, describe
from everloop.records import Shape
from everloop.stats.shapes import Answers

RNG = np.random.default_rng(0)
TABLE = {"price": RNG.lognormal(1, 1, 5000), "kind": words(RNG.choice(["a", "b", "c"], 5000, p=[0.6, 0.3, 0.1]))}
SPEC = describe(TABLE)


def test_every_value_is_counted_once_wherever_it_lies():
    window = {"price": np.array([np.nan, -1.0, 0.5, 1e9, np.inf, -np.inf]), "kind": words(["a", "z", "b", "a", "a", "a"])}
    found = profile(SPEC, window)
    price = found.counts["price"]
    assert (price[0], price[1], price[-1], price.sum()) == (1, 2, 2, 6)
    assert found.counts["kind"][:3].tolist() == [0, 1, 0]
    assert found.counts["kind"].sum() == 6


def test_the_reference_fills_its_bins_evenly():
    inside = profile(SPEC, TABLE).counts["price"][2:-1]
    assert profile(SPEC, TABLE).counts["price"][[0, 1, -1]].tolist() == [0, 0, 0]
    assert inside.max() < 2 * 5000 / BINS


def test_few_distinct_values_each_have_a_place_and_a_new_one_between_is_seen():
    spec = describe({"n": np.repeat([0.0, 1.0, 5.0], 100)})
    old, new = (profile(spec, {"n": np.array(v)}).counts["n"] for v in ([0.0, 1.0, 5.0], [0.0, 3.0, 5.0]))
    assert (old != new).sum() == 2


def test_a_heavy_value_among_many_has_its_own_place():
    values = np.concatenate([np.zeros(3000), RNG.normal(0, 1, 3000)])
    spec = describe({"x": values})
    with_zeros, just_beside = (profile(spec, {"x": np.array([v])}).counts["x"].argmax() for v in (0.0, 1e-9))
    assert with_zeros != just_beside


def test_rare_values_are_known_and_others_unseen():
    spec = describe({"k": words([f"v{i}" for i in range(300) for _ in range(1 + (i < 200))])})
    counts = profile(spec, {"k": words(["v0", "v299", "new"])}).counts["k"]
    assert counts[:3].tolist() == [0, 1, 1]
    assert counts.sum() == 3


def test_profiles_of_two_specs_do_not_add_up():
    with pytest.raises(ValueError, match="two Specs"):
        profile(SPEC, TABLE) + profile(describe({"price": np.arange(9.0)}), TABLE)


def test_a_table_of_arrow_is_read_by_kind():
    table = pa.table(
        {
            "f": pa.array([1.5, None]),
            "i": pa.array([1, 2]),
            "b": pa.array([True, None]),
            "s": pa.array(["x", None]),
            "d": pa.array(["x", "y"]).dictionary_encode(),
            "t": pa.array([0, 86_400_000_000], pa.timestamp("us")),
            "day": pa.array([0, 1], pa.date32()),
        }
    )
    spec = describe(table)
    assert {n: b.kind for n, b in spec.features.items()} == {
        "f": "number", "i": "number", "b": "number", "s": "category", "d": "category", "t": "number", "day": "number",
    }  # fmt: skip
    found = profile(spec, table)
    assert {n: int(c[0]) for n, c in found.counts.items()} == {"f": 1, "i": 0, "b": 1, "s": 1, "d": 0, "t": 0, "day": 0}


def test_a_column_that_is_gone_or_changed_its_kind_is_empty_not_an_error():
    window = profile(SPEC, {"kind": words("ab"), "price": words(["x", "y"])})
    assert window.counts["price"][0] == 2
    assert profile(SPEC, {"kind": words("ab")}).counts["price"].tolist()[0] == 2


def test_an_empty_reference_and_an_empty_window_are_profiles_too():
    spec = describe({"x": np.full(3, np.nan), "k": words([None, None])[:2]})
    assert profile(spec, {"x": np.array([1.0]), "k": words("a")}).rows == 1
    assert profile(SPEC, {"price": np.array([]), "kind": words([])}).rows == 0


def test_plain_values_travel_through_json_and_back():
    spec = Spec.from_plain(json.loads(json.dumps(SPEC.to_plain())))
    one = profile(SPEC, TABLE, np.array([5, 7]))
    back = Profile.from_plain(json.loads(json.dumps(one.to_plain())), spec)
    assert spec.id == SPEC.id
    assert (back.rows, back.first_at, back.last_at) == (5000, 5, 7)
    assert all((back.counts[n] == one.counts[n]).all() for n in SPEC.features)
    with pytest.raises(Unknown, match="Count the window again"):
        Profile.from_plain(one.to_plain(), describe({"price": np.arange(3.0)}))


def test_answers_of_every_shape_make_a_column():
    assert answers_as_column(numbers([1, np.nan])).tolist()[0] == 1.0
    ranking = Answers(Shape(kind="ranking"), np.array([1.0, 0.0]), items=(("a", "b"), ()))
    assert answers_as_column(ranking).tolist() == ["a", None]
    shares = Answers(Shape(kind="shares", labels=("a", "b")), np.array([0.7, np.nan]), values=np.array([[0.7, 0.3], [np.nan, np.nan]]))
    assert answers_as_column(shares).tolist() == ["a", None]


def test_cells_put_every_value_where_a_search_would():
    far = np.append(RNG.normal(0, 1, 3000), 1e300)
    for values in (RNG.lognormal(0, 3, 3000), RNG.normal(1e9, 1e-3, 3000), RNG.integers(0, 40, 3000) / 7, far):
        bins = describe({"x": values}).features["x"]
        asked = np.concatenate([values, bins.edges, np.nextafter(bins.edges, -np.inf), [np.inf, -np.inf, 0.0, -0.0]])
        assert (bins.place(asked) == np.searchsorted(bins.edges, asked, side="right")).all()


def test_totals_are_exact_whatever_the_order_and_say_what_bins_do_not():
    values = np.append(TABLE["price"], [np.inf, -np.inf, np.nan, 1e6])
    table = pa.table({"price": pa.array([*values, None], pa.float64())})
    whole = profile(SPEC, table)
    again = profile_of(SPEC, table.take(pa.array(RNG.permutation(len(table)))).to_batches(max_chunksize=37))
    assert again.totals["price"] == whole.totals["price"]
    assert (whole.totals["price"].nan, whole.totals["price"].infinite, whole.counts["price"][0]) == (1, 2, 2)
    assert whole.totals["price"].greatest == 1e6
    assert whole.mean("price") == pytest.approx(values[np.isfinite(values)].mean(), rel=1e-8)
    assert profile(SPEC, {"price": np.array([np.inf])}).mean("price") is None


def test_what_is_unseen_is_named():
    found = profile(SPEC, {"kind": words(["zed", "zed", "new", "a", None])})
    assert (found.unseen["kind"].first, found.unseen["kind"].counts["zed"]) == ("zed", 2)


def test_a_part_can_be_taken_out_and_what_is_no_part_cannot():
    one, other = profile(SPEC, {"price": np.array([1.0, 2.0])}), profile(SPEC, {"price": np.array([5.0])})
    assert (one + other).without(other).counts["price"].tolist() == one.counts["price"].tolist()
    assert one.without(other) is one


def test_a_profile_takes_less_than_two_kilobytes_a_feature_however_many_rows():
    one = profile(SPEC, TABLE)
    for _ in range(17):
        one = one + one
    plain = one.to_plain()
    assert one.rows > 6e8
    assert max(len(json.dumps([plain[what].get(name) for what in ("counts", "totals", "unseen")])) for name in SPEC.features) < 2000


def test_bins_count_a_column_by_themselves():
    assert Bins("number", edges=(0.0, 1.0)).count(np.array([0.5, np.nan])).tolist() == [1, 0, 1, 0]


def test_where_the_middle_half_is_one_value_no_distance_is_told_in_its_spreads():
    learnt, now = (np.append(np.full(heavy, 0.2), RNG.random(1000 - heavy)) for heavy in (800, 700))
    spec = describe({"x": learnt})
    found = moved(profile(spec, {"x": learnt}), profile(spec, {"x": now}))["x"]
    assert found.wasserstein is None
    assert found.d > 0.03
