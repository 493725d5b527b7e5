"""The reader of pages is imported by name, wherever pytest is started."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

spec = spec_from_file_location("everloop_pages", Path(__file__).with_name("pages.py"))
assert spec is not None
assert spec.loader is not None
sys.modules["everloop_pages"] = module_from_spec(spec)
spec.loader.exec_module(sys.modules["everloop_pages"])
