"""Opening a project file: plain Python that declares sources and models. Imports the user's file, and nothing else."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from everloop.errors import EverloopError, Mistake, ProjectError, Unknown
from everloop.loop.code import code_of
from everloop.project.mistakes import tell
from everloop.project.model import Model
from everloop.project.refuse import together
from everloop.project.source import Source

NAMED = "everloop_project_"
"""What the name of a project file's module begins with; where it lies follows."""


@dataclass(frozen=True)
class Project:
    """What one project file declares. ``path`` is None for a project put together in code."""

    models: dict[str, Model]
    sources: dict[str, Source]
    path: Path | None = None
    module: str | None = None
    code: str = ""
    """The file and all it brings as one hash, as they were when it was opened; of a project put together in code nothing."""

    def model(self, name: str) -> Model:
        """The model of this name. Raises Unknown, naming those there are."""
        if name not in self.models:
            raise Unknown("model", name, sorted(self.models), where=self.path.name if self.path else "")
        return self.models[name]

    def source(self, name: str) -> Source:
        """The source of this name. Raises Unknown, naming those there are."""
        if name not in self.sources:
            raise Unknown("source", name, sorted(self.sources), where=self.path.name if self.path else "")
        return self.sources[name]


def project_of(*models: Model) -> Project:
    """A project put together in code from these models and every source they read."""
    sources = {source.name: source for model in models for source in model.sources}
    return Project({m.name: m for m in models}, sources)


def open_project(path: Path | str = "project.py") -> Project:
    """The project a file declares: every Model and Source bound to a name in it, and the sources its models read.

    Raises ProjectError with all mistakes of all models, EverloopError where the file is not there or cannot be run.
    """
    path = Path(path).resolve()
    if path.is_dir():
        path = path / "project.py"
    if not path.is_file():
        raise EverloopError(f"There is no project file {path}. Write one with: everloop init shop")
    code, module = code_of(path), _imported(path)
    models: dict[str, Model] = {}
    sources: dict[str, Source] = {}
    for value in vars(module).values():
        if isinstance(value, Model):
            _only_once(models, value, path)
            models[value.name] = value
        elif isinstance(value, Source) and not value.rows:
            _only_once(sources, value, path)
            sources[value.name] = value
    for model in models.values():
        _bound(models, model)
        for source in model.sources:
            sources.setdefault(source.name, source)
    return Project(models, sources, path, module.__name__, code)


def _imported(path: Path) -> ModuleType:
    """The file as a module under a name of its own, so that functions in it can be found again from a child process."""
    name = NAMED + hashlib.sha256(str(path).encode()).hexdigest()[:8]
    _moved.now_at(name)
    if (folder := str(path.parent)) not in sys.path:
        sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise EverloopError(f"{path} is no Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with together():
            spec.loader.exec_module(module)
    except EverloopError:
        raise
    except SyntaxError as error:
        raise ProjectError([Mistake(str(path), error.lineno or 1, f"this is no Python: {error.msg}.")]) from error
    except Exception as error:
        raise EverloopError(f"{path.name} could not be read: {type(error).__name__}: {error}") from error
    return module


class _Moved(MetaPathFinder, Loader):
    """Finds the project file opened last by the name it had wherever else it lay: versions learnt there say where their classes are."""

    def __init__(self) -> None:
        self._here: str | None = None

    def now_at(self, name: str) -> None:
        """The project file is opened under this name; what was found of an earlier one is forgotten."""
        self._here = name
        if self not in sys.meta_path:
            sys.meta_path.append(self)
        for other, module in sys.modules.copy().items():  # at one go: a list of pairs may meet an import of a finalizer
            if other.startswith(NAMED) and getattr(module, "__name__", other) != other:
                del sys.modules[other]

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        here = self._here in sys.modules and name != self._here and name.startswith(NAMED)
        return ModuleSpec(name, self) if here else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        assert self._here is not None
        return sys.modules[self._here]

    def exec_module(self, module: ModuleType) -> None:
        pass


_moved = _Moved()


def _only_once(named: Mapping[str, Model | Source], value: Model | Source, path: Path) -> None:
    other = named.get(value.name)
    if other is not None and other is not value:
        noun = "models" if isinstance(value, Model) else "sources"
        what = f"two {noun} are called {value.name!r}."
        raise ProjectError(
            [Mistake(str(path), value.place.line, what, f"Give one of them another name; the other is at line {other.place.line}.")]
        )


def _bound(models: Mapping[str, Model], model: Model) -> None:
    other = model.leans_on
    if other is not None and models.get(other.name) is not other:
        what = f"{model.name} leans on {other.name}, which is bound to no name in this file, so nobody turns it."
        raise ProjectError([tell(model, what, f"Bind it: {other.name} = Model({other.name!r}, …)", "baseline")])
