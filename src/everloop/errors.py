"""What can go wrong. A failed check, a lost gate, a drift are records, never errors; these are what could not be done.

EverloopError
├── ProjectError            the project file says what cannot be meant; all mistakes of all its models at once
├── NotBuilt                a word that can be declared and explained, but whose engine is not here yet
├── SettingsError           everloop.toml, a flag or an environment variable says what cannot be meant
├── Unknown                 a name nobody knows: model, source, version, key, prediction, turn
├── RowsRefused             rows that cannot become events; says which and why, the others are kept
├── LearnerFailed           the user's learner raised, died or answered what is no answer
├── ArtefactBroken          stored bytes are not what their hash or format promises
├── Missing                 an optional library is not installed; says the extra
└── StoreError
    ├── Overtaken           somebody else moved the pointer first (a fence failed)
    │   └── CodeChanged     the project file is not what the turn was begun with
    ├── HouseBusy           another process holds the lease or the lock
    ├── HouseFull           the disk is full; nothing was half-written
    ├── JournalBroken       the hash chain does not hold
    └── ClockWentBack       the clock says a time before one already journalled

Web words are not here: a door translates these into its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class EverloopError(Exception):
    """Something could not be done. The message says what, where, and what to do next."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing wrong in a project file: where (``line`` counts from 1), what, and the cure."""

    file: str
    line: int
    what: str
    cure: str = ""

    def __str__(self) -> str:
        where = f"{self.file.rsplit('/', 1)[-1]}:{self.line}"
        cure = self.cure.replace("\n", "\n" + " " * (len(where) + 2))
        return f"{where}  {self.what}" + (f"\n{' ' * len(where)}  {cure}" if cure else "")


class ProjectError(EverloopError):
    """The project file says what cannot be meant. ``mistakes`` holds them all, sorted by line."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(sorted(mistakes, key=lambda m: (m.file, m.line)))
        files = sorted({m.file.rsplit("/", 1)[-1] for m in self.mistakes})
        count = "one mistake" if len(self.mistakes) == 1 else f"{len(self.mistakes)} mistakes"
        verb = "has" if len(files) == 1 else "have"
        super().__init__(f"{' and '.join(files)} {verb} {count}.\n\n" + "\n".join(map(str, self.mistakes)))


class NotBuilt(EverloopError):
    """A word that can be declared and explained, but whose engine is not here yet. ``words`` are the sentences, one each."""

    def __init__(self, model: str, words: Sequence[str]) -> None:
        self.model, self.words = model, tuple(words)
        super().__init__(f"{model} can be explained but not turned yet: " + "; ".join(words) + ".")


class SettingsError(EverloopError):
    """everloop.toml, a flag or an environment variable says what cannot be meant."""


class Unknown(EverloopError):
    """A name nobody knows. ``noun`` is what kind of thing, ``name`` what was asked for, ``known`` what there is."""

    def __init__(self, noun: str, name: str, known: Sequence[str] = (), *, where: str = "", next: str = "") -> None:
        self.noun, self.name, self.known = noun, name, tuple(known)
        there = f" There {'is' if len(known) == 1 else 'are'} {', '.join(known[:10])}{' …' if len(known) > 10 else ''}." if known else ""
        super().__init__(f"There is no {noun} {name!r}{' in ' + where if where else ''}.{there}{' ' + next if next else ''}")


class RowsRefused(EverloopError):
    """Rows that cannot become events. ``examples`` holds at most five sentences: which row, which column, why."""

    def __init__(self, source: str, refused: int, rows: int, examples: Sequence[str]) -> None:
        self.source, self.refused, self.rows, self.examples = source, refused, rows, tuple(examples[:5])
        super().__init__(f"{source}: {refused:,} of {rows:,} rows cannot be read.\n  " + "\n  ".join(self.examples))


class LearnerFailed(EverloopError):
    """The user's learner raised, died or answered what is no answer."""


class ArtefactBroken(EverloopError):
    """Stored bytes are not what their hash or format promises."""


class Missing(EverloopError):
    """An optional library is not installed."""

    def __init__(self, library: str, extra: str, what: str) -> None:
        super().__init__(f"{what} needs {library}, which is not installed. Run: pip install 'everloop[{extra}]'")


class StoreError(EverloopError):
    """A store could not do what was asked; nothing was half-written."""


class Overtaken(StoreError):
    """Somebody else moved the pointer first; what was about to be written is superseded."""


class CodeChanged(Overtaken):
    """The project file, or what it imports, is not what a turn was begun with: nobody goes on with half a turn of other code."""


class HouseBusy(StoreError):
    """Another process holds the lease or the lock. ``aloud`` is what it does, in a sentence that a stranger may hear: no path, no host."""

    def __init__(self, message: str = "", *, aloud: str | None = None) -> None:
        super().__init__(message)
        self.aloud = aloud


class UnderWay(HouseBusy):
    """What was asked for is being done; only the wait for it has ended."""


class HouseFull(StoreError):
    """The disk is full; nothing was half-written."""


class JournalBroken(StoreError):
    """The hash chain does not hold: ``seq`` is the first record that is not what was written."""

    def __init__(self, seq: int, why: str) -> None:
        self.seq = seq
        super().__init__(f"The journal is broken at record {seq}: {why}. Restore a backup and compare.")


class ClockWentBack(StoreError):
    """The clock says a time before one already journalled."""
