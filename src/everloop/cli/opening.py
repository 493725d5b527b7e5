"""The house a verb works in, opened whole or without what a verb that learns nothing never needs."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from everloop.loop.house import House
    from everloop.project.model import Model


def open_whole(project: Path, house: Path | None, stage: str) -> House:
    """The house for a verb that learns or answers; how far long work is is told on stderr."""
    from dataclasses import replace

    from everloop.loop.house import open_house

    return replace(open_house(project, folder=house, stage=stage or None), told=partial(typer.echo, err=True))


def open_light(project: Path, house: Path | None, stage: str) -> House:
    """The house for a verb that learns and answers nothing: the libraries the project learns with are not loaded."""
    from everloop.loop.house import open_house
    from everloop.loop.project_file import open_project
    from everloop.loop.serve.lean import without_pandas
    from everloop.training.stand_in import opened

    without_pandas()
    return open_house(opened(partial(open_project, project)), folder=house, stage=stage or None)


def models_of(opened: House, name: str | None) -> list[Model]:
    """The model of that name, or all of them."""
    return [opened.project.model(name)] if name else list(opened.project.models.values())
