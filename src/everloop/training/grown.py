"""LightGBM's trees in plain numbers. In: the text it is stored as. Out: ``Plain``. Nothing is imported: the text says everything.

What is not known here (linear leaves, averaged trees, zero as missing, objectives of one's own) is a ValueError, and is answered by the
library itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from everloop.stats.shapes import Floats
from everloop.training.boosted import Boosted
from everloop.training.feed import Feed
from everloop.training.plain import Link, Plain, PlainChances, Said, Sum
from everloop.training.trees import Trees

LINKS: dict[str, Link] = {
    "regression": "itself", "regression_l1": "itself", "huber": "itself", "fair": "itself", "quantile": "itself", "mape": "itself",
    "lambdarank": "itself", "rank_xendcg": "itself", "poisson": "exp in turn", "gamma": "exp in turn", "tweedie": "exp in turn",
    "binary sigmoid:1": "chance", "cross_entropy": "chance",
}  # fmt: skip
WITH_PARAMETER = ("huber", "fair", "quantile", "tweedie", "lambdarank", "rank_xendcg")
"""What their parameters say counts for learning only."""


def grown_of(boosted: Boosted, feed: Feed) -> Said:
    """LightGBM's trees in plain numbers. Raises ValueError or KeyError where they cannot be said so.

    >>> import lightgbm
    >>> fitted = lightgbm.LGBMRegressor(n_estimators=1, min_child_samples=1, learning_rate=1, verbose=-1).fit([[0], [1]], [1.0, 3.0])
    >>> made = grown_of(Boosted("LGBMRegressor", fitted.booster_.model_to_string()), Feed(("x",)))
    >>> made.predict(np.array([[0.0]])).round(6)
    array([1.])
    """
    text, _, rest = boosted.text.partition("\nend of trees\n")
    head, *trees = text.split("\nTree=")
    said = _lines(head)
    if "average_output" in head.split("\n"):
        raise ValueError("trees are averaged")
    _same_words(rest, feed)
    each, outputs = [_lines(tree) for tree in trees], int(said["num_tree_per_iteration"])
    body = Sum(np.zeros(outputs), _trees(each, feed))
    if boosted.kind != "LGBMClassifier":
        return Plain((), body, _link(said["objective"], outputs))
    return PlainChances((), body, _link(said["objective"], outputs), boosted.classes_)


def _lines(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.split("\n") if "=" in line)


def _link(objective: str, outputs: int) -> Link:
    name = objective.split(" ")[0]
    if objective == f"multiclass num_class:{outputs}" and outputs > 1:
        return "shares in turn"
    if outputs > 1:
        raise ValueError("several answers that are no shares")
    return LINKS[name if name in WITH_PARAMETER else objective]


def _same_words(rest: str, feed: Feed) -> None:
    """Raise ValueError unless LightGBM counts categories as the vocabulary does."""
    line = next((line for line in rest.split("\n") if line.startswith("pandas_categorical:")), "pandas_categorical:null")
    words = [feed.vocabulary[name] for name in feed.columns if name in feed.vocabulary]
    if [tuple(known) for known in json.loads(line.partition(":")[2]) or []] != words:
        raise ValueError("its categories are not those of the vocabulary")


def _trees(each: Sequence[Mapping[str, str]], feed: Feed) -> Trees:
    roots: list[int] = []
    kids, column, threshold, lost, value, category, cover, lefts = [], [], [], [], [], [], [], []
    start, splits = 0, 0
    for said in each:
        if int(said.get("is_linear", "0")):
            raise ValueError("its leaves are lines")
        leaves = _floats(said["leaf_value"])
        inner = len(leaves) - 1
        roots.append(start)
        here, ends = np.arange(start, start + inner), np.arange(start + inner, start + inner + len(leaves))
        sides = np.stack([_wholes(said.get(f"{side}_child", ""), inner) for side in ("left", "right")], axis=1)
        kids += [np.where(sides >= 0, sides + start, ~sides + start + inner), np.stack([ends, ends], axis=1)]
        how, edge = _wholes(said.get("decision_type", ""), inner), _floats(said.get("threshold", ""))
        sets = _sets(said, feed)
        chosen = (how & 1) != 0
        missing = (how >> 2) & 3
        if (~chosen & (missing == 1)).any():
            raise ValueError("zero counts as missing")
        # Where nothing was missing when it was trained, a missing number is read as 0; a missing category always goes right.
        goes_left = np.where(chosen, False, np.where(missing == 2, (how & 2) != 0, edge >= 0))
        column += [_wholes(said.get("split_feature", ""), inner), np.zeros(len(leaves), int)]
        threshold += [np.where(chosen, 0.0, edge), np.zeros(len(leaves))]
        lost += [goes_left, np.zeros(len(leaves), bool)]
        value += [np.zeros(len(here)), leaves]
        category += [np.where(chosen, edge + splits, -1), np.full(len(leaves), -1)]
        cover += [_floats(said.get("internal_count", "")), _floats(said.get("leaf_count", "1"))]
        lefts += sets
        start, splits = start + inner + len(leaves), splits + len(sets)
    width = max(map(len, lefts), default=0) + 1
    rows = np.concatenate(cover)  # that were learnt from, node by node; older texts do not say
    return Trees(
        roots=np.array(roots, np.int32),
        kids=np.concatenate(kids).astype(np.int32),
        column=np.concatenate(column).astype(np.int32),
        threshold=np.concatenate(threshold).astype(np.float64),
        lost=np.concatenate(lost).astype(np.uint8),
        value=np.concatenate(value)[:, None],
        category=np.concatenate(category).astype(np.int32),
        lefts=np.array([[*one, *[0] * (width - len(one))] for one in lefts], np.uint8).reshape(len(lefts), width),
        cover=rows if len(rows) == start else np.zeros(0),
    )


def _sets(said: Mapping[str, str], feed: Feed) -> list[list[int]]:
    """For each split by category, which codes go left."""
    if not int(said["num_cat"]):
        return []
    if not feed.vocabulary:
        raise ValueError("it splits categories, and is fed none")
    words = np.array([int(w) for w in said["cat_threshold"].split()], dtype="<u4")
    bounds = [int(b) for b in said["cat_boundaries"].split()]
    return [np.unpackbits(words[a:b].view(np.uint8), bitorder="little").tolist() for a, b in pairwise(bounds)]


def _floats(text: str) -> Floats:
    return np.array([float(word) for word in text.split()])


def _wholes(text: str, count: int) -> NDArray[np.int64]:
    found = np.array([int(word) for word in text.split()], dtype=np.int64)
    if len(found) != count:
        raise ValueError("a tree has not one number for each of its nodes")
    return found
