"""The house behind Ray Serve. Written by everloop export rayserve; it is yours to change.

Beside it lie the project (``project.py`` and what it imports) and ``everloop.toml``: in the image, or by Ray's ``working_dir``.
"""

from pathlib import Path

from everloop.loop.serve.hosted import ray_app

app = ray_app(Path(__file__).with_name("project.py"), stage="")
