"""Stand-ins for libraries that only learn: a project file can be read where nobody trains, without loading what it would train with.

In: whatever opens a project file. Out: what it opens, with learners that can be named and not used. A file that does more with a library
than name it is opened for real, and so is every file as soon as somebody asks for ``really``.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")
LIBRARIES = frozenset(
    {
        "catboost", "imblearn", "keras", "lightgbm", "pandas", "prophet", "scipy", "sklearn", "skops", "statsmodels", "tensorflow", "torch",
        "xgboost",
    }
)  # fmt: skip
"""Where a stand-in would be found out by anything but its name, the file is opened for real: so this may hold more than learners."""

_opened: list[Callable[[], Any]] = []
_new: set[str] = set()
_lock = threading.RLock()


class _Named(type):
    """What stands for a class, a function or a part of a library: whatever is asked of it is one more."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        made = _Named(name, (Stand,), {"__module__": f"{cls.__module__}.{cls.__name__}"})
        setattr(cls, name, made)
        return made


class Stand(metaclass=_Named):
    """What stands for an object of a library: it can be made and named, and learns and answers nothing."""

    def __init__(self, *said: object, **words: object) -> None:
        pass

    def fit(self, *said: object, **words: object) -> NoReturn:
        """Raises RuntimeError: nobody trains here."""
        raise RuntimeError(f"{type(self).__name__} only stands for a learner here. Train in the controller: everloop turn")

    predict = fit


class _Library(ModuleType):
    __path__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        made = _Named(name, (Stand,), {"__module__": self.__name__})
        setattr(self, name, made)
        return made


class _Finds(MetaPathFinder, Loader):
    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        return ModuleSpec(name, self, is_package=True) if name.split(".")[0] in LIBRARIES else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Library(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        pass


def opened(open: Callable[[], T]) -> T:
    """What ``open`` gives, with stand-ins for libraries that are not loaded yet; for real where that cannot be done.

    >>> opened(lambda: 3)
    3
    """
    if any(name in sys.modules for name in ("sklearn", "pandas")):
        return open()
    with _lock:
        before = set(sys.modules)
        try:
            with _standing_in():
                made = open()
        except Exception:
            _forget(set(sys.modules) - before)
            return open()
        _new.update(_touched(set(sys.modules) - before))
        _opened.append(open)
        return made


def really() -> Any:
    """Have done with stand-ins: what was opened last is opened again for real, and given; None where nothing stands in for anything."""
    with _lock:
        if not _opened:
            return None
        _forget(_new)
        _new.clear()
        files = list(_opened)
        _opened.clear()
        return [open() for open in files][-1]


def is_stand_in(value: object) -> bool:
    """Whether it only stands for something.

    >>> is_stand_in(Stand()), is_stand_in(3)
    (True, False)
    """
    return isinstance(value, Stand | _Library | _Named)


@contextmanager
def _standing_in() -> Iterator[None]:
    finder = _Finds()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name, module in sys.modules.items() if isinstance(module, _Library)]:
            del sys.modules[name]


def _touched(names: set[str]) -> set[str]:
    """The modules among these that hold a stand-in, or something of a module that does."""
    found: set[str] = set()
    while True:
        more = {name for name in names - found if (module := sys.modules.get(name)) is not None and _holds(module, found)}
        if not more:
            return found
        found |= more


def _holds(module: ModuleType, found: set[str]) -> bool:
    values = list(vars(module).values())
    return any(is_stand_in(v) or getattr(v, "__module__", None) in found or getattr(v, "__name__", None) in found for v in values)


def _forget(names: set[str]) -> None:
    for name in _touched(names):
        sys.modules.pop(name, None)
