"""Evidently: its own report of the two windows that drift compares. In: two tables. Out: its HTML.

Evidently itself judges and draws (``everloop[evidently]``, 0.7.x; it reads pandas 2 only). Its verdicts are its own, by its own defaults:
they decide nothing here. The page holds everything it shows; nothing is fetched when it is opened.
"""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

import pyarrow as pa

from everloop.errors import EverloopError, Missing

LEAST = 2


def report(before: pa.Table, now: pa.Table, *, title: str) -> bytes:
    """The HTML of Evidently's drift report of the columns both tables have; a column that is empty on a side is left out.

    Raises EverloopError where nothing is left to compare, or Evidently raises; Missing without the extra.
    """
    numbers, texts = comparable(before, now)
    try:
        from evidently import DataDefinition, Dataset, Report
        from evidently.presets import DataDriftPreset
    except ImportError as error:
        if "evidently" in str(getattr(error, "name", "")) and isinstance(error, ModuleNotFoundError):
            raise Missing("evidently", "evidently", "Evidently's report") from None
        raise EverloopError(f"Evidently cannot be loaded: {error}. It reads pandas 2 only: pip install 'everloop[evidently]'") from error
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=texts)
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")  # its own, of its own libraries
        sides = [Dataset.from_pandas(side.select([*numbers, *texts]).to_pandas(), data_definition=definition) for side in (now, before)]
        try:
            done = Report([DataDriftPreset()], metadata={"title": title}).run(*sides)
            done.save_html(str(Path(folder) / "report.html"))
        except Exception as error:
            raise EverloopError(f"Evidently could not compare them: {type(error).__name__}: {error}") from error
        return (Path(folder) / "report.html").read_bytes()


def comparable(before: pa.Table, now: pa.Table) -> tuple[list[str], list[str]]:
    """The columns that can be compared, numbers and categories; both tables need two rows, and a value on each side.

    >>> comparable(pa.table({"a": [1.0, 2.0], "b": ["x", None], "c": [1.0, 2.0]}), pa.table({"a": [3.0, 4.0], "b": [None, None]}).cast(
    ...     pa.schema([("a", pa.float64()), ("b", pa.string())])))
    (['a'], [])

    Raises EverloopError where no column is left.
    """
    both = [name for name in before.column_names if name in now.column_names]
    there = [name for name in both if all(len(s) >= LEAST and s.column(name).null_count < len(s) for s in (before, now))]
    numbers = [n for n in there if all(pa.types.is_floating(s.column(n).type) for s in (before, now))]
    texts = [n for n in there if all(pa.types.is_string(s.column(n).type) for s in (before, now))]
    if not numbers and not texts:
        raise EverloopError(
            f"There is nothing to compare: {len(before):,} rows before and {len(now):,} now, and no column that both say. "
            "Answers are what is compared: let some be given first."
        )
    return numbers, texts
