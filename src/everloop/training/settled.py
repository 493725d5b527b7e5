"""The same model as the same bytes: skops numbers what it stores by addresses in memory, and its files with them, and dates them by the
clock. Here they are numbered in the order in which they are said, and have no date. In: a skops archive. Out: one that loads as the same.
"""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

SCHEMA = "schema.json"
UNDATED = (1980, 1, 1, 0, 0, 0)
"""The first day a ZIP archive knows."""


def settled(archive: bytes) -> bytes:
    """A skops archive whose bytes depend on nothing but what is in it.

    >>> import skops.io
    >>> from sklearn.linear_model import Ridge
    >>> one, other = (skops.io.dumps(Ridge().fit([[0.0], [1.0]], [0.0, 1.0])) for _ in range(2))
    >>> settled(one) == settled(other), skops.io.loads(settled(one)).coef_ == skops.io.loads(one).coef_
    (True, array([ True]))
    """
    with zipfile.ZipFile(io.BytesIO(archive)) as there:
        schema = json.loads(there.read(SCHEMA))
        ids: dict[int, int] = {}
        files: dict[str, str] = {}
        said = _numbered(schema, ids, files)
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as made:
            made.writestr(zipfile.ZipInfo(SCHEMA, UNDATED), json.dumps(said, indent=2))
            for before, after in files.items():
                made.writestr(zipfile.ZipInfo(after, UNDATED), there.read(before))
    return out.getvalue()


def _numbered(said: Any, ids: dict[int, int], files: dict[str, str]) -> Any:
    """The schema with ids and files counted from 1, by the order in which they first come."""
    if isinstance(said, list):
        return [_numbered(one, ids, files) for one in said]
    if not isinstance(said, dict):
        return said
    made: dict[str, Any] = {}
    for key, value in said.items():
        if key == "__id__" and isinstance(value, int):
            made[key] = ids.setdefault(value, len(ids) + 1)
        elif key == "file" and isinstance(value, str):
            made[key] = files.setdefault(value, f"{len(files) + 1}.{value.rpartition('.')[2]}")
        else:
            made[key] = _numbered(value, ids, files)
    return made
