"""XGBoost's trees in plain numbers: everything in single precision, as XGBoost itself does. In: a model as it says it. Out: ``Plain``.

What is not known here (categories, dropped trees, lines, several targets, objectives of one's own) is a ValueError or KeyError, and is
answered by the library itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from everloop.stats.shapes import Floats
from everloop.training.feed import Feed
from everloop.training.plain import Link, Plain, PlainChances, Said, Sum
from everloop.training.trees import Trees
from everloop.training.xgboosted import XGBoosted

LINKS: dict[str, Link] = {
    "reg:squarederror": "itself", "reg:absoluteerror": "itself", "reg:quantileerror": "itself", "reg:pseudohubererror": "itself",
    "rank:pairwise": "itself", "rank:ndcg": "itself", "rank:map": "itself", "count:poisson": "single exp", "reg:gamma": "single exp",
    "reg:tweedie": "single exp", "binary:logistic": "single chance", "reg:logistic": "single chance", "multi:softprob": "single shares",
}  # fmt: skip


def grown_single(boosted: XGBoosted, feed: Feed) -> Said:
    """XGBoost's trees in plain numbers. Raises ValueError or KeyError where they cannot be said so."""
    said = boosted.said
    link, parameters, grown = LINKS[said["objective"]["name"]], said["learner_model_param"], said["gradient_booster"]
    outputs = max(1, int(parameters["num_class"]))
    if grown["name"] != "gbtree" or int(parameters.get("num_target", 1)) > 1 or feed.vocabulary:
        raise ValueError("these are not plain trees of numbers")
    if (outputs > 1) != (link == "single shares") or grown["model"]["tree_info"] != [
        at % outputs for at in range(len(grown["model"]["trees"]))
    ]:
        raise ValueError("its trees do not take turns")
    start = _start(link, np.array([float(word) for word in parameters["base_score"].strip("[]").split(",")], np.float32))
    body = Sum(np.broadcast_to(start, outputs).astype(np.float64), _trees(grown["model"]["trees"]), single=True)
    return PlainChances((), body, link, boosted.classes_) if boosted.kind == "XGBClassifier" else Plain((), body, link)


def _start(link: Link, score: Any) -> Any:
    """What the trees are added to, for the answer that XGBoost starts from."""
    if link == "single chance":
        return -np.log(np.float32(1) / score - np.float32(1))
    return np.log(score) if link == "single exp" else score


def _trees(each: list[Mapping[str, Any]]) -> Trees:
    if not each or any(any(tree["split_type"]) or int(tree["tree_param"]["num_deleted"]) for tree in each):
        raise ValueError("there is no tree, or one splits categories")
    first = np.cumsum([0, *(len(tree["left_children"]) for tree in each)])
    shift = np.repeat(first[:-1], np.diff(first))
    left, right, column, edge, lost = (
        np.concatenate([np.asarray(tree[name]) for tree in each])
        for name in ("left_children", "right_children", "split_indices", "split_conditions", "default_left")
    )
    leaf, here = left < 0, np.arange(len(left))
    kids = np.column_stack([np.where(leaf, here, side + shift) for side in (left, right)])
    if not ((kids > here[:, None]).all(axis=1) | leaf).all():
        raise ValueError("a child stands before its parent")
    return Trees(
        roots=first[:-1].astype(np.int32),
        kids=kids.astype(np.int32),
        column=np.where(leaf, 0, column).astype(np.int32),
        threshold=np.where(leaf, 0.0, below_single(edge)),
        lost=np.where(leaf, 0, lost).astype(np.uint8),
        value=np.where(leaf, edge.astype(np.float32), 0).astype(np.float64)[:, None],
        category=np.full(len(left), -1, np.int32),
        lefts=np.zeros((0, 1), np.uint8),
        cover=np.concatenate([np.asarray(tree["sum_hessian"], dtype=np.float64) for tree in each]),
    )


def below_single(edge: Floats) -> Floats:
    """The largest numbers that, rounded to single precision, are below these: x < edge in single is x <= that in double precision.

    >>> below = below_single(np.array([0.5]))[0]
    >>> np.float32(below) < 0.5, np.float32(np.nextafter(below, 1.0)) < 0.5
    (np.True_, np.False_)
    """
    single = np.asarray(edge, dtype=np.float32)
    with np.errstate(over="ignore"):
        under = np.nextafter(single, np.float32(-np.inf))
    # Below the least number, what rounds to minus infinity begins half way to where the next one would be.
    middle = (np.maximum(under.astype(np.float64), -(2.0**128)) + single.astype(np.float64)) / 2
    # What lies in the middle is rounded to the one whose last bit is 0.
    return np.where(under.view(np.uint32) & 1 == 0, middle, np.nextafter(middle, -np.inf))
