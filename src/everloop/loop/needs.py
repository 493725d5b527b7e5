"""What a project needs where it is taken: told by its files alone. In: a project file and a stage. Out: one record. No store is opened, and
no secret has to be at hand."""

from __future__ import annotations

import os
import sys
from functools import partial
from importlib.metadata import packages_distributions, version
from pathlib import Path

from everloop.connect.cloud.needs import Needs
from everloop.errors import EverloopError
from everloop.loop.code import bodies_of, imported_by
from everloop.loop.project_file import open_project
from everloop.settings import Settings, read_settings, secrets_of
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
    """What this project needs. Secrets that are not at hand are stood in for.

    Raises EverloopError where a file it imports is of no package that is installed here, and what the project and its settings raise.
    """
    found = opened(partial(open_project, project))
    assert found.path is not None
    folder = found.path.parent
    secrets = secrets_of(folder, stage=stage or None)
    environ = {**dict.fromkeys(secrets, "stand-in"), **os.environ}
    settings = read_settings(folder, stage=stage or None, house=house, environ=environ)
    imported = sorted(imported_by(found.path))
    extras = {LEARNERS[name] for name in imported if name in LEARNERS} | set(_extras(settings))
    others = [name for name in imported if name not in (*LEARNERS, *_CORE) and name not in sys.stdlib_module_names]
    return Needs(
        name=folder.name,
        stage=settings.stage or "",
        models=tuple(sorted(found.models)),
        settings=settings,
        secrets=secrets,
        extras=tuple(sorted(extras)),
        packages=tuple(_pinned([*others, *(name for name in imported if name in LEARNERS)], found.path)),
        files=tuple(bodies_of(found.path)),
    )


_CORE = ("everloop", "numpy", "scipy", "sklearn", "pyarrow", "duckdb", "msgspec", "httpx", "starlette", "jinja2")
"""What is there wherever Everloop is; versions that matter to a learner are in its artefact's record."""


def _extras(said: Settings) -> list[str]:
    found = [
        extra for begins, extra in (("postgresql:", "postgres"),) if said.registry.startswith(begins) or said.events.startswith(begins)
    ]
    found += ["redis"] if said.online is not None else []
    executor = (said.executor.url or "").split(":")[0].split("+")[0]
    found += [executor] if executor in ("ray", "dask") else []
    found += ["streams"] if said.streams or (said.shopify is not None and said.shopify.streams is not None) else []
    found += ["shopify"] if said.shopify is not None else []
    found += ["opentelemetry"] if said.serving.traces else []
    found += ["granian"] if said.serving.server == "granian" else []
    return found + (["signing"] if said.signing.key is not None else [])


def _pinned(modules: list[str], project: Path) -> list[str]:
    """The packages that hold these modules, each at the version that is installed here."""
    there, pins = packages_distributions(), set[str]()
    for module in modules:
        if module not in there:
            raise EverloopError(
                f"{project.name} imports {module}, which is of no package that is installed here: nobody can say what to install. "
                "Install it here, or put it beside the project file."
            )
        name = there[module][0]
        pins.add(f"{name}=={version(name)}")
    return sorted(pins, key=str.lower)
