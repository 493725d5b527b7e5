"""Weights & Biases: one version as a run in its offline directory, which ``wandb sync`` sends later. The only file that imports wandb.

In: plain data and bytes. Out: a folder ``wandb/offline-run-…``, written by the client's own service, which asks no network. Source:
Weights & Biases, "Run offline", https://docs.wandb.ai/models/support/run_wandb_offline. Absent: clock, house.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from everloop.errors import EverloopError, Missing


def write(
    folder: Path,
    *,
    project: str,
    id: str,
    name: str,
    about: str,
    config: Mapping[str, Any],
    figures: Mapping[str, float],
    tags: Sequence[str],
    files: Mapping[str, bytes],
) -> Path:
    """Write a run of this id, with its figures as summary and its files as one artifact of type ``model``; the run's folder.

    Raises Missing without the library, EverloopError where its client cannot write there.
    """
    try:
        import wandb
    except ImportError as error:
        raise Missing("wandb", "wandb", "everloop export wandb") from error

    folder.mkdir(parents=True, exist_ok=True)
    quiet = wandb.Settings(silent=True, console="off", disable_git=True, disable_code=True, x_disable_stats=True, x_disable_meta=True)
    try:
        run = wandb.init(
            project=project, id=id, name=name, notes=about, config=dict(config), tags=[tag[:64] for tag in tags], dir=folder,
            mode="offline", reinit="create_new", settings=quiet,
        )  # fmt: skip
        where = Path(run.dir).parent
        run.summary.update(dict(figures))
        with tempfile.TemporaryDirectory() as beside:
            model = wandb.Artifact(project, type="model", description=about[:1000])
            for path, body in files.items():
                (Path(beside) / path).write_bytes(body)
                model.add_file(str(Path(beside) / path), name=path)
            run.log_artifact(model, aliases=[name.replace("@", "-")])
            run.finish()
    except (wandb.Error, OSError, ValueError) as error:
        raise EverloopError(f"Weights & Biases could not write to {folder}: {error}. Nothing of the house was changed.") from error
    return where
