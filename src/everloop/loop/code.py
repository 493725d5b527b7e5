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
    lines = sorted(f"{name} {hashlib.sha256(body).hexdigest()}" for name, body in bodies_of(path).items())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def bodies_of(path: Path) -> dict[str, bytes]:
    """The files that ``code_of`` hashes, by their paths below the project file's folder. Raises OSError for a file that is not there."""
    folder, found, left = path.resolve().parent, dict[str, bytes](), [path.resolve()]
    while left:
        file = left.pop()
        name = os.path.relpath(file, folder)
        if name not in found:
            found[name] = file.read_bytes()
            left += _beside(folder, found[name])
    return found


def imported_by(path: Path) -> dict[str, str]:
    """The top names of everything that a project file and the files beside it import, and that does not lie there itself; each with the
    first file that imports it.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     project, beside = Path(folder, "project.py"), Path(folder, "shop.py")
    ...     _, _ = project.write_text("from shop import orders"), beside.write_text("import lightgbm.sklearn")
    ...     imported_by(project)
    {'lightgbm': 'shop.py'}
    """
    bodies, found = bodies_of(path), dict[str, str]()
    here = {Path(name).parts[0].removesuffix(".py") for name in bodies}
    for file, body in bodies.items():
        found |= {name: file for name in sorted(_imported(body)) if name not in here and name not in found}
    return found


def _beside(folder: Path, body: bytes) -> Iterator[Path]:
    for name in sorted(_imported(body)):
        if (module := folder / f"{name}.py").is_file():
            yield module.resolve()
        elif (folder / name / "__init__.py").is_file():
            yield from (file for file in sorted((folder.resolve() / name).rglob("*.py")))


def _imported(body: bytes) -> set[str]:
    try:
        tree = ast.parse(body)
    except (SyntaxError, ValueError):
        return set()  # whoever opens it is told
    return set(_names(tree))


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]
