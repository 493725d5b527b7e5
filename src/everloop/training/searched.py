"""What a search found: the settings a candidate is learnt with, and how it came to them; as sentences, as data, and back from data."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from everloop.errors import EverloopError
from everloop.project.learner import learner_repr, learner_said, parameters_of
from everloop.project.model import Model
from everloop.stats.rounded import figure


@dataclass(frozen=True)
class Searched:
    """What a search found. ``settings`` are to be set on the learner; none: it does best as declared, or nothing could be tried (``why``).

    ``tried`` counts settings beside the learner as declared, ``seconds`` what trying them took. ``best`` and ``declared`` are the measure's
    mean over the folds, with the settings found and with none.
    """

    settings: Mapping[str, object] = field(default_factory=dict)
    tried: int = 0
    given_up: int = 0
    failed: int = 0
    folds: int = 0
    measure: str = ""
    best: float | None = None
    declared: float | None = None
    seconds: float = 0.0
    why: str | None = None

    @property
    def sentence(self) -> str:
        """How the settings were found, as a card says it.

        >>> Searched({"depth": 4}, tried=40, folds=3, measure="wape", best=0.2, declared=0.25).sentence
        'depth=4, the best of 40 settings on 3 folds of the past: wape 0.200 against 0.250 as declared'
        """
        if self.why is not None:
            return f"as declared, since {self.why}"
        many = f"{self.tried:,} setting{'' if self.tried == 1 else 's'} on {self.folds} fold{'' if self.folds == 1 else 's'} of the past"
        found = "" if self.best is None else f": {self.measure} {figure(self.best)}"
        if not self.settings:
            return f"as declared, which does best beside {many}{found}"
        against = "" if self.declared is None else f" against {figure(self.declared)} as declared"
        return f"{', '.join(f'{k}={v!r}' for k, v in sorted(self.settings.items()))}, the best of {many}{found}{against}"


def learner_with(learner: object, found: Searched | None) -> str:
    """A learner as it is written, and the settings it learnt with.

    >>> learner_with(len, Searched(why="1 row is too few"))
    'len (as declared, since 1 row is too few)'
    """
    return learner_repr(learner) if found is None else f"{learner_repr(learner)} ({found.sentence})"


def parameters_said(learner: object, found: Searched | None = None) -> str:
    """A learner's identity, parameters and searched settings as JSON; where there was a search, what it found.

    >>> parameters_said({0.5: 1})
    '{"identity":"{0.5: 1}","parameters":{},"settings":{}}'
    """
    parameters = parameters_of(learner) or {}
    said: dict[str, Any] = {
        "identity": learner_said(learner),
        "parameters": {k: repr(v) for k, v in sorted(parameters.items())},
        "settings": {k: repr(v) for k, v in sorted((found.settings if found else {}).items())},
    }
    if found is not None:
        said["search"] = {f.name: getattr(found, f.name) for f in fields(found) if f.name != "settings"}
    return json.dumps(said, separators=(",", ":"), ensure_ascii=False)


def searched_in(model: Model, parameters: str) -> Searched | None:
    """What ``parameters_said`` says of a search; None where there was none. Raises EverloopError for a setting that can no more be read."""
    told = json.loads(parameters)
    if "search" not in told:
        return None
    return Searched(settings={name: _setting(model, name, text) for name, text in told["settings"].items()}, **told["search"])


def _setting(model: Model, name: str, text: str) -> object:
    values = model.tune.ranges.get(name) if model.tune is not None else None
    for value in values if isinstance(values, list) else ():
        if repr(value) == text:
            return value
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        raise EverloopError(
            f"{model.name} was learnt with {name}={text}, which search(…) no longer names. Say {name}=[…] with it again."
        ) from None
