"""Where conditions hold: readings that say yes, and bounds on readings or on columns a question carries. What is empty holds nowhere."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from everloop.errors import Unknown
from everloop.features.compile import columns
from everloop.features.reader import Reader
from everloop.features.spine import Spine, carry
from everloop.project.conditions import always, at_least, at_most, one_of
from everloop.project.reading import Arithmetic, Reading

Mask = NDArray[np.bool_]


def holds(reader: Reader, spine: Spine, word: object, known_at: int | None = None) -> Mask:
    """Where a reading says yes (is there, and not 0) or a condition is met, one value for each question.

    Raises Unknown for a word that is no such condition.
    """
    if isinstance(word, Reading | Arithmetic):
        return _met(pc.not_equal(_values(reader, spine, word, known_at), 0))
    if isinstance(word, always):
        return np.asarray(_values(reader, spine, word.column, known_at).is_valid().to_numpy(zero_copy_only=False), dtype=np.bool_)
    if isinstance(word, at_least | at_most):
        compare = pc.greater_equal if isinstance(word, at_least) else pc.less_equal
        return _met(compare(_values(reader, spine, word.what, known_at), float(word.value)))
    if isinstance(word, one_of):
        values = _values(reader, spine, word.what, known_at)
        words = pa.types.is_string(values.type)
        wanted = pa.array([str(v) if words else float(v) for v in word.values], values.type)  # type: ignore[arg-type]
        return _met(pc.if_else(values.is_valid(), pc.is_in(values, value_set=wanted), pa.scalar(False)))
    raise Unknown("condition", repr(word), ("readings", "always", "at_least", "at_most", "one_of"))


def all_hold(reader: Reader, spine: Spine, words: Iterable[object], known_at: int | None = None) -> Mask:
    """Where every one of these holds."""
    made: Mask = np.ones(spine.questions.num_rows, dtype=np.bool_)
    for word in words:
        made &= holds(reader, spine, word, known_at)
    return made


def any_holds(reader: Reader, spine: Spine, words: Iterable[object], known_at: int | None = None) -> Mask:
    """Where at least one of these holds."""
    made: Mask = np.zeros(spine.questions.num_rows, dtype=np.bool_)
    for word in words:
        made |= holds(reader, spine, word, known_at)
    return made


def _values(reader: Reader, spine: Spine, what: object, known_at: int | None) -> pa.Array:
    if isinstance(what, Reading | Arithmetic):
        return columns(reader, spine, [what], known_at).column(0).combine_chunks()
    values = carry(reader, spine, [str(what)]).questions[str(what)].combine_chunks()
    return values if pa.types.is_string(values.type) else values.cast(pa.float64())


def _met(where: pa.Array) -> Mask:
    return np.asarray(pc.fill_null(where, False).to_numpy(zero_copy_only=False), dtype=np.bool_)
