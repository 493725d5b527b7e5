"""A model trained elsewhere becomes a candidate: a skops, joblib, LightGBM, XGBoost or ONNX file. In: a file's bytes. Out: a Candidate.

joblib is pickle: its bytes run whatever code is in them, so they are read only where the caller says ``trust=True``, and the record says
so.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from everloop.errors import ArtefactBroken, LearnerFailed, Unknown
from everloop.project.model import Model
from everloop.records import Candidate, Shape, TrainingSet, identity
from everloop.stats.shapes import Answers
from everloop.training.artefact import dump, thawed, unframed
from everloop.training.boosted import Boosted
from everloop.training.environment import Environment
from everloop.training.fit import alone
from everloop.training.golden import answered_alone, golden_rows, write_golden
from everloop.training.onnxed import Onnx
from everloop.training.predictor import Fitted, Predictor
from everloop.training.rows import learnable, shape_of
from everloop.training.train import feed_for, refuse_no_answers
from everloop.training.xgboosted import XGBoosted

ENDINGS = (".skops", ".joblib", ".txt", ".ubj", ".onnx")


def admit(
    model: Model,
    file: Path,
    table: pa.Table,
    training_set: TrainingSet,
    *,
    id: str,
    now: datetime,
    save: Callable[[bytes], str],
    trust: bool | Collection[str] = False,
    environment: Environment | None = None,
    allow_pickle: bool = False,
) -> Candidate:
    """A fitted model from a file, as a candidate like any other: it is rehearsed and judged before it answers anybody.

    ``table`` is a training table of the model: its features are what the file's model is asked, and 64 of its rows become golden rows.
    ``trust``: True builds whatever the file asks for; for ``.skops`` it may instead name the types that may be built.
    Raises Unknown for a file that is not there or of another kind, ArtefactBroken for one that cannot or must not be read,
    LearnerFailed where its features are not the model's, or it does not answer.
    """
    if file.suffix not in ENDINGS:
        raise Unknown(
            "kind of model file",
            file.name,
            ENDINGS,
            next="Save it by skops.io.dump, joblib.dump, booster.save_model, or export it to ONNX.",
        )
    try:
        data = file.read_bytes()
    except OSError as error:
        raise Unknown("model file", str(file), next=f"It cannot be read: {error.strerror}.") from error
    learnt = learnable(table, training_set, model.shape)
    if not len(learnt):
        raise LearnerFailed(f"There is no mature row to try {file.name} on. Wait until truths are mature.")
    shape, feed = shape_of(model.shape, learnt), feed_for(model, learnt)
    fitted = alone(_read(file.suffix, data, file.name, trust, Asked(shape, feed.columns)))
    check_features(fitted, feed.columns, file.name)
    predictor = Predictor(shape, feed, fitted)
    golden = golden_rows(learnt, feed.columns)
    answers: Answers = answered_alone(predictor, golden)
    refuse_no_answers(answers, model)
    artefact = dump(predictor, allow_pickle=allow_pickle or trust is True)
    _, body = unframed(artefact.body, file.name)
    thawed(artefact.format, body, artefact.needs, file.name)
    here = environment or Environment()
    return Candidate(
        id=id,
        made_at=now,
        made_from=(training_set.id,),
        model=model.name,
        artefact=save(artefact.body),
        format=artefact.format,
        needs=artefact.needs,
        columns=feed.columns,
        shape=shape,
        learner=f"{type(fitted).__name__} trained elsewhere, loaded from {file.name}" + (", trusted to run code" if trust is True else ""),
        parameters="{}",
        golden=save(write_golden(golden, answers)),
        environment=here.versions,
        commit=here.commit,
        dirty=here.dirty,
        definition=identity(model.said),
        knows=tuple(repr(r) for r in model.knows),
    )


def check_features(fitted: Any, columns: tuple[str, ...], where: str) -> None:
    """Raise LearnerFailed unless the fitted model takes exactly these features, in this order, as far as it can say.

    >>> from sklearn.linear_model import Ridge
    >>> check_features(Ridge().fit([[1.0, 2.0]], [1.0]), ("price",), "ridge.skops")
    Traceback (most recent call last):
    everloop.errors.LearnerFailed: ridge.skops takes 2 features, and the model knows 1: price. ...
    """
    names = _names(fitted)
    if names is not None and tuple(names) != columns:
        raise LearnerFailed(
            f"{where} takes {', '.join(names)}, in this order; the model knows {', '.join(columns)}. Declare knows= as it was trained, "
            "with .named(…)."
        )
    count = _count(fitted)
    if count is not None and int(count) != len(columns):
        raise LearnerFailed(
            f"{where} takes {count} features, and the model knows {len(columns)}: {', '.join(columns)}. Declare knows= as it was trained."
        )


def _count(fitted: Any) -> int | None:
    if isinstance(fitted, Boosted):
        return int(fitted.booster.num_feature())
    if isinstance(fitted, XGBoosted):
        return int(fitted.booster.num_features())
    return fitted.takes if isinstance(fitted, Onnx) else getattr(fitted, "n_features_in_", None)


def _names(fitted: Any) -> list[str] | None:
    if isinstance(fitted, XGBoosted):
        names: list[str] | None = fitted.booster.feature_names
        return names
    if isinstance(fitted, Onnx):
        return None if fitted.names is None else list(fitted.names)
    if isinstance(fitted, Boosted):
        names = [str(n) for n in fitted.booster.feature_name()]
        return None if all(n == f"Column_{i}" for i, n in enumerate(names)) else names
    said = getattr(fitted, "feature_names_in_", None)
    return None if said is None else [str(n) for n in said]


@dataclass(frozen=True)
class Asked:
    """What a model from a file is asked: which features, for an answer of which shape."""

    shape: Shape
    columns: tuple[str, ...]

    @property
    def labels(self) -> tuple[str | float, ...]:
        """What a classifier's answers stand for, in their order; empty where no class is asked for."""
        return (0.0, 1.0) if self.shape.kind == "chance" else self.shape.labels if self.shape.kind == "shares" else ()


def _read(ending: str, data: bytes, where: str, trust: bool | Collection[str], asked: Asked) -> Fitted:
    if ending == ".txt":
        return _boosted(data, where, asked)
    if ending == ".ubj":
        return _xgboosted(data, where, asked)
    if ending == ".onnx":
        return Onnx(data, asked.columns, asked.labels)
    if ending == ".joblib":
        if trust is not True:
            raise ArtefactBroken(
                f"{where} is a joblib file, which is pickle and runs whatever code is in it. Say trust=True (--trust) only if you know "
                "who made it, or save "
                "the model by skops.io.dump."
            )
        import joblib

        try:
            return joblib.load(io.BytesIO(data))
        except Exception as error:
            raise ArtefactBroken(
                f"{where} cannot be loaded: {type(error).__name__}: {error}. Save it with the libraries installed here."
            ) from error
    return thawed("skops", data, _types_in(data) if trust is True else tuple(trust or ()), where)


def _types_in(data: bytes) -> tuple[str, ...]:
    import skops.io

    try:
        return tuple(skops.io.get_untrusted_types(data=data))
    except Exception:  # damaged; thawed says how
        return ()


def _boosted(data: bytes, where: str, asked: Asked) -> Boosted:
    labels = asked.labels
    made = Boosted("LGBMClassifier" if labels else "LGBMRegressor", data.decode("utf-8", errors="replace"), labels)
    _check_outputs(made.booster.num_model_per_iteration(), where, asked)
    return made


def _xgboosted(data: bytes, where: str, asked: Asked) -> XGBoosted:
    made = XGBoosted("XGBClassifier" if asked.labels else "XGBRegressor", data, asked.labels)
    _check_outputs(max(1, int(made.said["learner_model_param"]["num_class"])), where, asked)
    return made


def _check_outputs(count: int, where: str, asked: Asked) -> None:
    if count != (len(asked.labels) if asked.shape.kind == "shares" else 1):
        raise LearnerFailed(f"{where} answers {count} numbers a row, which is no {asked.shape.kind}. Predict what it was trained for.")
