"""Conditions: the clauses a model lives under. Each is a frozen value whose repr is how it is said. Values only, no I/O."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Literal, TypeAlias

from everloop.project import refuse
from everloop.project.learner import is_function
from everloop.project.reading import AnyReading, is_reading
from everloop.project.said import Word, said
from everloop.project.spans import every

if TYPE_CHECKING:
    from collections.abc import Callable

    from everloop.project.reading import Arithmetic, Reading

# -- rows --------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class always(Word):
    """A column is never empty, or not in more than ``1 - share`` of the rows.

    >>> always("customer_id", share=0.9)
    always('customer_id', share=0.9)
    """

    column: str
    _: KW_ONLY
    share: float = 1.0

    def __post_init__(self) -> None:
        _a_column(self, self.column)
        refuse.share(self.share, place=self.place, keyword="share")


@dataclass(frozen=True, repr=False)
class _Bound(Word):
    what: str | AnyReading
    value: float
    _: KW_ONLY
    share: float = 1.0

    def __post_init__(self) -> None:
        _a_column_or_reading(self, self.what)
        if not refuse.is_number(self.value):
            refuse.refuse(f"{type(self).__name__}(…, {self.value!r}) has no number to compare with.", place=self.place)
        refuse.share(self.share, place=self.place, keyword="share")


@dataclass(frozen=True, repr=False)
class at_least(_Bound):
    """A column, a reading or a metric is at least ``value``; of rows, in a ``share`` of them.

    >>> at_least("quantity", 1, share=0.99)
    at_least('quantity', 1, share=0.99)
    """


@dataclass(frozen=True, repr=False)
class at_most(_Bound):
    """A column, a reading or a metric is at most ``value``; of rows, in a ``share`` of them.

    >>> at_most("wape", 0.15)
    at_most('wape', 0.15)
    """


@dataclass(frozen=True, repr=False, init=False)
class one_of(Word):
    """A column or a reading is one of these values.

    >>> one_of("reason", "fraud", "stolen_card").values
    ('fraud', 'stolen_card')
    """

    what: str | AnyReading
    values: tuple[object, ...] = field(metadata={"many": True})
    share: float = field(default=1.0, kw_only=True)

    def __init__(self, what: str | AnyReading, *values: object, share: float = 1.0) -> None:
        self.keep(what=what, values=values, share=share)
        _a_column_or_reading(self, what)
        if not values:
            refuse.refuse(f"one_of({said(what)}) names no value.", f"Say one_of({said(what)}, …) with the values meant.", place=self.place)
        for value in values:
            if not isinstance(value, str | int | float | bool):
                refuse.refuse(
                    f"one_of({said(what)}, …) cannot compare with {value!r}.", "Values are text, numbers, True or False.", place=self.place
                )
        refuse.share(share, place=self.place, keyword="share")


@dataclass(frozen=True, repr=False)
class fresh(Word):
    """Something arrived within the span.

    >>> from everloop import hours
    >>> fresh(hours(2))
    fresh(hours(2))
    """

    span: timedelta

    def __post_init__(self) -> None:
        refuse.span(self.span, place=self.place, word="fresh")


@dataclass(frozen=True, repr=False)
class usual_volume(Word):
    """As many rows happened in the last day as on the same weekday of the eight weeks before; ``by`` is a share within which all is usual.

    >>> usual_volume(by=0.3)
    usual_volume(by=0.3)
    """

    _: KW_ONLY
    by: float = 0.5

    def __post_init__(self) -> None:
        refuse.share(self.by, place=self.place, keyword="by", above_zero=True)


@dataclass(frozen=True, repr=False)
class meets(Word):
    """What a file says of rows: a data contract (ODCS, ``.yaml``) or a suite of Great Expectations (``.json``), beside the project file.

    >>> meets("orders.yaml")
    meets('orders.yaml')
    """

    file: str

    def __post_init__(self) -> None:
        if not isinstance(self.file, str) or not self.file.endswith((".yaml", ".yml", ".json")):
            cure = 'Name a data contract, such as "orders.yaml", or a suite of Great Expectations, such as "orders.json".'
            refuse.refuse(f"{self!r} names no file that can be judged.", cure, place=self.place)


# -- judging -----------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class cost(Word):
    """A metric in money: what a miss and a false alarm cost, each a number in minor units or a reading.

    >>> cost(missed=250_00, false_alarm=15_00)
    cost(missed=25000, false_alarm=1500)
    """

    _: KW_ONLY
    missed: float | AnyReading
    false_alarm: float | AnyReading

    def __post_init__(self) -> None:
        for keyword in ("missed", "false_alarm"):
            value = getattr(self, keyword)
            if not is_reading(value):
                refuse.number(value, place=self.place, keyword=keyword, least=0)


@dataclass(frozen=True, repr=False)
class outcome(Word):
    """A business figure that is told by name (``POST /v1/outcomes``): whether it was told of a unit in the span after its first answer, or
    with ``total`` how much in sum, up to a cap that is fixed before the start. What is told ``late`` is waited for, and no longer.

    >>> from everloop import days
    >>> outcome("conversion", next=days(7)), outcome("order", next=days(7), total=True)
    (outcome('conversion', next=days(7)), outcome('order', next=days(7), total=True))
    """

    name: str
    _: KW_ONLY
    next: timedelta
    total: bool = False
    late: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            refuse.refuse(f"outcome({said(self.name)}) names no outcome.", 'Say outcome("conversion", next=days(7)).', place=self.place)
        if not isinstance(self.total, bool):
            what = f"outcome(…, total={said(self.total)}) is neither yes nor no."
            refuse.refuse(what, "Say total=True for amounts, or leave it out.", place=self.place, keyword="total")
        refuse.span(self.next, place=self.place, keyword="next")
        if self.late != timedelta(0):
            refuse.span(self.late, place=self.place, keyword="late")

    @property
    def known_after(self) -> timedelta:
        """How long after a unit was first answered it is known."""
        return self.next + self.late


Measure: TypeAlias = "str | cost | outcome | Reading | Arithmetic | Callable[..., float] | None"


def is_figure(on: object) -> bool:
    """Whether a condition is about what people then do, which only a split can tell: a reading that looks ahead, or an outcome."""
    return is_reading(on) or isinstance(on, outcome)


@dataclass(frozen=True, repr=False)
class _Against(Word):
    on: Measure = None

    def __post_init__(self) -> None:
        _a_measure(self, self.on)
        for keyword in ("by", "margin"):
            if hasattr(self, keyword):
                refuse.share(getattr(self, keyword), place=self.place, keyword=keyword)
        confidence = getattr(self, "confidence", 0.95)
        refuse.share(confidence, place=self.place, keyword="confidence")
        if not 0.5 <= confidence < 1:
            what = f"confidence={confidence:g} proves {'nothing' if confidence < 0.5 else 'everything'}."
            refuse.refuse(
                what, "Say confidence=0.95, or another share from 0.5 up to, but not including, 1.", place=self.place, keyword="confidence"
            )


@dataclass(frozen=True, repr=False)
class beats_champion(_Against):
    """Proven better than the champion, by this share of the champion's value in the good direction.

    ``on`` is a metric, a ``cost``, a function ``value_of(truth, answers, rows)`` of the project file, or (in ``ab``) a reading; none: the
    model's own metric. ``finds`` is the smallest true effect that it has to find in nine contests of ten: fewer questions than that
    takes decide nothing.

    >>> beats_champion("wape", by=0.02)
    beats_champion('wape', by=0.02)
    """

    _: KW_ONLY
    by: float = 0.0
    confidence: float = 0.95
    finds: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.finds is None:
            return
        refuse.share(self.finds, place=self.place, keyword="finds")
        if self.finds <= self.by:
            what = f"finds={self.finds:g} is not more than by={self.by:g}, and no number of questions tells the two apart."
            refuse.refuse(what, f"Say finds={self.by + 0.05:g}, or a smaller by.", place=self.place, keyword="finds")


@dataclass(frozen=True, repr=False)
class as_good_as_champion(_Against):
    """Proven no worse than the champion by more than the margin, a share of the champion's value.

    >>> as_good_as_champion("auc", margin=0.01)
    as_good_as_champion('auc', margin=0.01)
    """

    _: KW_ONLY
    margin: float = 0.0
    confidence: float = 0.95


@dataclass(frozen=True, repr=False)
class worse_than_champion(_Against):
    """Proven worse than the version it replaced, which goes on answering in shadow, by more than this share of its value.

    >>> worse_than_champion("wape", by=0.10)
    worse_than_champion('wape', by=0.1)
    """

    _: KW_ONLY
    by: float = 0.0
    confidence: float = 0.95


@dataclass(frozen=True, repr=False)
class fair_across(Word):
    """The worst-off group gets at least ``ratio`` of what the best-off gets: of yeses, or of a metric.

    >>> from everloop import Source
    >>> customers = Source("customers", id="customer_id", columns={"region": str})
    >>> fair_across(customers.latest("region"), on="auc")
    fair_across(customers.latest('region'), on='auc')
    """

    reading: AnyReading
    _: KW_ONLY
    on: str | None = None
    ratio: float = 0.8

    def __post_init__(self) -> None:
        if isinstance(self.reading, str):
            name = self.reading
            cure = f'Say fair_across(customers.latest("{name}")): each group as it was when the answer was given.'
            refuse.refuse(f"fair_across({name!r}) does not say which source holds {name!r}, or as of when.", cure, place=self.place)
        if not is_reading(self.reading):
            refuse.refuse(
                f"fair_across({said(self.reading)}) compares no groups.", "Say one reading, such as customers.latest(…).", place=self.place
            )
        if self.on is not None and not isinstance(self.on, str):
            refuse.refuse(f"fair_across(…, on={said(self.on)}) is no metric.", 'Say on="auc", or another metric.', place=self.place)
        refuse.share(self.ratio, place=self.place, keyword="ratio")


@dataclass(frozen=True, repr=False)
class answers_within(Word):
    """A ``share`` of answers take at most ``ms`` milliseconds, measured, features included.

    >>> answers_within(ms=30)
    answers_within(ms=30)
    """

    _: KW_ONLY
    ms: float
    share: float = 0.99

    def __post_init__(self) -> None:
        refuse.number(self.ms, place=self.place, keyword="ms", least=0)
        refuse.share(self.share, place=self.place, keyword="share")


# -- rolling out -------------------------------------------------------------------------------------------------------------------


Detector: TypeAlias = Literal["bets", "adwin", "page_hinkley"]
DETECTORS: tuple[Detector, ...] = ("bets", "adwin", "page_hinkley")


# -- retraining --------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class drifted(Word):
    """Inputs, ``"answers"`` or one reading move beyond their own habit; ``psi`` is a floor below which nothing counts, ``share`` how much
    of what the answers rest on has to move at once.

    >>> drifted(), drifted("answers", psi=0.2), drifted(share=0.3)
    (drifted(), drifted('answers', psi=0.2), drifted(share=0.3))
    """

    what: str | AnyReading = "inputs"
    _: KW_ONLY
    psi: float | None = None
    share: float | None = None

    def __post_init__(self) -> None:
        if not is_reading(self.what) and self.what not in ("inputs", "answers"):
            hint = refuse.did_you_mean(self.what, ("inputs", "answers"))
            cure = 'It is "inputs", "answers" or a reading, such as drifted(orders.latest("price")).'
            refuse.refuse(f"drifted({said(self.what)}): nothing is called so.{hint}", cure, place=self.place)
        if self.psi is not None:
            refuse.number(self.psi, place=self.place, keyword="psi", least=0)
        if self.share is not None:
            refuse.share(self.share, place=self.place, keyword="share", above_zero=True)
            if self.what != "inputs":
                what = f"drifted({said(self.what)}, share={self.share:g}): a share is of several inputs, and this is one."
                refuse.refuse(what, f"Say drifted({said(self.what)}), or drifted(share={self.share:g}).", place=self.place, keyword="share")


@dataclass(frozen=True, repr=False)
class slipped(_Against):
    """Proven worse on mature truth than when it was promoted, by more than this share.

    ``detector`` looks at every truth instead of periods: "bets" (an e-detector: within 10,000 truths a false alarm with a chance of 1.1 %
    at most), or "adwin" and "page_hinkley" of river (``pip install 'everloop[river]'``), which promise nothing.

    >>> slipped("wape", by=0.10)
    slipped('wape', by=0.1)
    >>> slipped("accuracy", by=0.05, detector="bets")
    slipped('accuracy', by=0.05, detector='bets')
    """

    _: KW_ONLY
    by: float = 0.0
    detector: Detector | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.detector is not None and self.detector not in DETECTORS:
            hint = refuse.did_you_mean(self.detector, DETECTORS)
            what = f"slipped(…, detector={said(self.detector)}): there is none of that name.{hint}"
            refuse.refuse(what, f"There are {refuse.listed(DETECTORS)}.", place=self.place, keyword="detector")


@dataclass(frozen=True, repr=False)
class new_truths(Word):
    """So many truths have matured since the last training.

    >>> new_truths(10_000)
    new_truths(10000)
    """

    count: int

    def __post_init__(self) -> None:
        if not isinstance(self.count, int) or isinstance(self.count, bool) or self.count < 1:
            refuse.refuse(f"new_truths({said(self.count)}) is no number of truths.", "Say a whole number, 1 or more.", place=self.place)


# -- answers and learning ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class yes_above(Word):
    """The answer says yes where the chance is above this.

    >>> yes_above(0.5)
    yes_above(0.5)
    """

    chance: float

    def __post_init__(self) -> None:
        refuse.share(self.chance, place=self.place, word="yes_above")


@dataclass(frozen=True, repr=False, init=False)
class quantiles(Word):
    """The answer is these quantiles.

    >>> quantiles(0.1, 0.5, 0.9).levels
    (0.1, 0.5, 0.9)
    """

    levels: tuple[float, ...] = field(metadata={"many": True})

    def __init__(self, *levels: float) -> None:
        self.keep(levels=levels)
        for level in levels:
            refuse.share(level, place=self.place, word="quantiles")
        if not levels or list(levels) != sorted(set(levels)) or levels[0] == 0 or levels[-1] == 1:
            what = f"quantiles({', '.join(map(said, levels))}) are no levels."
            refuse.refuse(what, "Levels lie between 0 and 1 and rise: quantiles(0.1, 0.5, 0.9).", place=self.place)


@dataclass(frozen=True, repr=False, init=False)
class search(Word):
    """Try settings of the learner: ``(low, high)`` is a range (log scale from 100 times on), ``[a, b]`` a choice.

    It ends after so many ``trials``, so many ``seconds`` of trying, or so much ``money`` by ``[prices]`` of everloop.toml, whichever comes
    first; one of the three must be said.

    >>> search(40, depth=(3, 9), rate=[0.1, 0.3])
    search(40, depth=(3, 9), rate=[0.1, 0.3])
    >>> search(seconds=600, depth=(3, 9))
    search(seconds=600, depth=(3, 9))
    """

    open_words = True

    trials: int | None
    seconds: float | None
    money: float | None
    ranges: dict[str, tuple[float, float] | list[object]] = field(default_factory=dict)

    def __init__(
        self,
        trials: int | None = None,
        *,
        seconds: float | None = None,
        money: float | None = None,
        **ranges: tuple[float, float] | list[object],
    ) -> None:
        self.keep(trials=trials, seconds=seconds, money=money, ranges=ranges)
        if trials is not None and (not isinstance(trials, int) or isinstance(trials, bool) or trials < 1):
            refuse.refuse(f"search({said(trials)}) is no number of trials.", "Say a whole number, 1 or more.", place=self.place)
        for name, most in (("seconds", seconds), ("money", money)):
            if most is not None and not (refuse.is_number(most) and most > 0):
                cure = f"Say {name}=600, or another number above 0; a setting of that name cannot be searched over."
                refuse.refuse(f"search(…, {name}={said(most)}) is no budget.", cure, place=self.place, keyword=name)
        if trials is None and seconds is None and money is None:
            cure = f"Say search(40, {', '.join(f'{name}=…' for name in ranges)}), or seconds=, or money=."
            refuse.refuse("search(…) would never end: it says no budget.", cure, place=self.place)
        if not ranges:
            refuse.refuse(f"{self!r} has nothing to try.", "Say search(40, max_depth=(3, 9)).", place=self.place)
        for name, values in ranges.items():
            is_range = isinstance(values, tuple) and len(values) == 2 and all(map(refuse.is_number, values)) and values[0] < values[1]
            if not is_range and not (isinstance(values, list) and values):
                cure = f"Say {name}=(low, high) for a range, or {name}=[a, b] for a choice."
                refuse.refuse(f"search(…, {name}={values!r}) is neither a range nor a choice.", cure, place=self.place, keyword=name)

    def __hash__(self) -> int:
        return hash(repr(self))

    def __repr__(self) -> str:
        budget = [] if self.trials is None else [repr(self.trials)]
        budget += [f"{name}={value!r}" for name in ("seconds", "money") if (value := getattr(self, name)) is not None]
        return f"search({', '.join([*budget, *(f'{name}={values!r}' for name, values in self.ranges.items())])})"


@dataclass(frozen=True, repr=False)
class only_new(Word):
    """Go on from the champion with what is new.

    >>> only_new()
    only_new()
    """


@dataclass(frozen=True, repr=False)
class since_change(Word):
    """Learn only from what happened since the newest change that was found (a drift or a slip that named when it began).

    >>> since_change()
    since_change()
    """


RowCondition: TypeAlias = always | at_least | at_most | one_of | fresh | usual_volume | meets
PromoteCondition: TypeAlias = beats_champion | as_good_as_champion | fair_across | answers_within | at_least | at_most
RollBackCondition: TypeAlias = worse_than_champion | fair_across | slipped | at_least | at_most
RetrainCondition: TypeAlias = drifted | slipped | new_truths | every | at_least | at_most
TellCondition: TypeAlias = worse_than_champion | fair_across | drifted | slipped | at_least | at_most


def _a_column(word: Word, column: object) -> None:
    if not isinstance(column, str) or not column:
        refuse.refuse(f"{type(word).__name__}({said(column)}) names no column.", place=word.place)


def _a_column_or_reading(word: Word, what: object) -> None:
    if isinstance(what, tuple | list):
        refuse.refuse(f"{type(word).__name__}(…) takes one reading at a time.", "Say one condition for each.", place=word.place)
    if not is_reading(what) and (not isinstance(what, str) or not what):
        refuse.refuse(f"{type(word).__name__}({said(what)}) names no column, reading or metric.", place=word.place)


def _a_measure(word: Word, on: object) -> None:
    if is_function(on):
        if getattr(on, "__name__", "") == "<lambda>":
            what = f"{type(word).__name__}(<lambda>) has no name to be found under again."
            refuse.refuse(what, "Say def value_of(truth, answers, rows): … in a module, and its name here.", place=word.place)
        return
    if on is not None and not isinstance(on, str | cost | outcome) and not is_reading(on):
        what = f"{type(word).__name__}({said(on)}) names nothing to measure."
        cure = 'Say a metric such as "wape", a cost(…), a reading, an outcome(…), or a function of truth, answers and rows.'
        refuse.refuse(what, cure, place=word.place)
