"""Model: what to predict, and how its answers are kept right. Pure values; the learner is the user's own object and never fitted here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import timedelta
from functools import cached_property
from typing import Any, ClassVar, Literal, Never, TypeAlias, TypeVar, cast

from everloop.project import refuse
from everloop.project.conditions import (
    PromoteCondition,
    RetrainCondition,
    RollBackCondition,
    RowCondition,
    TellCondition,
    beats_champion,
    drifted,
    only_new,
    quantiles,
    search,
    since_change,
    slipped,
    worse_than_champion,
    yes_above,
)
from everloop.project.learner import is_function, learner_repr, learner_said
from everloop.project.metrics import default_metric
from everloop.project.reading import AnyReading, Reading, column_names
from everloop.project.resolve import keys, request_of, sources_of, unit_of
from everloop.project.said import Place, caller, said
from everloop.project.shape import baseline_reading, each_of, kind_of, matures_after, shape_of, steps_of
from everloop.project.source import Source
from everloop.project.spans import every, hours
from everloop.project.steps import Step, canary, shadow
from everloop.project.unbuilt import not_yet
from everloop.project.verbs import Names, as_names
from everloop.records import Kind, Shape

T = TypeVar("T")
Many: TypeAlias = T | Sequence[T]
FedAs: TypeAlias = Literal["numbers", "arrow", "pandas"]
Level: TypeAlias = Literal["observe", "suggest", "act"]
DECISIONS = ("retrain", "promote", "roll_back")


@dataclass(frozen=True, init=False, repr=False, eq=False)
class Model:
    """What to predict, per whom, from what, and the conditions its answers are kept right by. All mistakes are told at once.

    >>> from everloop import Model, Source, days, every, money
    >>> orders = Source("orders", id="order_id", time="ordered_at", columns={"customer_id": str, "amount": money("EUR")})
    >>> def learn(rows): ...
    >>> churn = Model("churn", predicts=orders.none(next=days(28)), per="customer_id", asked=every(days(7)),
    ...               knows=orders.count(last=[days(28), days(91)]), learner=learn)
    >>> churn.kind, churn.metric, churn.matures_after.days, churn.columns
    ('chance', 'auc', 28, ('orders_count_last_28d', 'orders_count_last_91d'))
    >>> churn.baseline_reading
    orders.none(last=days(28))
    """

    name: str
    predicts: AnyReading
    per: tuple[str, ...] | Source
    asked: every | None
    among: tuple[AnyReading | RowCondition, ...]
    candidates: tuple[Reading, ...]
    void_when: tuple[AnyReading | RowCondition, ...]
    knows: tuple[AnyReading, ...]
    learner: object
    fed_as: FedAs
    answers: yes_above | quantiles | None
    tune: search | None
    learns_from: timedelta | only_new | since_change | None
    holdout: timedelta | float | None
    baseline: object | None
    one_per: str | None
    split_by: str | None
    control: float
    answer_changes_truth: bool
    promote_when: tuple[PromoteCondition, ...]
    roll_out: tuple[Step, ...]
    roll_back_when: tuple[RollBackCondition, ...]
    retrain_when: tuple[RetrainCondition, ...]
    tell_when: tuple[TellCondition, ...]
    autonomy: Mapping[str, Level]
    budget: timedelta | None
    owner: str | None
    about: str | None
    tags: tuple[str, ...]
    place: Place = field(repr=False)
    _mistaken: ClassVar[bool] = False

    def __init__(
        self,
        name: str,
        *,
        predicts: AnyReading,
        per: Names | Source,
        asked: every | None = None,
        among: Many[AnyReading | RowCondition] = (),
        candidates: Reading | Sequence[Reading | tuple[Reading, ...]] = (),
        void_when: Many[AnyReading | RowCondition] = (),
        knows: AnyReading | Sequence[AnyReading | Sequence[Reading]],
        learner: object,
        fed_as: FedAs = "numbers",
        answers: yes_above | quantiles | None = None,
        tune: search | None = None,
        learns_from: timedelta | only_new | since_change | None = None,
        holdout: timedelta | float | None = None,
        baseline: object | None = None,
        one_per: str | None = None,
        split_by: str | None = None,
        control: float = 0.0,
        answer_changes_truth: bool = False,
        promote_when: Many[PromoteCondition] = (beats_champion(),),
        roll_out: Many[Step] = (shadow(hours(6)), canary(0.05, 0.25, every=hours(6))),
        roll_back_when: Many[RollBackCondition] = (worse_than_champion(),),
        retrain_when: Many[RetrainCondition] = (drifted(), slipped()),
        tell_when: Many[TellCondition] = (),
        autonomy: Level | Mapping[str, Level] = "suggest",
        budget: timedelta | None = None,
        owner: str | None = None,
        about: str | None = None,
        tags: Names = (),
        **unknown: Never,
    ) -> None:
        levels = dict(autonomy) if isinstance(autonomy, Mapping) else dict.fromkeys(DECISIONS, autonomy)
        values = {
            "name": name, "predicts": predicts, "per": per if isinstance(per, Source) else as_names(per), "asked": asked,
            "among": flat(among), "candidates": flat(candidates), "void_when": flat(void_when), "knows": flat(knows), "learner": learner,
            "fed_as": fed_as, "answers": answers, "tune": tune, "learns_from": learns_from, "holdout": holdout, "baseline": baseline,
            "one_per": one_per, "split_by": split_by, "control": control, "answer_changes_truth": answer_changes_truth,
            "promote_when": flat(promote_when), "roll_out": flat(roll_out), "roll_back_when": flat(roll_back_when),
            "retrain_when": flat(retrain_when), "tell_when": flat(tell_when),
            "autonomy": dict.fromkeys(DECISIONS, "suggest") | levels, "budget": budget, "owner": owner, "about": about,
            "tags": as_names(tags), "place": caller(),
        }  # fmt: skip
        for key, value in values.items():
            object.__setattr__(self, key, value)
        from everloop.project.mistakes import mistakes_of

        words = [f.name for f in fields(self) if f.name not in ("name", "place")]
        wrong = [refuse.no_such_keyword("Model", word, words, self.place) for word in unknown]
        wrong += mistakes_of(self, positions(knows))
        if wrong:
            refuse.tell(wrong)
            object.__setattr__(self, "_mistaken", True)

    def but(self, name: str, **words: Any) -> Model:
        """The same model under another name, with these words said differently."""
        if self._mistaken:
            return self  # its mistakes are told once
        same = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("name", "place")}
        return Model(name, **(same | words))

    # -- what follows from the words --

    @cached_property
    def unit(self) -> tuple[str, ...]:
        """The columns a question is about: ``per``, or the id of the source asked about (first the column that keeps shops apart)."""
        return unit_of(self)

    @cached_property
    def sources(self) -> tuple[Source, ...]:
        """Every source it reads, with all its rows, parents after their children."""
        return sources_of(self)

    @cached_property
    def request(self) -> tuple[str, ...]:
        """The columns a request carries."""
        return request_of(self)

    @cached_property
    def kind(self) -> Kind:
        """number, chance, shares, quantiles or ranking."""
        return kind_of(self)

    @cached_property
    def shape(self) -> Shape:
        """What an answer looks like."""
        return shape_of(self)

    @property
    def steps(self) -> int:
        """How many steps ahead one answer has (``each=``)."""
        return steps_of(self.predicts)

    @property
    def each(self) -> timedelta | None:
        """How long one step of an answer is; None where an answer has no steps."""
        return each_of(self.predicts)

    @cached_property
    def matures_after(self) -> timedelta:
        """How long after the question its truth is mature."""
        return matures_after(self)

    @property
    def metric(self) -> str:
        """The metric used where ``on=`` is not said."""
        return default_metric(self.kind)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The names of the learner's columns, in order; with ``each=`` the step comes first."""
        names = tuple(name for reading in self.knows for name in column_names(reading))
        return ("step", *names) if self.steps > 1 else names

    @property
    def leans_on(self) -> Model | None:
        """The model whose champion answers until something better is proven, where the baseline is a model."""
        return self.baseline if isinstance(self.baseline, Model) else None

    @property
    def baseline_reading(self) -> object | None:
        """Who answers until something better is proven: a reading; None for the average truth; or the object the user gave. Where it leans
        on another model, who answers first there."""
        return baseline_reading(self) if self.leans_on is None else self.leans_on.baseline_reading

    @property
    def not_yet(self) -> tuple[str, ...]:
        """A sentence for each word whose engine is missing; none: the model can turn."""
        return not_yet(self)

    @property
    def functions(self) -> tuple[Callable[..., Any], ...]:
        """The functions of the user's that measure a candidate, in the order in which they were said."""
        return tuple(on for c in self.promote_when if is_function(on := getattr(c, "on", None)))

    def keys(self, reading: Reading) -> tuple[str, ...]:
        """The columns whose values say which rows a reading takes; () for everything together."""
        return keys(self, reading) or ()

    @cached_property
    def said(self) -> str:
        """The sources and the model as said, the learner with all its parameters: the same in every process; its hash is the identity."""
        sources = "\n".join(repr(source) for source in sorted(self.sources, key=lambda s: s.name))
        measured = "".join(f"\n{learner_said(function)}" for function in self.functions)
        return f"{sources}\n{_said(self, learner_said)}{measured}"

    def __eq__(self, other: object) -> bool:
        return self.said == other.said if isinstance(other, Model) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return _said(self, learner_repr)


def _said(model: Model, of_learner: Any) -> str:
    usual = _usual()
    words = [repr(model.name)]
    for f in fields(model):
        value = getattr(model, f.name)
        if f.name in ("name", "place") or (f.name in usual and value == usual[f.name]):
            continue
        if isinstance(value, Source):
            sentence = value.called
        elif isinstance(value, Model):
            sentence = value.name if of_learner is learner_repr else f"<{value.said}>"
        elif f.name in ("learner", "baseline") and not isinstance(value, Reading):
            sentence = of_learner(value)
        elif f.name == "autonomy":
            levels = set(value.values())
            sentence = repr(levels.pop()) if len(levels) == 1 and len(value) == len(DECISIONS) else repr(value)
        elif isinstance(value, tuple) and len(value) == 1:
            sentence = said(value[0])
        else:
            sentence = said(value)
        words.append(f"{f.name}={sentence}")
    return f"Model({', '.join(words)})"


def _usual() -> dict[str, object]:
    usual = cast(dict[str, object], dict(Model.__init__.__kwdefaults__ or {}))
    return usual | {"autonomy": dict.fromkeys(DECISIONS, "suggest")}


def flat(words: Any) -> tuple[Any, ...]:
    """One word or many, also where one verb gave several readings, as one tuple.

    >>> flat([1, (2, 3)]), flat(4)
    ((1, 2, 3), (4,))
    """
    if isinstance(words, tuple | list):
        return tuple(w for word in words for w in flat(word))
    return (words,)


def positions(knows: Any) -> tuple[int, ...]:
    """Where in the user's own list each reading was said.

    >>> positions(["a", ("b", "c"), "d"])
    (0, 1, 1, 2)
    """
    said_as = knows if isinstance(knows, tuple | list) else [knows]
    return tuple(place for place, word in enumerate(said_as) for _ in flat(word))
