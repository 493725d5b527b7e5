"""Peers: other tools, each in an environment of its own, for benches and slow tests. In: a name. Out: the path of its Python, or of its
packages for Node.

What is in it is pinned with hashes in ``requirements/NAME.txt``, or for Node in ``requirements/NAME/package-lock.json``; it is made in
``.tools/NAME`` when it is first asked for, and anew when the pins change. Nothing of it is ever imported here: a peer runs as a process.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".tools"


def environment(name: str) -> Path:
    """The Python of ``.tools/NAME``, with exactly what ``requirements/NAME.txt`` pins; ``.parent`` has its commands.

    Made once; whoever asks meanwhile waits. Raises FileNotFoundError where nothing is pinned under that name, CalledProcessError where the
    package index cannot be reached or gives other bytes.
    """
    pins = ROOT / "requirements" / f"{name}.txt"
    folder = TOOLS / name
    python = folder / "bin" / "python"
    with _made_once(name, pins.read_bytes() + sys.version.encode()) as make:
        if make:
            venv.create(folder, clear=True, with_pip=True)
            # The pins are all there is: pip alone would ask for pandas[parquet] anew where pandas is pinned.
            pip = (str(python), "-m", "pip", "--disable-pip-version-check", "--quiet", "install", "--require-hashes", "--no-deps")
            subprocess.run([*pip, "-r", str(pins)], check=True, env=apart())
    return python


def node_packages(name: str) -> Path:
    """The folder ``.tools/NAME/node_modules``, with exactly what ``requirements/NAME/package-lock.json`` pins; no script of theirs is run.

    Made once; whoever asks meanwhile waits. Raises FileNotFoundError where nothing is pinned under that name or there is no npm,
    CalledProcessError where the registry cannot be reached or gives other bytes.
    """
    pins = ROOT / "requirements" / name
    folder = TOOLS / name
    with _made_once(name, (pins / "package-lock.json").read_bytes()) as make:
        if make:
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(pins, folder)
            npm = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error")
            subprocess.run(npm, cwd=folder, check=True, env=apart())
    return folder / "node_modules"


@contextmanager
def _made_once(name: str, pinned: bytes) -> Iterator[bool]:
    """Whether ``.tools/NAME`` has to be made for these pins; if nothing is raised meanwhile, it is taken as made. One process at a time."""
    wanted, stamp = hashlib.sha256(pinned).hexdigest(), TOOLS / name / ".made"
    TOOLS.mkdir(exist_ok=True)
    with (TOOLS / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        make = not stamp.exists() or stamp.read_text() != wanted
        yield make
        if make:
            stamp.write_text(wanted)


def apart() -> dict[str, str]:
    """The surroundings of a peer's process: nothing of the environment this one runs in, and nobody is told that it runs."""
    mine = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV", "PYTHONHOME")}
    return mine | {"FEAST_USAGE": "False", "DVC_NO_ANALYTICS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
