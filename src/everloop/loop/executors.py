"""Which executor a house's pieces of work are done by, by the URL in its settings; none where nothing is said. The project file goes along.

Ray and Dask are asked for when the first piece comes, never before.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from everloop.errors import CodeChanged
from everloop.loop.project_file import open_project
from everloop.settings import Settings
from everloop.training.executor import Executor
from everloop.training.usage import Usage
from everloop.training.window import unhurried, unspent


@dataclass(frozen=True)
class Opened:
    """The project file of a house, opened in another process: where it lies, or where another one or none lies there, from what was sent.

    ``code`` is the hash of the file and of what it imports, as whoever sends it opened it. Raises CodeChanged where it is other code here.
    """

    path: Path
    text: bytes
    code: str = ""

    def __call__(self) -> None:
        path = self.path
        if not path.is_file() or path.read_bytes() != self.text:
            path = Path(tempfile.mkdtemp(prefix="everloop-project-")) / self.path.name
            path.write_bytes(self.text)
        if open_project(path).code != self.code and self.code:
            raise CodeChanged(
                f"{self.path.name}, or what it imports, is not on this machine what it was where the work was sent from. "
                f"Put the same files into {self.path.parent} here, or start the process that sent it again."
            )


def opened(path: Path | None, code: str) -> Opened | None:
    """What opens a project file elsewhere, which is of this ``code``; None for a project put together in code."""
    return None if path is None else Opened(path, path.read_bytes(), code)


def executor_of(
    settings: Settings,
    first: Callable[[], object] | None = None,
    *,
    spent: Callable[[Usage], None] = unspent,
    still: Callable[[], None] = unhurried,
) -> Executor | None:
    """The executor that settings name; None where they name none.

    ``first`` is called once in each process it uses; ``spent`` is told what each item took, ``still`` raises why the work must end.

    >>> from everloop.settings import read_settings
    >>> executor_of(read_settings("/nowhere", environ={})) is None
    True
    """
    url = settings.executor.url
    if url is None:
        return None
    words: dict[str, Any] = {"workers": settings.executor.workers, "first": first, "spent": spent, "still": still}
    if url == "processes":
        from everloop.training.processes import Processes

        return Processes(**words)
    if url.startswith("dask"):
        from everloop.connect.dask import Dask

        return Dask(url, **words)
    from everloop.connect.ray import Ray

    return Ray(url, address=settings.executor.address, **words)
