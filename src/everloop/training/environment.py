"""What was installed, and what the user's code was, when a model was trained. Asks Python and git; reads no clock.

Where git is absent, or the folder is no repository, commit and dirty are None.
"""

from __future__ import annotations

import hashlib
import platform
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("everloop", "numpy", "scipy", "scikit-learn", "pyarrow", "skops", "lightgbm", "pandas", "holidays", "threadpoolctl")


@dataclass(frozen=True)
class Environment:
    """Versions by name; the commit of the user's code; a hash of what is not committed, or None where everything is."""

    versions: tuple[tuple[str, str], ...] = ()
    commit: str | None = None
    dirty: str | None = None


def environment(folder: Path | None = None, beside: Iterable[tuple[str, str]] = ()) -> Environment:
    """What is installed here, and the state of the git repository the folder lies in; ``beside``: what else is known of this process, such
    as the image it runs in (``Settings.ran_by``).

    >>> dict(environment().versions)["python"].count(".")
    2
    """
    versions = [("python", platform.python_version()), ("machine", f"{platform.system()} {platform.machine()}")]
    for name in PACKAGES:
        try:
            versions.append((name, version(name)))
        except PackageNotFoundError:
            continue
    versions += beside
    commit, dirty = (None, None) if folder is None else code_state(folder)
    return Environment(tuple(versions), commit, dirty)


def code_state(folder: Path) -> tuple[str | None, str | None]:
    """The commit a folder stands at, and 16 hex digits for what differs from it (changed and untracked files), or None."""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None, None
    changed, untracked = _git(folder, "diff", "HEAD"), _git(folder, "ls-files", "--others", "--exclude-standard")
    if not changed and not untracked:
        return commit.decode().strip(), None
    found = hashlib.sha256((changed or b"") + b"\0" + (untracked or b""))
    for name in (untracked or b"").decode(errors="replace").splitlines():
        path = folder / name
        if path.suffix in (".py", ".toml", ".sql") and path.is_file():
            found.update(path.read_bytes())
    return commit.decode().strip(), found.hexdigest()[:16]


def _git(folder: Path, *words: str) -> bytes | None:
    try:
        # No external diff: a diff driver or a pager is code somebody else chose.
        done = subprocess.run(
            ["git", "-C", str(folder), "--no-optional-locks", "--no-pager", *_plain(words)], capture_output=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _plain(words: tuple[str, ...]) -> tuple[str, ...]:
    return (words[0], "--no-ext-diff", "--no-textconv", *words[1:]) if words[0] == "diff" else words
