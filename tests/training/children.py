"""How the tests of this folder run something in a child: the helpers are made known there first."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from everloop.training import in_child


def run(fn, *args, **words):
    folder = str(Path(__file__).parent)
    return in_child(fn, *args, first=partial(exec, OPENED.format(folder=folder)), **words)


OPENED = """
import importlib.util, sys
for name, file in (("training_tables", "tables"), ("training_learners", "learners")):
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, f"{folder}/{{file}}.py")
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
"""
