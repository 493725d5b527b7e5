"""The steps of a roll-out, as a model says them: in shadow, a canary, a test of units, a bandit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias

from everloop.project import refuse
from everloop.project.conditions import as_good_as_champion, beats_champion, is_figure
from everloop.project.said import Word, said


@dataclass(frozen=True, repr=False)
class shadow(Word):
    """The candidate answers for so long without anybody seeing its answers.

    >>> from everloop import hours
    >>> shadow(hours(6))
    shadow(hours(6))
    """

    span: timedelta

    def __post_init__(self) -> None:
        refuse.span(self.span, place=self.place, word="shadow")


@dataclass(frozen=True, repr=False, init=False)
class canary(Word):
    """The candidate answers these rising shares of the units, a step every so often.

    >>> from everloop import hours
    >>> canary(0.05, 0.25, every=hours(2)).shares
    (0.05, 0.25)
    """

    shares: tuple[float, ...] = field(metadata={"many": True})
    every: timedelta = field(kw_only=True)

    def __init__(self, *shares: float, every: timedelta) -> None:
        self.keep(shares=shares, every=every)
        as_said = f"canary({', '.join(map(said, shares))})"
        if not shares:
            refuse.refuse("canary(…) says no share.", "Say canary(0.05, 0.25, every=…).", place=self.place)
        if all(refuse.is_number(s) and 0 < s <= 100 for s in shares) and any(s > 1 for s in shares):
            right = ", ".join(f"{s / 100:g}" if max(shares) > 1 and s >= 1 else f"{s:g}" for s in shares)
            refuse.refuse(f"{as_said} speaks in percent; shares run from 0 to 1.", f"Say canary({right}, every=…).", place=self.place)
        for share in shares:
            refuse.share(share, place=self.place, word="canary", above_zero=True)
        if list(shares) != sorted(set(shares)):
            right = ", ".join(f"{s:g}" for s in sorted(set(shares)))
            refuse.refuse(f"{as_said} does not rise.", f"Say canary({right}, every=…).", place=self.place)
        refuse.span(every, place=self.place, keyword="every")


@dataclass(frozen=True, repr=False)
class ab(Word):
    """A test on what people then do: ``share`` of the units get the candidate; not settled in time, the champion stays.

    One test after another finds a false winner sooner or later, so each is harder to win the more before it found nothing; ``alone``
    judges it as if it were the only one.

    >>> from everloop import days
    >>> ab(0.5, wins_when=beats_champion(by=0.01), within=days(28))
    ab(0.5, wins_when=[beats_champion(by=0.01)], within=days(28))
    """

    share: float
    _: KW_ONLY
    wins_when: tuple[beats_champion | as_good_as_champion, ...]
    within: timedelta
    alone: bool = False

    if TYPE_CHECKING:

        def __init__(
            self,
            share: float,
            *,
            wins_when: beats_champion | as_good_as_champion | Sequence[beats_champion | as_good_as_champion],
            within: timedelta,
            alone: bool = False,
        ) -> None: ...

    def __post_init__(self) -> None:
        wins = self.wins_when if isinstance(self.wins_when, tuple | list) else (self.wins_when,)
        object.__setattr__(self, "wins_when", tuple(wins))
        refuse.share(self.share, place=self.place, word="ab", above_zero=True)
        refuse.span(self.within, place=self.place, keyword="within")
        if not isinstance(self.alone, bool):
            what = f"ab(…, alone={said(self.alone)}) is neither yes nor no."
            refuse.refuse(what, "Say alone=True, or leave it out.", place=self.place, keyword="alone")
        if not wins:
            refuse.refuse(
                "ab(…, wins_when=[]) can never be won.", "Say wins_when=[beats_champion(…)].", place=self.place, keyword="wins_when"
            )


@dataclass(frozen=True, repr=False)
class bandit(Word):
    """A test whose shares move at every turn with what units have done: the likelier the candidate is the better one, the more of them it
    answers, and neither less than ``floor``. It ends as ``ab`` does. For what people do soon: shares move by windows that are closed.

    >>> from everloop import Source, days
    >>> orders = Source("orders", id="order_id", time="at", columns={"visitor_id": str})
    >>> bandit(wins_when=beats_champion(orders.any(next=days(1))), within=days(28))
    bandit(wins_when=[beats_champion(orders.any(next=days(1)))], within=days(28))
    """

    floor: float = 0.05
    _: KW_ONLY
    wins_when: tuple[beats_champion, ...]
    within: timedelta

    if TYPE_CHECKING:

        def __init__(self, floor: float = 0.05, *, wins_when: beats_champion | Sequence[beats_champion], within: timedelta) -> None: ...

    def __post_init__(self) -> None:
        wins = self.wins_when if isinstance(self.wins_when, tuple | list) else (self.wins_when,)
        object.__setattr__(self, "wins_when", tuple(wins))
        refuse.share(self.floor, place=self.place, word="bandit", above_zero=True)
        if self.floor > 0.5:
            refuse.refuse(
                f"bandit({self.floor:g}) leaves two versions no room to have that much each.", "Say bandit(0.05, …).", place=self.place
            )
        refuse.span(self.within, place=self.place, keyword="within")
        first = self.wins_when[0] if self.wins_when else None
        if not isinstance(first, beats_champion) or not is_figure(first.on):
            refuse.refuse(
                "bandit(…) has no figure to move its shares by.",
                "Say wins_when=beats_champion(<a reading with next=>): what people soon do.",
                place=self.place,
                keyword="wins_when",
            )
        for win in self.wins_when:
            # Units change versions when shares move, which makes two versions look alike: a loss could pass for none.
            if isinstance(win, as_good_as_champion):
                refuse.refuse(
                    "bandit(…) can prove no as_good_as_champion(…): units change versions when shares move, and so look alike.",
                    "Say beats_champion(…), or test with ab(0.5, …), whose share stands still.",
                    place=self.place,
                    keyword="wins_when",
                )


Test: TypeAlias = ab | bandit
Step: TypeAlias = shadow | canary | ab | bandit
