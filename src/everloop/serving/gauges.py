"""Gauges: how a house stands, as its controller last wrote it down; any worker tells them beside what all workers counted.

One file beside the workers', replaced whole, so that a reader sees all of one moment; what is gone is not told any more. A controller that
ends leaves its last one, which says when it was written.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

FILE = "house.gauges"


def write(folder: Path, values: Mapping[str, float]) -> None:
    """Replace what stands there: a value for each series, as Prometheus spells it. What is not finite is left out. Raises OSError.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(Path(folder), {"everloop_alerts_waiting": 2.0, "everloop_error": math.nan})
    ...     read(Path(folder))
    {'everloop_alerts_waiting': 2.0}
    """
    folder.mkdir(parents=True, exist_ok=True)
    new = folder / f".{FILE}.{os.getpid()}"
    try:
        new.write_text(json.dumps({name: value for name, value in values.items() if math.isfinite(value)}), encoding="utf-8")
        new.replace(folder / FILE)
    except OSError:
        with suppress(OSError):
            new.unlink()
        raise


def read(folder: Path) -> dict[str, float]:
    """What was last written; nothing where nothing was, or it cannot be read."""
    try:
        found = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {str(name): float(value) for name, value in found.items() if isinstance(value, int | float)}
