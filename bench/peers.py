"""Peers: other tools, each in an environment of its own, for benches and slow tests. In: a name. Out: the path of its Python.

What is in it is pinned with hashes in ``requirements/NAME.txt``; it is made in ``.tools/NAME`` when it is first asked for, and anew when
the pins change. Nothing of it is ever imported here: a peer runs as a process.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".tools"


def environment(name: str) -> Path:
    """The Python of ``.tools/NAME``, with exactly what ``requirements/NAME.txt`` pins; ``.parent`` has its commands.

    Made once; whoever asks meanwhile waits. Raises FileNotFoundError where nothing is pinned under that name, CalledProcessError where the
    package index cannot be reached or gives other bytes.
    """
    pins = ROOT / "requirements" / f"{name}.txt"
    wanted = hashlib.sha256(pins.read_bytes() + sys.version.encode()).hexdigest()
    folder = TOOLS / name
    python, stamp = folder / "bin" / "python", folder / ".made"
    TOOLS.mkdir(exist_ok=True)
    with (TOOLS / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != wanted:
            venv.create(folder, clear=True, with_pip=True)
            pip = (str(python), "-m", "pip", "--disable-pip-version-check", "--quiet", "install", "--require-hashes")
            subprocess.run([*pip, "-r", str(pins)], check=True, env=apart())
            stamp.write_text(wanted)
    return python


def apart() -> dict[str, str]:
    """The surroundings of a peer's process: nothing of the environment this one runs in, and nobody is told that it runs."""
    mine = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV", "PYTHONHOME")}
    return mine | {"FEAST_USAGE": "False", "DVC_NO_ANALYTICS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
