"""The helpers of this folder are imported by name, wherever pytest is started; houses are those of the ring."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from tests.ring.conftest import asking, begun, kept, opened, prepared, rolling

__all__ = ["asking", "begun", "kept", "opened", "prepared", "rolling"]


def _named(name, file):
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(file))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)


_named("everloop_shops", "shops.py")
