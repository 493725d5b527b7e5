"""The helpers of this folder are imported by name, wherever pytest is started."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path


def _named(name, file):
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(file))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)


_named("everloop_rows", "rows.py")
_named("everloop_disks", "disks.py")
_named("everloop_front", "front.py")

collect_ignore = ["by_granian.py", "killing.py"]  # processes that are started by their path
