"""What is installed in an image: a lock of pip's, in which every package has its version and its hashes. In: text. Out: versions by name.

Source: pip's requirements file format and hash-checking mode (https://pip.pypa.io/en/stable/topics/secure-installs/).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from everloop.errors import EverloopError

MAKE: Final = "uv pip compile --generate-hashes requirements.in -o requirements.txt"
_PINNED = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?\s*==\s*([^\s;\\]+)")
_HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}\b")


def locked(text: str, name: str) -> dict[str, str]:
    """The versions in a lock by the packages' normal names. Raises EverloopError for a line without a version or without a hash.

    >>> locked("numpy==2.4.1 --hash=sha256:" + "0" * 64, "requirements.txt")
    {'numpy': '2.4.1'}
    """
    found: dict[str, str] = {}
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        said = line.partition(" #")[0].strip() if not line.lstrip().startswith("#") else ""
        if not said or said.startswith("--"):
            continue
        match = _PINNED.match(said)
        if match is None:
            raise EverloopError(f"{name}: {said[:60]!r} has no version of its own (name==version). Lock it: {MAKE}")
        if not _HASH.search(said):
            raise EverloopError(f"{name}: {match[1]}=={match[2]} has no hash, so another file could be installed. Lock it: {MAKE}")
        found[normal(match[1])] = match[2]
    if not found:
        raise EverloopError(f"{name} names no package. Lock what the project needs: {MAKE}")
    return found


def normal(name: str) -> str:
    """
    >>> normal("Scikit_Learn")
    'scikit-learn'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def lacking(wanted: Mapping[str, str], there: Iterable[str], name: str) -> str | None:
    """What is wanted (package → what for) and not in a lock, in a sentence with what to do; None where everything is.

    >>> lacking({"redis": '[online] url = "redis://…"'}, ["numpy"], "requirements.txt")
    'requirements.txt has no redis, which [online] url = "redis://…" asks for. Add redis to requirements.in, and: uv pip compile …'
    """
    missing = {package: why for package, why in wanted.items() if normal(package) not in set(there)}
    if not missing:
        return None
    said = "; no ".join(f"{package}, which {why} asks for" for package, why in missing.items())
    return f"{name} has no {said}. Add {' and '.join(missing)} to requirements.in, and: uv pip compile …"
