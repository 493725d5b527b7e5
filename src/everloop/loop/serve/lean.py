"""What keeps a worker small: the environment it is given, and what it does before anything else. Standard library only until called.

``LEAN`` is for whoever starts a worker; ``without_pandas`` for the worker itself.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType
from typing import Final

LEAN: Final = {
    # Buffers and a thread per core for each numerical library: 1 MiB and one thread less on 2 cores, 30 MiB on 32; answers are small.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    # pyarrow's own allocator keeps what it once had: 263 MiB after 40,000 answers in 16 threads, 185 with the system's; idle 108 and 104.
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    # The system's makes 8 arenas for each core, and threads leave their crumbs in each: 8 MiB less after the same answers.
    "MALLOC_ARENA_MAX": "2",
}
"""The environment of a worker, with what each line is for; measured on 2 cores. It must be set before the process starts."""


def without_pandas() -> None:
    """Keep pyarrow from loading pandas, which it does at the first list it is given, to see whether that is one of pandas' own.

    Where pandas is loaded already nothing is done. ``to_pandas`` still loads it; only a Series given to ``pa.array`` is then read as any
    sequence.
    """
    if "pandas" in sys.modules:
        return
    import pyarrow as pa

    finder = _NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        pa.scalar(1)
    finally:
        sys.meta_path.remove(finder)


class _NoPandas(MetaPathFinder):
    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError("pandas is not looked for here", name=name)
