# ruff: noqa: N803 — X is what learners call it
"""A model in ONNX: a graph of sums anybody can read, no pickle. In: the bytes of an ``.onnx`` file. Out: an object that answers.

onnxruntime is imported only when an answer is asked for. It answers with one thread, and is given nothing but the bytes.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from everloop.errors import ArtefactBroken, LearnerFailed, Missing
from everloop.stats.shapes import Floats

NUMBERS: dict[str, Any] = {"tensor(float)": np.float32, "tensor(double)": np.float64}


NOWHERE = os.devnull
"""A folder without files: what a graph says lies beside it is not there."""


@dataclass(frozen=True)
class Onnx:
    """A graph from one row of numbers to one answer. ``classes_`` is empty unless it is a classifier.

    The graph takes all features as one tensor (rows, columns), or one tensor (rows, 1) for each, named as the feature; float or double.
    The answer is its last output that holds numbers: (rows,), (rows, 1) or (rows, classes).
    """

    body: bytes = field(repr=False)
    columns: tuple[str, ...]
    classes_: tuple[str | float, ...] = ()

    @cached_property
    def session(self) -> Any:
        """The graph as onnxruntime holds it. Raises ArtefactBroken where the bytes are none."""
        try:
            import onnxruntime
        except ImportError:
            raise Missing("onnxruntime", "onnx", "This version's artefact") from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        try:
            # Weights beside the graph would be looked for in the working directory, whose files are none of its business.
            options.add_session_config_entry("session.model_external_initializers_file_folder_path", NOWHERE)
            return onnxruntime.InferenceSession(self.body, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's errors have no common name but this
            why = str(error).splitlines()[0][:200]
            raise ArtefactBroken(f"onnxruntime cannot read this graph: {why} Export it again, or restore a backup.") from error

    @cached_property
    def names(self) -> tuple[str, ...] | None:
        """The features the graph names, in order: its inputs, or ``columns`` (a JSON list) among its properties; None if it does not."""
        inputs = self.session.get_inputs()
        if len(inputs) > 1:
            given = tuple(one.name for one in inputs)
            # Each is given by its name, so their order is nobody's business.
            return self.columns if sorted(given) == sorted(self.columns) else given
        said = self.session.get_modelmeta().custom_metadata_map.get("columns")
        if said is None:
            return None
        try:
            return tuple(msgspec.json.decode(said, type=list[str]))
        except msgspec.DecodeError as error:
            raise LearnerFailed(f"The columns this graph names are no JSON list of names: {error}.") from error

    @cached_property
    def takes(self) -> int | None:
        """How many features the graph takes; None where it does not say."""
        inputs = self.session.get_inputs()
        width = len(inputs) if len(inputs) > 1 else (inputs[0].shape or [None])[-1]
        return width if isinstance(width, int) else None

    def predict(self, X: Floats) -> NDArray[np.float64] | NDArray[np.object_]:
        """A number for each row; a classifier's likeliest class."""
        if not self.classes_:
            return self._said(X)
        return np.asarray(np.array(self.classes_, dtype=object)[self.predict_chances(X).argmax(axis=1)])

    def __getattr__(self, name: str) -> Any:
        # Only classifiers have chances: whoever asks hasattr gets the truth.
        if name == "predict_proba" and self.__dict__.get("classes_"):
            return self.predict_chances
        raise AttributeError(name)

    def __getstate__(self) -> dict[str, Any]:
        return {"body": self.body, "columns": self.columns, "classes_": self.classes_}

    def predict_chances(self, X: Floats) -> Floats:
        """The chance of each class (n, classes)."""
        said = self._said(X)
        return np.column_stack([1 - said.reshape(-1), said.reshape(-1)]) if said.ndim == 1 or said.shape[1] == 1 else said

    def _said(self, X: Floats) -> Floats:
        if not isinstance(X, np.ndarray):
            raise LearnerFailed('A graph is fed numbers. Say fed_as="numbers".')
        outputs = [one.name for one in self.session.get_outputs() if one.type in NUMBERS]
        if not outputs:
            kinds = ", ".join(one.type for one in self.session.get_outputs())
            raise LearnerFailed(f"This graph gives {kinds}, and no tensor of numbers. Export it with zipmap=False.")
        said: Floats = np.asarray(self.session.run(outputs[-1:], self._given(X))[0], dtype=np.float64)
        return said

    def _given(self, X: Floats) -> dict[str, NDArray[Any]]:
        inputs = self.session.get_inputs()
        if any(one.type not in NUMBERS for one in inputs):
            raise LearnerFailed(f"This graph takes {', '.join(one.type for one in inputs)}; it must take float or double.")
        if len(inputs) == 1:
            return {inputs[0].name: X.astype(NUMBERS[inputs[0].type])}
        return {one.name: X[:, [self.columns.index(one.name)]].astype(NUMBERS[one.type]) for one in inputs}
