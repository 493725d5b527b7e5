"""What has to be on the disk itself before anybody relies on it. Standard library only."""

from __future__ import annotations

import os
from pathlib import Path


def synced(path: Path) -> None:
    """Bring a file's bytes, or the names in a folder, to the disk. Raises OSError.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     synced(Path(folder))
    """
    held = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(held)
    finally:
        os.close(held)
