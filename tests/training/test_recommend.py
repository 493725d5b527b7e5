"""The recommender: what it learns from the candidates of a list, what it says, and that it says the same again."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everloop.errors import LearnerFailed
from everloop.records import Shape
from everloop.training.alike import alike, followed, summed
from everloop.training.artefact import dump, unframed
from everloop.training.factors import factors, folded_in
from everloop.training.feed import Feed
from everloop.training.fit import fit
from everloop.training.pairs import Pairs
from everloop.training.predictor import Predictor
from everloop.training.recommend import Recommender, usual_ranker
from everloop.training.rows import Rows
from everloop.training.shelf import affinity, cold, shares
from everloop.training.varied import spread_of, varied

#: Tea drinkers take scones next, coffee drinkers take cake; milk is everybody's.
TEA, COFFEE, MILK, SCONE, CAKE = "tea", "coffee", "milk", "scone", "cake"
SHELF = {TEA: "drinks", COFFEE: "drinks", MILK: "drinks", SCONE: "sweet", CAKE: "sweet", "bun": "sweet"}


def small(**words):
    """A recommender that learns in no time."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    ranker = HistGradientBoostingClassifier(max_iter=30, min_samples_leaf=5, early_stopping=False)
    return Recommender(**({"had": "had", "category": "category", "ranker": ranker, "width": 3, "likes": 5} | words))


def questions(count=120, seed=0):
    """A table as a training table's: one candidate list for each of many customers, what they had, and what came up."""
    rng = np.random.default_rng(seed)
    rows = []
    for q in range(count):
        drink, sweet = ((TEA, SCONE), (COFFEE, CAKE))[q % 2]
        had = {drink: int(rng.integers(1, 6)), MILK: int(rng.integers(0, 3))}
        came = {drink, sweet} if rng.random() < 0.9 else {MILK}
        if rng.random() < 0.3:
            had[sweet] = 1
        rows += [(q, f"c{q:03d}", item, float(had.get(item, 0)), float(item in came)) for item in sorted([TEA, COFFEE, MILK, SCONE, CAKE])]
    return pa.table(
        {
            "question": [r[0] for r in rows], "unit": [r[1] for r in rows], "item": [r[2] for r in rows], "had": [r[3] for r in rows],
            "category": pa.array([SHELF[r[2]] for r in rows]).dictionary_encode(), "relevant": [r[4] for r in rows],
        }
    )  # fmt: skip


def rows_of(table, seed=3):
    sizes = np.full(len(set(table["question"].to_pylist())), 5)
    return Rows(
        X=table.select(["had", "category"]), y=table["relevant"].to_numpy(), names=("had", "category"),
        moments=np.zeros(len(table), np.int64), units=np.array(table["unit"].to_pylist(), object), groups=sizes, seed=seed,
        items=np.array(table["item"].to_pylist(), object),
    )  # fmt: skip


def fitted(**words):
    return fit(small(**words), rows_of(questions()), Shape(kind="ranking", most=3))


def ranked(model, had, cart=None):
    """The candidates in the order a recommender gives them, for somebody who had these."""
    items = sorted([TEA, COFFEE, MILK, SCONE, CAKE])
    X = pa.table({"had": [float(had.get(i, 0)) for i in items], "category": pa.array([SHELF[i] for i in items]).dictionary_encode()})
    more = {} if cart is None else {"carts": [cart]}
    scores = model.predict(X, items, np.array([len(items)]), **more)
    return [items[at] for at in np.argsort(-scores, kind="stable")]


def test_what_goes_with_what_somebody_had_comes_first_though_they_never_had_it():
    model = fitted()
    assert ranked(model, {TEA: 3}).index(SCONE) < ranked(model, {TEA: 3}).index(CAKE)
    assert ranked(model, {COFFEE: 3}).index(CAKE) < ranked(model, {COFFEE: 3}).index(SCONE)


def test_a_frequency_counter_cannot_tell_them_apart():
    """The rival: by how often it was had alone, what was never had comes in the same order whatever was."""

    def by_count(had):
        order = sorted([TEA, COFFEE, MILK, SCONE, CAKE], key=lambda item: -had.get(item, 0))
        return [item for item in order if item in (SCONE, CAKE)]

    assert by_count({TEA: 3}) == by_count({COFFEE: 3})


def test_what_lies_in_a_cart_counts_as_had():
    model = fitted()
    assert ranked(model, {}, cart=[TEA]).index(SCONE) < ranked(model, {}, cart=[TEA]).index(CAKE)
    assert ranked(model, {}, cart=[COFFEE]).index(CAKE) < ranked(model, {}, cart=[COFFEE]).index(SCONE)


def test_the_same_rows_and_seed_give_the_same_bits():
    one, other = fitted(), fitted()
    table = questions(20, seed=9)
    X, items, sizes = table.select(["had", "category"]), table["item"].to_pylist(), np.full(20, 5)
    assert one.predict(X, items, sizes).tobytes() == other.predict(X, items, sizes).tobytes()
    assert one.tastes_["vectors"].tobytes() == other.tastes_["vectors"].tobytes()


def test_one_question_is_answered_alone_as_among_others_to_the_last_bit():
    model, table = fitted(), questions(20, seed=9)
    X, items = table.select(["had", "category"]), table["item"].to_pylist()
    together = model.predict(X, items, np.full(20, 5))
    alone = [model.predict(X.slice(5 * q, 5), items[5 * q : 5 * q + 5], np.array([5])) for q in range(20)]
    assert np.concatenate(alone).tobytes() == together.tobytes()


def test_it_is_stored_without_pickle_and_answers_as_before():
    import skops.io

    model = fitted()
    artefact = dump(Predictor(Shape(kind="ranking", most=3), Feed(("had",)), model))
    assert artefact.format == "skops"
    again = skops.io.loads(unframed(artefact.body, "it")[1], trusted=list(artefact.needs))
    assert ranked(again, {TEA: 3}) == ranked(model, {TEA: 3})
    assert again.beside([TEA], 2) == model.beside([TEA], 2)


def test_lightgbm_ranks_in_groups_where_it_is_installed():
    pytest.importorskip("lightgbm")
    model = fitted(ranker=usual_ranker(1).set_params(n_estimators=20, min_child_samples=5))
    assert type(model.ranker_).__name__ == "Boosted"
    assert ranked(model, {TEA: 3}).index(SCONE) < ranked(model, {TEA: 3}).index(CAKE)


def test_what_goes_beside_a_product_is_what_others_had_with_it_and_never_itself():
    found = [item for item, _ in fitted().beside([TEA], 3)]
    assert found[0] in (SCONE, MILK)
    assert TEA not in found
    assert CAKE not in found[:1]


def test_only_what_is_allowed_goes_beside():
    assert [item for item, _ in fitted().beside([TEA], 3, allowed={CAKE})] == [CAKE]


def test_of_a_product_nobody_knows_the_popular_goes_beside():
    found = fitted().beside(["what is that"], 2)
    assert [score for _, score in found] == [0.0, 0.0]
    assert len(found) == 2


def test_an_item_nobody_has_learnt_of_is_ranked_all_the_same():
    model = fitted()
    X = pa.table({"had": [1.0, 0.0, 0.0], "category": pa.array(["drinks", "sweet", None]).dictionary_encode()})
    scores = model.predict(X, [TEA, "bun", "nobody's"], np.array([3]))
    assert np.isfinite(scores).all()


def test_where_nobody_ever_had_a_candidate_it_says_what_is_missing():
    table = questions(4)
    nothing = table.set_column(table.column_names.index("had"), "had", pa.array(np.zeros(len(table))))
    with pytest.raises(LearnerFailed, match="Let had= say the count of unit and item"):
        fit(small(), rows_of(nothing), Shape(kind="ranking"))


def test_a_column_that_is_not_there_is_named():
    with pytest.raises(LearnerFailed, match=r"no column 'hadd'.*had, category"):
        fit(small().set_params(had="hadd"), rows_of(questions(4)), Shape(kind="ranking"))


def test_plain_numbers_name_columns_by_their_place():
    table = questions()
    rows = rows_of(table)
    plain = Rows(**{**vars(rows), "X": table["had"].to_numpy()[:, None], "names": ("had",)})
    model = fit(small(had=0, category=None), plain, Shape(kind="ranking"))
    items = [TEA, CAKE, SCONE]
    scores = model.predict(np.array([[3.0], [0.0], [0.0]]), items, np.array([3]))
    assert scores[2] > scores[1]


def test_tables_are_learnt_across_customers_so_that_the_ranker_does_not_trust_them_blindly():
    """Where every customer's taste is their own and says nothing of others, what others' tastes say must not be believed."""
    rng = np.random.default_rng(0)
    rows = []
    for q in range(60):
        mine = rng.choice(200, 4, replace=False)
        had = {int(i) for i in mine[:3]}
        shown = sorted({*map(int, mine), *map(int, rng.choice(200, 6, replace=False))})
        rows += [(q, f"c{q}", f"i{i}", float(i in had), float(rng.random() < (0.5 if i in had else 0.1))) for i in shown]
    sizes = np.array([sum(r[0] == q for r in rows) for q in range(60)])
    X, y = np.array([[r[3]] for r in rows]), np.array([r[4] for r in rows])
    items, units = np.array([r[2] for r in rows], object), np.array([r[1] for r in rows], object)
    model = small(had=0, category=None).fit(X, y, sizes, items, units)
    new = X[:, 0] == 0
    said = model.predict(X, items.tolist(), sizes)[new]
    # An in-sample table knows the answers: candidates of one customer alone, with a taste for exactly what came up.
    assert np.corrcoef(said, y[new])[0, 1] < 0.6


matrices = st.integers(0, 2**31).map(lambda seed: np.random.default_rng(seed).random((6, 5)) < 0.4)


def pairs_of(there):
    return Pairs.of([(np.flatnonzero(row), np.ones(int(row.sum()))) for row in there], there.shape[1])


@given(matrices)
@settings(max_examples=40, deadline=None)
def test_alike_is_the_cosine_of_who_had_what(there):
    table = alike(pairs_of(there), most=5, shrunk=0.0).sparse().toarray()
    x = there.astype(float)
    length = np.linalg.norm(x, axis=0)
    due = np.divide(x.T @ x, np.outer(length, length), out=np.zeros((5, 5)), where=np.outer(length, length) > 0)
    np.fill_diagonal(due, 0.0)
    assert np.allclose(table, due)
    assert np.allclose(table, table.T)


@given(matrices, matrices)
@settings(max_examples=40, deadline=None)
def test_followed_is_the_gain_in_chance_over_anybody(had, came):
    table = followed(pairs_of(had), pairs_of(came), most=5, shrunk=0.0).sparse().toarray()
    for i in range(5):
        for j in range(5):
            mine = came[had[:, i], j]
            gain = mine.mean() - came[:, j].mean() if len(mine) else 0.0
            due = gain if i != j and len(mine) and mine.any() and gain > 0 else 0.0
            assert table[i, j] == pytest.approx(due, abs=1e-12)


@given(matrices, st.integers(1, 5))
@settings(max_examples=30, deadline=None)
def test_the_best_neighbours_are_kept_and_summed_as_a_product_would(there, most):
    full, cut = (alike(pairs_of(there), most=m, shrunk=1.0).sparse().toarray() for m in (5, most))
    for i in range(5):
        assert sorted(cut[i][cut[i] > 0])[::-1] == pytest.approx(sorted(full[i][full[i] > 0])[::-1][:most])
    table = alike(pairs_of(there), most=most, shrunk=1.0)
    items, weights = np.array([0, 2]), np.array([1.0, 0.5])
    assert np.allclose(summed(table, items, weights), weights @ cut[items])


def test_factors_find_who_is_alike_and_fold_in_whom_nobody_has_met():
    had = Pairs.of([([0, 1, 2], [1, 1, 1])] * 6 + [([3, 4, 5], [1, 1, 1])] * 6, 6)
    items = factors(had, width=3, ridge=0.5, seed=1)
    said = (folded_in(items, Pairs.of([([0, 1], [1, 1])], 6), ridge=0.5) @ items.T)[0]
    assert said[2] > said[3:].max() + 0.3


def test_a_list_is_made_varied_only_as_far_as_is_asked():
    vectors = np.array([[1.0, 0.0], [1.0, 0.01], [0.0, 1.0], [0.0, 0.9]])
    scores = np.array([4.0, 3.0, 2.0, 1.0])
    assert varied(scores, vectors, 0.0, 2).tolist() == [0, 1, 2, 3]
    mixed = varied(scores, vectors, 0.6, 2)
    assert mixed[:2].tolist() == [0, 2]
    assert spread_of(vectors[mixed[:2]]) > spread_of(vectors[:2])
    assert sorted(mixed.tolist()) == [0, 1, 2, 3]


def test_diversity_changes_the_order_and_never_the_scores_there_are():
    plain, mixed = fitted(), fitted(diversity=0.8)
    table = questions(10, seed=5)
    X, items, sizes = table.select(["had", "category"]), table["item"].to_pylist(), np.full(10, 5)
    one, other = plain.predict(X, items, sizes), mixed.predict(X, items, sizes)
    assert np.allclose(np.sort(one.reshape(10, 5)), np.sort(other.reshape(10, 5)))
    assert (one != other).any()


def test_an_unknown_customer_is_shown_shelf_by_shelf_in_turn():
    shelves, popular = np.array([0, 0, 0, 1, 1, 2]), np.array([9.0, 8.0, 7.0, 2.0, 1.0, 50.0])
    assert cold(shelves, popular, np.array([1, 0]), 4).tolist() == [3, 0, 4, 1]
    assert cold(shelves, popular, np.zeros(0, np.int64), 2).tolist() == [5, 0]


def test_shares_of_a_shelf_add_up_and_affinity_is_a_share_of_the_past():
    shelves = np.array([0, 0, 1])
    assert shares(shelves, np.array([0.0, 0.0, 2.0])).tolist() == [0.5, 0.5, 1.0]
    assert affinity(shelves, np.array([0.0, 0.0, 0.0]), np.zeros(3, np.int64)).tolist() == [0.0, 0.0, 0.0]
