"""The user's own learner: how it is said, what it is (its identity in the journal), and what is wrong with it. Fits nothing.

A function's identity holds a hash of its source, which Python reads from the user's file; nothing else is opened. No library is imported:
what an object can do is asked of the object.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from everloop.errors import Mistake
from everloop.project.said import Word
from everloop.records import identity

PROJECT_FILE = re.compile(r"^(__main__|everloop_project_[0-9a-f]+)$")
ADDRESS = re.compile(r" at 0x[0-9A-Fa-f]+")


def is_function(value: object) -> bool:
    """Whether it is a plain function (or a method), not an object that can be called.

    >>> is_function(is_function), is_function(3)
    (True, False)
    """
    return inspect.isfunction(value) or inspect.ismethod(value) or inspect.isbuiltin(value)


def can_answer(value: object) -> bool:
    """Whether it has predict or predict_proba.

    >>> can_answer(3)
    False
    """
    return any(callable(getattr(value, verb, None)) for verb in ("predict", "predict_proba"))


def learner_said(learner: object) -> str:
    """What a learner is: class path and parameters, or a function's module, name and source hash; the same in every process.

    >>> learner_said({0.5: 3}), learner_said(is_function).split("#")[0]
    ('{0.5: 3}', 'everloop.project.learner.is_function')
    """
    return _said(learner, 0)


def _said(value: Any, depth: int) -> str:
    if isinstance(value, type):
        return _path(value)
    if is_function(value):
        return f"{_module(value)}.{value.__qualname__}#{_source_hash(value)}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k!r}: {_said(v, depth + 1)}" for k, v in value.items()) + "}"
    if isinstance(value, tuple | list):
        inside = ", ".join(_said(v, depth + 1) for v in value)
        return f"({inside})" if isinstance(value, tuple) else f"[{inside}]"
    parameters = parameters_of(value)
    if parameters is None and _says_nothing(value) and depth < 5:
        parameters = dict(getattr(value, "__dict__", {}))
    if parameters is None:
        return ADDRESS.sub("", repr(value))
    return f"{_path(type(value))}({', '.join(f'{k}={_said(v, depth + 1)}' for k, v in sorted(parameters.items()))})"


def learner_repr(value: Any) -> str:
    """A learner as it is written: its class and what is not as it comes.

    >>> learner_repr({0.1: int, 0.9: len})
    '{0.1: int, 0.9: len}'
    """
    if isinstance(value, type) or is_function(value):
        return str(value.__name__)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k!r}: {learner_repr(v)}" for k, v in value.items()) + "}"
    if isinstance(value, tuple):
        return "(" + ", ".join(map(learner_repr, value)) + (",)" if len(value) == 1 else ")")
    if isinstance(value, list):
        return "[" + ", ".join(map(learner_repr, value)) + "]"
    parameters = parameters_of(value)
    if parameters is None:
        return ADDRESS.sub("", repr(value))
    usual = _usual(type(value))
    words = [f"{k}={learner_repr(v)}" for k, v in parameters.items() if k not in usual or repr(usual[k]) != repr(v)]
    return f"{type(value).__name__}({', '.join(words)})"


def parameters_of(value: Any) -> dict[str, Any] | None:
    """The parameters an object says it has (``get_params``), or None."""
    if isinstance(value, Word | type) or not callable(getattr(value, "get_params", None)):
        return None
    try:
        return dict(value.get_params(deep=False))
    except TypeError:
        return dict(value.get_params())


def learner_mistakes(name: str, learner: object, may_be_empty: str | None, fail: Callable[[str, str], Mistake]) -> list[Mistake]:
    """What is wrong with a learner. ``may_be_empty`` names a column that may be empty; ``fail`` makes a mistake on the learner's line."""
    if isinstance(learner, Mapping):
        levels = list(learner)
        if not levels or not all(isinstance(q, float) and 0 < q < 1 for q in levels):
            return [
                fail(f"{name}: a dict of learners has one for each quantile, between 0 and 1.", "Say learner={0.1: …, 0.5: …, 0.9: …}.")
            ]
        return [m for one in learner.values() for m in learner_mistakes(name, one, may_be_empty, fail)][:1]
    if isinstance(learner, type):
        what = f"{name}: the learner is the class {learner.__name__}, not one of its objects."
        return [fail(what, f"Say learner={learner.__name__}().")]
    if is_function(learner):
        if getattr(learner, "__name__", "") == "<lambda>":
            what = f"{name}: the learner is a lambda, which has no name to be found under again."
            return [fail(what, "Say def learn(rows): … in a module, and learner=learn.")]
        return []
    if isinstance(learner, list | tuple):
        what = f"{name}: learner= names one learner, and this is a {type(learner).__name__} of {len(learner)}; a turn learns one candidate."
        return [fail(what, f"Say one of them here; others are tested beside it by everloop admit FILE --model {name}.")]
    if not callable(getattr(learner, "fit", None)):
        what = f"{name}: the learner, {learner_repr(learner)}, cannot fit."
        return [fail(what, "Say an object with fit and predict, or a function of the training rows.")]
    if not can_answer(learner) and not hasattr(learner, "steps"):
        return [fail(f"{name}: the learner, {learner_repr(learner)}, cannot predict.", "Say an object with fit and predict.")]
    if may_be_empty is not None and refuses_empty(learner):
        called = type(learner).__name__
        cure = f"Say learner=make_pipeline(SimpleImputer(), {called}(…)), or take a learner that does."
        return [fail(f"{name}: {called} takes no empty values, and {may_be_empty} may be empty.", cure)]
    return []


BOOSTERS = {"lightgbm": "LGBM", "xgboost": "XGB", "sklearn": "HistGradientBoosting"}


def grows(learner: object) -> bool:
    """Whether a learner grows trees one after another, and can add some to those another one has grown.

    >>> from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
    >>> grows(HistGradientBoostingRegressor()), grows(RandomForestRegressor())
    (True, False)
    """
    kind = type(learner)
    return kind.__name__.startswith(BOOSTERS.get(kind.__module__.split(".")[0], "-"))


def no_such_settings(learner: object, names: Iterable[str]) -> list[tuple[str, tuple[str, ...]]]:
    """Which of these settings a learner of scikit-learn has not, each with those it has; what others take only they know.

    >>> from sklearn.linear_model import Ridge
    >>> [name for name, _ in no_such_settings(Ridge(), ["alpha", "depth"])]
    ['depth']
    """
    if not type(learner).__module__.startswith("sklearn."):
        return []
    known = tuple(learner.get_params(deep=True))  # type: ignore[attr-defined]
    return [(name, known) for name in names if name not in known]


def refuses_empty(learner: Any) -> bool:
    """Whether a bare estimator's own tag says it takes no empty values; one made of others is only told at its first fit."""
    parameters = parameters_of(learner)
    tags = getattr(learner, "__sklearn_tags__", None)
    if parameters is None or not callable(tags) or any(hasattr(part, "fit") for part in parameters.values()):
        return False
    if any(isinstance(part, list) and part and isinstance(part[0], tuple) for part in parameters.values()):
        return False
    try:
        return not tags().input_tags.allow_nan
    except Exception:  # a stranger's tags may fail in any way; then the first fit will tell
        return False


def _says_nothing(value: object) -> bool:
    saying: object = type(value).__repr__
    return saying is object.__repr__


def _usual(kind: type) -> dict[str, Any]:
    try:
        given = inspect.signature(kind).parameters
    except (TypeError, ValueError):
        return {}
    return {name: p.default for name, p in given.items() if p.default is not inspect.Parameter.empty}


def _path(kind: type) -> str:
    return kind.__name__ if kind.__module__ == "builtins" else f"{_module(kind)}.{kind.__qualname__}"


def _module(value: Any) -> str:
    # A project file is loaded under a name made from its path, or run as __main__; who it is must not depend on where it lies.
    return PROJECT_FILE.sub("project", str(value.__module__))


def _source_hash(function: Any) -> str:
    try:
        return identity(inspect.getsource(function))
    except (OSError, TypeError):
        code = getattr(function, "__code__", None)
        return identity(*((code.co_code.hex(), code.co_names, ADDRESS.sub("", repr(code.co_consts))) if code else (repr(function),)))
