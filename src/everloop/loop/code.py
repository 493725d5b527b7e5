"""What a project is made of, as one hash: its file, and every file beside it that it brings in. A turn is gone on with only by the code
that began it. Reads files, runs none."""

from __future__ import annotations

import ast
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path


def code_of(path: Path) -> str:
    """A hash of a project file and of all modules and packages in its folder that it imports, directly or by way of others.

    What is installed elsewhere is not in it, nor is what is imported by a name that is worked out. Of a package in the folder every file
    counts. Raises OSError for a file that is not there.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     project, beside = Path(folder, "project.py"), Path(folder, "shop.py")
    ...     _, _ = project.write_text("from shop import orders"), beside.write_text("orders = 1")
    ...     before = code_of(project)
    ...     _ = beside.write_text("orders = 2")
    ...     before == code_of(project)
    False
    """
    found, folder = files_of(path), path.resolve().parent
    lines = sorted(f"{os.path.relpath(file, folder)} {hashlib.sha256(body).hexdigest()}" for file, body in found.items())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def files_of(path: Path) -> dict[Path, bytes]:
    """A project file and everything in its folder that it brings in, with what is in each. Raises OSError for a file that is not there."""
    folder, found, left = path.resolve().parent, dict[Path, bytes](), [path.resolve()]
    while left:
        file = left.pop()
        if file not in found:
            found[file] = file.read_bytes()
            left += _beside(folder, found[file])
    return found


def imported_by(body: bytes) -> set[str]:
    r"""The top-level names that a Python file imports; none of one that is no Python.

    >>> sorted(imported_by(b"import numpy as np\nfrom sklearn.svm import SVC"))
    ['numpy', 'sklearn']
    """
    try:
        return set(_names(ast.parse(body)))
    except (SyntaxError, ValueError):
        return set()


def _beside(folder: Path, body: bytes) -> Iterator[Path]:
    for name in sorted(imported_by(body)):  # of one that cannot be read whoever opens it is told
        if (module := folder / f"{name}.py").is_file():
            yield module.resolve()
        elif (folder / name / "__init__.py").is_file():
            yield from (file for file in sorted((folder.resolve() / name).rglob("*.py")))


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]
