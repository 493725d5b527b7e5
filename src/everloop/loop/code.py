"""What a project is made of, as one hash: its file, and every file beside it that it brings in. A turn is gone on with only by the code
that began it. Reads files, runs none."""

from __future__ import annotations

import ast
import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
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
    folder, found, left = path.resolve().parent, dict[Path, str](), [path.resolve()]
    while left:
        file = left.pop()
        if file not in found:
            body = file.read_bytes()
            found[file] = hashlib.sha256(body).hexdigest()
            left += _beside(folder, body)
    lines = sorted(f"{os.path.relpath(file, folder)} {sha}" for file, sha in found.items())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def imported_by(path: Path) -> frozenset[str]:
    """The top names of everything a project file imports, directly or by way of what lies in its folder, and that does not lie there.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     project, beside = Path(folder, "project.py"), Path(folder, "shop.py")
    ...     _, _ = project.write_text("from shop import orders"), beside.write_text("import lightgbm.sklearn")
    ...     sorted(imported_by(project))
    ['lightgbm']
    """
    folder, seen, left, found = path.resolve().parent, set[Path](), [path.resolve()], set[str]()
    while left:
        file = left.pop()
        if file not in seen:
            seen.add(file)
            body = file.read_bytes()
            left += _beside(folder, body)
            with suppress(SyntaxError, ValueError):  # whoever opens it is told
                found |= set(_names(ast.parse(body)))
    return frozenset(name for name in found if not (folder / f"{name}.py").is_file() and not (folder / name).is_dir())


def _beside(folder: Path, body: bytes) -> Iterator[Path]:
    try:
        tree = ast.parse(body)
    except (SyntaxError, ValueError):
        return  # whoever opens it is told
    for name in sorted(set(_names(tree))):
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
