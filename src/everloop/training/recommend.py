# ruff: noqa: N803 — X is what learners call it
"""Recommender: a learner that ranks candidates by what the feature core knows of them and by what others' tastes say. No clock, no disk.

It is said in a project file as any learner is:

    learner=Recommender(had="had", category="category"), fed_as="arrow"

and needs one column beside: how often the customer had the candidate (``count(last=…, per=["customer_id", "product_id"])``). Those
candidates of which something was had are the customer's past; so nothing but the training set is learnt from, and nothing but the features
of a question is needed to answer it. Item-to-item tables and factors are learnt across customers (what a row is ranked by was learnt from
other customers' rows), so that the ranker trusts them as far as they can be trusted.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from everloop.errors import LearnerFailed
from everloop.stats.shapes import Floats
from everloop.training.alike import summed
from everloop.training.boosted import boosted_of, is_boosted
from everloop.training.choices import NOWHERE, Choices, coded, numbers_of, words_of
from everloop.training.columns import Column, column_at, place_of
from everloop.training.feed import Fed
from everloop.training.pairs import Codes, Pairs
from everloop.training.shelf import cold
from everloop.training.tastes import Tastes, learn
from everloop.training.varied import varied

#: So many units must have had an item for it to be learnt of.
LEAST = 3
#: So many places of a list are made to differ, and listed beside a product where nobody says how many.
MOST = 10


class Recommender:
    """Ranks the candidates of a list, and knows what goes with what.

    ``had``: the column (name, or place in ``knows``) that says how often the unit had the candidate; ``category`` and ``popular``: columns
    that say what shelf the candidate stands on, and how popular it is (optional; what nobody has learnt of is then known by its shelf).
    ``ranker``: any learner of 0 and 1, or of groups (LightGBM's lambdarank where it is installed, else scikit-learn's histogram boosting).
    ``likes``: so many neighbours are kept of each item; ``width``: numbers of a factor; ``diversity``: the share of a choice that goes to
    being different from what is listed already (0: none); ``folds``: in so many parts customers are learnt from across.
    """

    def __init__(
        self,
        had: Column = 0,
        *,
        category: Column | None = None,
        popular: Column | None = None,
        ranker: Any = None,
        likes: int = 100,
        width: int = 24,
        diversity: float = 0.0,
        folds: int = 3,
        random_state: int | None = None,
    ) -> None:
        self.had, self.category, self.popular, self.ranker = had, category, popular, ranker
        self.likes, self.width, self.diversity, self.folds, self.random_state = likes, width, diversity, folds, random_state

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """What it was said with, as scikit-learn asks."""
        names = ("had", "category", "popular", "ranker", "likes", "width", "diversity", "folds", "random_state")
        return {name: getattr(self, name) for name in names}

    def set_params(self, **said: Any) -> Recommender:
        """The same, said otherwise."""
        for name, value in said.items():
            if name not in self.get_params():
                raise ValueError(f"Recommender has no {name}: {', '.join(self.get_params())}.")
            setattr(self, name, value)
        return self

    # -- learning --

    def fit(self, X: Fed, y: Floats, group: NDArray[np.int64], items: Sequence[str], units: Sequence[str]) -> Recommender:
        """Learn from the candidates of many questions, by moment: ``group`` their sizes; ``items`` and ``units`` (n,) which and whose.

        Raises LearnerFailed where no candidate was ever had, or a column is missing.
        """
        from threadpoolctl import threadpool_limits

        # In one thread sums are taken in one order, so that the same rows give the same bits.
        with threadpool_limits(limits=1):
            return self._fit(X, np.asarray(y, dtype=np.float64), np.asarray(group, dtype=np.int64), items, units)

    def _fit(self, X: Fed, y: Floats, group: Codes, items: Sequence[str], units: Sequence[str]) -> Recommender:
        seed = self.random_state or 0
        had = np.nan_to_num(column_at(X, place_of(X, self.had)))
        if not (had > 0).any():
            what = f"Nobody ever had any candidate: column {self.had!r} is 0 everywhere."
            raise LearnerFailed(f"{what} Let had= say the count of unit and item.")
        self.items_ = known_items(items, units, (had > 0) | (y > 0))
        if not self.items_:
            what = f"No candidate was had or chosen by {LEAST} different units, so nothing can be said of one by another."
            raise LearnerFailed(f"{what} Learn from more history; until then the baseline answers.")
        self.shelves_ = sorted(set(words_of(X, self.category))) if self.category is not None else []
        choices = self._choices(X, group, items)
        self.shelf_of_ = self._shelf_of(choices)
        asks = [units[at] for at in choices.starts[:-1].tolist()]
        fold = np.array([zlib.crc32(str(unit).encode()) % max(2, self.folds) for unit in asks])
        said: list[Floats] = []
        order: list[Codes] = []
        for one in range(max(2, self.folds)):
            mine, others = np.flatnonzero(fold == one), np.flatnonzero(fold != one)
            if not len(mine):
                continue
            tastes = self._tastes(choices.take(others), _rows(choices, y, others), [asks[q] for q in others.tolist()], seed)
            part = choices.take(mine)
            said.append(np.column_stack([part.numbers, tastes.of(part)]))
            order.append(np.flatnonzero(fold[choices.questions] == one))
        where = np.concatenate(order)
        rows = np.empty((len(y), said[0].shape[1]))
        rows[where] = np.concatenate(said)
        self.tastes_ = _as_kept(self._tastes(choices, y, asks, seed))
        self.ranker_ = _kept_ranker(_fitted(self._said_ranker(seed), rows, y, group))
        return self

    def _tastes(self, choices: Choices, y: Floats, asks: Sequence[str], seed: int) -> Tastes:
        newest = {unit: q for q, unit in enumerate(asks)}
        last = np.array(sorted(newest.values()), dtype=np.int64)
        return learn(choices, y, last, len(self.items_), likes=self.likes, width=self.width, seed=seed)

    def _said_ranker(self, seed: int) -> Any:
        if self.ranker is not None:
            from everloop.training.fit import prepared

            return prepared(self.ranker, seed)
        return usual_ranker(seed)

    def _shelf_of(self, choices: Choices) -> Codes:
        made = np.full(len(self.items_), len(self.shelves_), dtype=np.int64)
        known = choices.codes != NOWHERE
        made[choices.codes[known]] = choices.shelves[known]
        return made

    # -- answering --

    def predict(self, X: Fed, items: Sequence[str], group: NDArray[np.int64], carts: Sequence[Collection[str]] = ()) -> Floats:
        """A score for each candidate, the higher the better within its question; ``carts``: what lies in each question's cart already."""
        choices = self._choices(X, np.asarray(group, dtype=np.int64), items, carts)
        tastes = self._learnt
        scores = np.asarray(_scored(self.ranker_, np.column_stack([choices.numbers, tastes.of(choices)])), dtype=np.float64)
        if self.diversity > 0:
            for start, stop in zip(choices.starts[:-1].tolist(), choices.starts[1:].tolist(), strict=True):
                codes = choices.codes[start:stop]
                vectors = np.where((codes != NOWHERE)[:, None], tastes.vectors[codes], 0.0)
                order = varied(scores[start:stop], vectors, self.diversity, MOST)
                best = np.sort(scores[start:stop])[::-1]
                scores[start:stop][order] = best
        return scores

    def beside(self, cart: Sequence[str], most: int = MOST, allowed: Collection[str] | None = None) -> list[tuple[str, float]]:
        """What goes with what lies in a cart (or with one product): items with scores, best first, never what lies there already.

        What nobody has learnt of is gone by its shelf: places that are left are filled with what is popular there, with the score 0.
        ``allowed``: only these.
        """
        tastes, items = self._learnt, self.items_
        codes = coded(list(cart), self._code_of)
        known = np.unique(codes[codes != NOWHERE])
        scores = summed(tastes.alike, known, np.ones(len(known))) / max(1, len(known)) if len(known) else np.zeros(len(items))
        scores[known] = 0.0
        best = np.lexsort((np.arange(len(items)), -scores))[: np.count_nonzero(scores > 0)]
        shelves = self.shelf_of_[known]
        rest = cold(self.shelf_of_, tastes.popular, np.unique(shelves), len(items))
        left = dict.fromkeys([*best.tolist(), *rest.tolist()])
        inside, found = set(cart), list[tuple[str, float]]()
        for code in left:
            item = items[code]
            if item not in inside and (allowed is None or item in allowed):
                found.append((item, float(scores[code])))
                if len(found) == most:
                    break
        return found

    def _choices(self, X: Fed, group: Codes, items: Sequence[str], carts: Sequence[Collection[str]] = ()) -> Choices:
        starts = np.concatenate([[0], np.cumsum(group)]).astype(np.int64)
        had = np.nan_to_num(column_at(X, place_of(X, self.had)))
        place = {shelf: at for at, shelf in enumerate(self.shelves_)}
        count = len(had)
        shelves = np.zeros(count, np.int64) if self.category is None else coded(words_of(X, self.category), place, len(place))
        popular = np.ones(count) if self.popular is None else np.nan_to_num(column_at(X, place_of(X, self.popular)))
        inside = tuple(_known(coded(list(cart), self._code_of)) for cart in carts)
        return Choices(numbers_of(X), coded(items, self._code_of), had, shelves, popular, starts, inside)

    @property
    def _code_of(self) -> dict[str, int]:
        made = self.__dict__.get("_codes")
        if made is None:
            made = self.__dict__["_codes"] = {item: code for code, item in enumerate(self.items_)}
        return made

    @property
    def _learnt(self) -> Tastes:
        made = self.__dict__.get("_tastes_made")
        if made is None:
            made = self.__dict__["_tastes_made"] = _from_kept(self.tastes_)
        return made

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_codes", "_tastes_made")}


def usual_ranker(seed: int) -> Any:
    """LightGBM's lambdarank (Burges 2010) where it is installed, made to repeat itself; else scikit-learn's histogram boosting."""
    try:
        from lightgbm import LGBMRanker
    except ImportError:
        from sklearn.ensemble import HistGradientBoostingClassifier

        return HistGradientBoostingClassifier(
            max_iter=200, learning_rate=0.05, min_samples_leaf=50, early_stopping=False, random_state=seed
        )
    return LGBMRanker(
        n_estimators=300, learning_rate=0.05, num_leaves=31, min_child_samples=50, colsample_bytree=0.7, random_state=seed,
        lambdarank_truncation_level=20, deterministic=True, force_row_wise=True, verbose=-1,
    )  # fmt: skip


def known_items(items: Sequence[str], units: Sequence[str], there: NDArray[np.bool_]) -> list[str]:
    """The items that enough different units had or took (``there``), in order: what fewer had says nothing of anybody else.

    >>> known_items(["a", "a", "b", "a"], ["x", "y", "x", "z"], np.ones(4, bool))
    ['a']
    """
    whose: dict[str, set[str]] = {}
    for at in np.flatnonzero(there).tolist():
        if items[at] is not None:
            whose.setdefault(items[at], set()).add(units[at])
    return sorted(item for item, mine in whose.items() if len(mine) >= LEAST)


def _rows(choices: Choices, values: Floats, questions: Codes) -> Floats:
    return np.concatenate([values[choices.starts[q] : choices.starts[q + 1]] for q in questions.tolist()] or [np.zeros(0)])


def _fitted(ranker: Any, rows: Floats, y: Floats, group: Codes) -> Any:
    import inspect

    more = {"group": group} if "group" in inspect.signature(ranker.fit).parameters else {}
    return ranker.fit(rows, y, **more)


def _kept_ranker(fitted: Any) -> Any:
    return boosted_of(fitted) if is_boosted(fitted) else fitted


def _scored(ranker: Any, rows: Floats) -> Floats:
    chances = getattr(ranker, "predict_proba", None)
    return np.asarray(chances(rows)[:, 1] if callable(chances) else ranker.predict(rows))


def _known(codes: Codes) -> Codes:
    return np.unique(codes[codes != NOWHERE])


def _as_kept(tastes: Tastes) -> dict[str, Any]:
    """Tastes as arrays by name, which is how they are stored."""
    tables = {"alike": tastes.alike, "followed": tastes.followed}
    kept = {f"{name}_{part}": getattr(pairs, part) for name, pairs in tables.items() for part in ("starts", "columns", "values")}
    return kept | {"vectors": tastes.vectors, "usual": tastes.usual, "popular": tastes.popular}


def _from_kept(kept: dict[str, Any]) -> Tastes:
    width = len(kept["popular"])
    alike, followed = (Pairs(*_arrays(kept, name), width) for name in ("alike", "followed"))
    return Tastes(alike, followed, kept["vectors"], kept["usual"], kept["popular"])


def _arrays(kept: dict[str, Any], name: str) -> tuple[Codes, Codes, Floats]:
    return kept[f"{name}_starts"], kept[f"{name}_columns"], kept[f"{name}_values"]
