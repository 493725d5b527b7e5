"""What ``mlflow.pyfunc.load_model`` loads of a version that was mirrored: the same artefact, which answers as it does here.

MLflow calls ``_load_pyfunc`` in whatever process it is asked; pandas is there, since MLflow asks by data frames. The only file that imports
it for MLflow. Without a house: the version's one file is all there is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from everloop.errors import EverloopError
from everloop.registry.one_file import unpacked
from everloop.stats.shapes import Answers
from everloop.training.artefact import load
from everloop.training.baseline import load_baseline
from everloop.training.golden import check_golden
from everloop.training.predictor import Answering


class Version:
    """One version, asked by rows of its features."""

    def __init__(self, name: str, answering: Answering) -> None:
        self.name, self.answering = name, answering

    def predict(self, rows: Any, params: dict[str, Any] | None = None) -> Any:
        """One answer for each row (for each ``question`` of lists): numbers and chances as an array, all else as a data frame.

        ``rows``: a data frame, or what makes one, with the version's columns. Raises EverloopError where one is missing.
        """
        import pandas as pd

        frame = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(rows)
        missing = [name for name in self.answering.columns if name not in frame.columns]
        if missing:
            raise EverloopError(f"{self.name} is asked by {', '.join(self.answering.columns)}; there is no {', '.join(missing)}.")
        answers = self.answering.answer(pa.Table.from_pandas(frame, preserve_index=False))
        return _told(answers)


def _load_pyfunc(path: str) -> Version:
    carried = unpacked(Path(path).read_bytes(), Path(path).name)
    candidate = carried.candidate
    if candidate.format == "baseline":
        return Version(carried.version.name, load_baseline(candidate, lambda _: carried.artefact))
    made = load(candidate, lambda _: carried.artefact)
    if carried.golden is not None:
        check_golden(made, carried.golden, where=carried.version.name)
    return Version(carried.version.name, made)


def _told(answers: Answers) -> Any:
    import pandas as pd

    shape = answers.shape
    if shape.kind in ("number", "chance"):
        return answers.value
    if shape.kind == "ranking":
        return pd.DataFrame({"items": [list(one) for one in answers.items or ()], "scores": [list(one) for one in answers.scores or ()]})
    return pd.DataFrame(answers.values, columns=list(shape.labels) or [f"{level:g}" for level in shape.levels])
