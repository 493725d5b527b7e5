"""What is kept in mind while a model is read aloud: whom its questions are about, and which rows were spoken of already.

In: a model. Out: nouns. No clock, no disk.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from everloop.project.source import Source
from everloop.project.spoken_rows import spoken_rows
from everloop.project.spoken_values import plural, singular, spoken_column, spoken_list, spoken_name

if TYPE_CHECKING:
    from everloop.project.model import Model


@dataclass
class Voice:
    """One reading aloud of one model; ``told`` is which rows of each source were meant when it was last spoken of with a condition."""

    model: Model
    told: dict[str, str] = field(default_factory=dict)

    @property
    def nouns(self) -> tuple[str, ...]:
        """What a question is about, one noun each; a shop kept apart comes first."""
        if isinstance(self.model.per, Source):
            return (one_of_a(self.model.per),)
        return tuple(map(spoken_column, self.model.unit))

    @property
    def split(self) -> str:
        """Who is always answered by the same version, one of them."""
        by = self.model.split_by
        return spoken_column(by) if by else spoken_list(self.nouns)

    @property
    def splits(self) -> str:
        """Who is always answered by the same version, many of them."""
        if self.model.split_by or len(self.nouns) == 1:
            return plural(self.split)
        return f"{'pairs' if len(self.nouns) == 2 else 'combinations'} of {self.split}"

    def rows(self, source: Source) -> str:
        """What a source's rows are called; on a second mention of the same condition, "such" rows."""
        return self._conditioned(source, spoken_name(source.name))

    def row(self, source: Source) -> str:
        """What one row of a source is called."""
        return self._conditioned(source, one_of_a(source))

    def _conditioned(self, source: Source, noun: str) -> str:
        if not source.rows:
            return noun
        if self.told.get(source.name) == source.called:
            return f"such {noun}"
        self.told[source.name] = source.called
        return f"{noun} ({spoken_rows(source.rows, source)})"


def one_of_a(source: Source) -> str:
    """One of what a source is named after.

    >>> one_of_a(Source("order_lines", id="line_id", columns={}))
    'order line'
    """
    return singular(spoken_name(source.name))
