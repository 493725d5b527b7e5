"""What a project needs where it is taken: told by its files alone. In: a project file and a stage. Out: one record. No store is opened, and
no secret has to be at hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from importlib.metadata import version
from pathlib import Path

from everloop.connect.cloud.needs import Needs
from everloop.connect.needed import asked_settings, extras_of, packages_of
from everloop.errors import EverloopError
from everloop.loop.code import bodies_of, imported_by
from everloop.loop.project_file import open_project
from everloop.settings import Settings
from everloop.training.stand_in import opened

LEARNERS = {
    "lightgbm": "lightgbm",
    "xgboost": "xgboost",
    "statsforecast": "forecast",
    "pandas": "pandas",
    "river": "river",
    "optuna": "tune",
}
"""The extra that brings a library which project files import."""


def needs_of(project: Path, *, stage: str = "", house: Path | None = None) -> Needs:
    """What this project needs. No secret is read.

    Raises EverloopError where a file it imports is of no package that is installed here, and what the project and its settings raise.
    """
    found = opened(partial(open_project, project))
    assert found.path is not None
    folder = found.path.parent
    settings, secrets = asked_settings(folder, stage, house)
    imported = imported_by(found.path)
    packages = {module: package for module, package in packages_of(imported).items() if module not in _CORE}
    learnt_with = {LEARNERS[module] for module in packages if module in LEARNERS}
    return Needs(
        name=folder.name,
        stage=settings.stage or "",
        models=tuple(sorted(found.models)),
        settings=settings,
        secrets=secrets,
        extras=tuple(sorted({*learnt_with, *extras_of(found.models.values(), settings), *_door(settings)})),
        packages=tuple(_pinned(packages, imported)),
        files=tuple(bodies_of(found.path)),
    )


_CORE = ("numpy", "scipy", "sklearn", "pyarrow", "duckdb", "msgspec", "httpx", "starlette", "jinja2")
"""What is there wherever Everloop is; versions that matter to a learner are in its artefact's record."""


def _door(said: Settings) -> Iterator[str]:
    """What a shop's door is installed with, which no cluster runs."""
    if said.shopify is not None:
        yield "shopify"
        if said.shopify.streams is not None:
            yield "streams"


def _pinned(packages: Mapping[str, str | None], imported: Mapping[str, str]) -> list[str]:
    """The packages that hold these modules, each at the version that is installed here."""
    for module, package in packages.items():
        if package is None:
            raise EverloopError(
                f"{imported[module]} imports {module}, which is of no package that is installed here: nobody can say what to install. "
                "Install it here, or put it beside the project file."
            )
    return sorted({f"{package}=={version(package)}" for package in packages.values() if package is not None}, key=str.lower)
