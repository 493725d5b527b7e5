"""What a learner's own calls of MLflow say, caught in a folder while it learns, so that a server that is down holds up nobody.

In: a folder. Out: parameters, figures, tags and files. Nothing of MLflow is imported unless the learner has: its client is told by the
environment to write to the folder, in the layout of its file store (``EXPERIMENT/RUN/{params,metrics,tags,artifacts}/NAME``).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

TOLD = {"MLFLOW_ALLOW_FILE_STORE": "true", "MLFLOW_RUN_ID": None, "MLFLOW_EXPERIMENT_NAME": None, "MLFLOW_EXPERIMENT_ID": None}
MOST = 1 << 30
"""Bytes of one file of a learner that goes on to a server, at most."""


@dataclass(frozen=True)
class Said:
    """What was said in whatever runs it began; ``metrics`` are (name, value, milliseconds, step), ``files`` lie where they were put."""

    params: Mapping[str, str] = field(default_factory=dict)
    metrics: tuple[tuple[str, float, int, int], ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Path] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.params or self.metrics or self.tags or self.files)


@contextmanager
def caught(folder: Path) -> Iterator[None]:
    """While this is open, MLflow's client writes to ``folder`` unless the learner tells it otherwise."""
    folder.mkdir(parents=True, exist_ok=True)
    told = TOLD | {"MLFLOW_TRACKING_URI": folder.absolute().as_uri()}
    before = {name: os.environ.get(name) for name in told}
    _tell(told)
    try:
        yield
    finally:
        if (client := sys.modules.get("mlflow")) is not None:
            with suppress(Exception):  # a learner's run must not go on into the next one's
                client.end_run()
        _tell(before)
        with suppress(OSError):
            folder.rmdir()  # nothing was said


@contextmanager
def unheard(mirrored: bool) -> Iterator[None]:
    """While this is open in a house that is ``mirrored``, what is said to MLflow is let go: what learns beside a turn has no run there."""
    if not mirrored:
        yield
        return
    with TemporaryDirectory() as folder, caught(Path(folder) / "said"):
        yield


def said_in(folder: Path) -> Said:
    """What was said into a folder; nothing where there is none."""
    params: dict[str, str] = {}
    tags: dict[str, str] = {}
    metrics: list[tuple[str, float, int, int]] = []
    files: dict[str, Path] = {}
    for run in sorted(path.parent for path in folder.glob("*/*/meta.yaml") if path.parent.parent.name != "models"):
        params |= {name: _text(path) for name, path in _below(run / "params")}
        tags |= {name: _text(path) for name, path in _below(run / "tags") if not name.startswith("mlflow.")}
        for name, path in _below(run / "metrics"):
            metrics += [(name, *point) for line in _text(path).splitlines() if (point := _point(line)) is not None]
        files |= {name: path for name, path in _below(run / "artifacts") if path.stat().st_size <= MOST}
    return Said(params, tuple(metrics), tags, files)


def _tell(words: Mapping[str, str | None]) -> None:
    for name, value in words.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _below(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield path.relative_to(folder).as_posix(), path


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace").rstrip("\n")


def _point(line: str) -> tuple[float, int, int] | None:
    """A line of a metric's file: milliseconds, value, step."""
    words = line.split()
    try:
        return float(words[1]), int(words[0]), int(words[2]) if len(words) > 2 else 0
    except (IndexError, ValueError):
        return None
