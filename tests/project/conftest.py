"""``load(name)``: a project file of tests/project/files, read as a person would write it; what it imports has stand-ins beside it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

FILES = Path(__file__).parent / "files"
STAND_INS = {"everloop.connect.shopify": "shopify_stand_in.py", "everloop.connect.mlflow": "mlflow_stand_in.py"}
collect_ignore_glob = ["files/*"]


@pytest.fixture(scope="session")
def load() -> Callable[[str], ModuleType]:
    return cache(_load)


def _load(name: str) -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(FILES), *sys.path])
        for module, file in STAND_INS.items():
            patch.setitem(sys.modules, module, _run(FILES / file, module))
        return _run(FILES / f"{name}.py", name)


def _run(file: Path, name: str) -> ModuleType:
    spec = spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
