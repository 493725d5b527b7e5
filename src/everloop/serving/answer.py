"""Answering: who answers each question, what if it cannot, and what is remembered of it. In: questions with features, predictors. Out:
rows.

``now`` is an argument; latency is read from the monotonic clock. Loads nothing: predictors are given by version id.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from everloop.clock import microseconds
from everloop.errors import EverloopError, Unknown
from everloop.project.model import Model
from everloop.project.source import Source
from everloop.records import Shape, Traffic
from everloop.serving.answered import (
    ANSWER,
    SCHEMA,
    AnswerRows,
    answer_id,
    features_said,
    private_columns,
    private_in,
    requests_said,
    says,
)  # fmt: skip
from everloop.spans import span
from everloop.stats.shapes import Answers, paths

Later: TypeAlias = Callable[[Callable[[], None], int], object]
"""Takes what is to be done when whoever asked has been answered, and about how many bytes that holds until then."""
SPLITS = 40  # how often a batch that raises is halved to find the rows that make it raise
SEPARATOR = "\x1f"


class Predicts(Protocol):
    """Whatever answers: a fitted learner or a baseline of ``training``."""

    @property
    def shape(self) -> Shape: ...

    @property
    def columns(self) -> tuple[str, ...]: ...

    def answer(self, features: pa.Table) -> Answers: ...


class Older(NamedTuple):
    """The features of the same questions, row for row, as a version knows them that learnt by other definitions; and those."""

    features: pa.Table
    definition: str


@dataclass(frozen=True)
class Read:
    """How the features were read, so that they can be read again: JSON of how far each source was read, the definitions, and the requests
    (a row for each question, in order) where they said more than their units; and by version id what ``older`` ones read otherwise. By
    default nothing is known of it."""

    as_of: str | None = None
    definition: str | None = None
    requests: pa.Table | None = None
    older: Mapping[str, Older] = field(default_factory=dict)


class Remembers(Protocol):
    """Where answers go before they are given."""

    def write(self, rows: pa.Table) -> None: ...


@dataclass(frozen=True)
class Asked:
    """Questions ready to be answered: units, moments, and where each one's feature rows begin and end; by version what it reads instead."""

    units: tuple[str, ...]
    moments: NDArray[np.int64]
    features: pa.Table
    starts: NDArray[np.int64]
    sizes: NDArray[np.int64]
    older: Mapping[str, pa.Table]

    def __len__(self) -> int:
        return len(self.units)

    def part(self, version: str, positions: NDArray[np.int64]) -> pa.Table:
        """The feature rows of these questions as a version knows them."""
        features = self.older.get(version, self.features)
        if len(positions) == len(self):
            return features
        rows = [np.arange(self.starts[p], self.starts[p] + self.sizes[p]) for p in positions]
        return features.take(pa.array(np.concatenate(rows) if rows else np.zeros(0, np.int64)))


class By(NamedTuple):
    """What was said, as which arm, and how likely its units were to get the arm that was drawn for them; of shadows none."""

    arm: str
    propensity: float | None
    said: Said


@dataclass(frozen=True)
class Said:
    """What one version said to some questions (``positions``): its answers, what each took, and why there is none."""

    version: str
    positions: NDArray[np.int64]
    answers: pa.StructArray
    says: list[str | None]
    micros: NDArray[np.int64]
    errors: list[str | None]


def answer(
    model: Model,
    traffic: Traffic,
    predictors: Mapping[str, Predicts],
    questions: pa.Table,
    features: pa.Table,
    *,
    now: datetime,
    arm_of: Callable[[str, Traffic], str],
    log: Remembers | None = None,
    salt: str = "",
    private: Collection[str] | None = None,
    propensities: Mapping[str, float] | None = None,
    later: Later | None = None,
    read: Read = Read(),
) -> AnswerRows:
    """Every question answered by whom the traffic says, and by nobody twice; what was said is in the log before it is returned.

    ``questions``: ``question`` (optional), ``moment`` int64 µs, the unit's columns or ``unit``. ``features``: a row for each question
    in the same order, or several with one ``question`` (lists, steps); what ``read.older`` has no table for reads this one.
    ``predictors`` by version id; ``arm_of`` tells a unit's arm, ``propensities`` how likely each was (unsaid: those of the traffic);
    ``salt`` hashes private features; ``read`` says how the features were read.

    A candidate that raises or gives no answer is answered for by the champion in the same call, a champion by the version it replaced; the
    failure is a row of its own with ``error``. The other versions of a roll-out answer too, seen by nobody: at once, or when ``later``
    calls what it is given.

    Raises Unknown where the champion has no predictor or a unit column is missing, EverloopError where features and questions do not match.
    """
    asked = _asked(model, questions, features, {version: older.features for version, older in read.older.items()})
    if traffic.champion not in predictors:
        known = sorted(predictors)
        raise Unknown(
            "version", traffic.champion, known, where=f"what is loaded for {model.name}", next="Load the champion's artefact first."
        )
    arms = _arms(model, traffic, questions, asked, arm_of)
    turn = _Turn(model, traffic, predictors, asked, traffic.propensities if propensities is None else propensities)
    served, failures = turn.serve(arms)
    made = partial(
        _rows, model, asked, answered_at=microseconds(now), private=private_columns(model) if private is None else private, salt=salt,
        read=read,
    )  # fmt: skip
    hidden = [] if later is not None else turn.shadow(served, failures)
    table = made([*served, *failures, *hidden])
    order = np.concatenate([by.said.positions for by in served]) if served else np.zeros(0, np.int64)
    back = np.concatenate([np.argsort(order), np.arange(len(order), len(table))]).astype(np.int64)
    rows = AnswerRows(table.take(pa.array(back)), len(asked))
    if log is not None and len(rows.table):
        with span("remember answers", model=model.name, rows=len(rows.table)):
            log.write(rows.table)
    if later is not None and log is not None and traffic.rolling and len(asked):
        held = sum(table.nbytes for table in (features, *asked.older.values()))
        later(lambda: log.write(made(turn.shadow(served, failures))), held)
    return rows


@dataclass
class _Turn:
    """One call of ``answer``: what has been said so far, so that no version is asked the same thing twice."""

    model: Model
    traffic: Traffic
    predictors: Mapping[str, Predicts]
    asked: Asked
    propensities: Mapping[str, float]

    def serve(self, arms: NDArray[np.object_]) -> tuple[list[By], list[By]]:
        """Who serves whom, by arm; and what failed on the way, which somebody else then answered."""
        served: list[By] = []
        failures: list[By] = []
        for arm in dict.fromkeys(("champion", *sorted(set(arms.tolist())))):
            left = np.flatnonzero(arms == arm)
            turn, chance = asked_in_turn(self.traffic, arm, self.predictors), self.propensities.get(arm)
            for version in turn:
                if not len(left):
                    break
                said = self._ask(version, left)
                label = arm if version == turn[0] else "champion"
                if version == turn[-1]:
                    served.append(By(label, chance, said))
                    break
                good, bad = _split(said)
                served += [By(label, chance, good)] if len(good.positions) else []
                failures += [By(label, chance, bad)] if len(bad.positions) else []
                left = bad.positions
        return served, failures

    def shadow(self, served: list[By], failures: list[By]) -> list[By]:
        """The other versions of a roll-out answer what they have not answered yet."""
        found: list[By] = []
        for version in others(self.traffic):
            done = [by.said.positions for by in (*served, *failures) if by.said.version == version]
            left = np.setdiff1d(np.arange(len(self.asked)), np.concatenate(done) if done else np.zeros(0, np.int64))
            if len(left):
                found.append(By("shadow", None, self._ask(version, left)))
        return found

    def _ask(self, version: str, positions: NDArray[np.int64]) -> Said:
        predictor = self.predictors.get(version)
        if predictor is None:
            return _nothing(version, positions, "its predictor is not loaded")
        shape = spoken_shape(predictor.shape, self.model)
        began = time.perf_counter()
        there = self.asked.sizes[positions] > 0
        with span("ask version", model=self.model.name, version=version, questions=len(positions)):
            parts = _answered(version, predictor, self.asked, positions[there], self.model.steps)
        each = int((time.perf_counter() - began) * 1e6 / max(1, len(positions)))
        said = _joined(version, shape, parts, each)
        return said if there.all() else _with_nothing(said, positions[~there])


def asked_in_turn(traffic: Traffic, arm: str, loaded: Collection[str]) -> list[str]:
    """Who is asked first for an arm, and who if that one gives no answer; the last one's failure is final."""
    first = traffic.by_arm.get(arm)
    spare = traffic.previous if traffic.previous in loaded else None
    return list(dict.fromkeys(v for v in (first, traffic.champion, spare) if v is not None))


def others(traffic: Traffic) -> list[str]:
    """The versions of a roll-out, each of which answers every question, whoever serves it; none where nothing is rolled out."""
    if not traffic.rolling:
        return []
    all_of_them = (traffic.champion, *traffic.candidates, traffic.previous if traffic.stage == "bake" else None)
    return [version for version in all_of_them if version is not None]


def spoken_shape(shape: Shape, model: Model) -> Shape:
    """A version's shape, with yes from where on the model says it today."""
    return replace(shape, yes_above=model.shape.yes_above) if shape.kind == "chance" else shape


def _answered(
    version: str, predictor: Predicts, asked: Asked, positions: NDArray[np.int64], steps: int
) -> list[tuple[NDArray[np.int64], Answers | str]]:
    """Answers to these questions, or why there are none; where a batch raises it is halved, so that one bad row leaves the others alone."""
    found: list[tuple[NDArray[np.int64], Answers | str]] = []
    todo, raised = [positions], 0
    while todo:
        part = todo.pop(0)
        try:
            given = paths(predictor.answer(asked.part(version, part)), steps)
        except Exception as error:
            raised += 1
            if len(part) == 1 or raised > SPLITS:
                found.append((part, f"{type(error).__name__}: {error}"[:500]))
            else:
                todo[:0] = [part[: len(part) // 2], part[len(part) // 2 :]]
            continue
        found.append((part, given if len(given) == len(part) else f"it gave {len(given)} answers to {len(part)} questions"))
    return found


def _joined(version: str, shape: Shape, parts: list[tuple[NDArray[np.int64], Answers | str]], each: int) -> Said:
    """The parts of what a version said, as one."""
    answers, spoken, errors = [], [], []
    for where, given in parts:
        if isinstance(given, str):
            whys: list[str | None] = [given] * len(where)
            answers.append(pa.nulls(len(where), ANSWER))
            words: list[str | None] = [None] * len(where)
        else:
            whys = [why_none(shape, value) for value in given.value.tolist()]
            values = given.values.tolist() if given.values is not None else [None] * len(where)
            words = [None if w else says(shape, v, vs) for v, vs, w in zip(given.value.tolist(), values, whys, strict=True)]
            answers.append(_without(given.to_arrow(), whys))
        spoken += words
        errors += whys
    positions = np.concatenate([where for where, _ in parts])
    return Said(version, positions, pa.concat_arrays(answers), spoken, np.full(len(positions), each, dtype=np.int64), errors)


def _without(column: pa.StructArray, whys: list[str | None]) -> pa.StructArray:
    """The answers in the log's own type, null where there is none."""
    column = column if column.type == ANSWER else column.cast(ANSWER)
    if not any(whys):
        return column
    return column.take(pa.array([None if why else at for at, why in enumerate(whys)], pa.int64()))


def why_none(shape: Shape, value: float) -> str | None:
    """Why a version's value is no answer; None where it is one."""
    if value != value:
        return "it gave no item" if shape.kind == "ranking" else "it answered what is no answer (NaN, infinite, or out of range)"
    if value in (float("inf"), float("-inf")):
        return "it answered infinity"
    if shape.kind == "chance" and not 0 <= value <= 1:
        return f"it answered {value:g} where a chance lies between 0 and 1"
    return None


def _nothing(version: str, positions: NDArray[np.int64], why: str) -> Said:
    n = len(positions)
    return Said(version, positions, pa.nulls(n, ANSWER), [None] * n, np.zeros(n, np.int64), [why] * n)


def _with_nothing(said: Said, positions: NDArray[np.int64]) -> Said:
    """The same, and questions without a single candidate: there is no answer to give, and nobody is to blame."""
    n = len(positions)
    return Said(
        said.version,
        np.concatenate([said.positions, positions]),
        pa.concat_arrays([said.answers, pa.nulls(n, ANSWER)]),
        said.says + [None] * n,
        np.concatenate([said.micros, np.zeros(n, np.int64)]),
        said.errors + [None] * n,
    )


def _split(said: Said) -> tuple[Said, Said]:
    """What it answered, and what it did not."""
    bad = np.array([e is not None for e in said.errors], dtype=bool)
    return _take(said, np.flatnonzero(~bad)), _take(said, np.flatnonzero(bad))


def _take(said: Said, rows: NDArray[np.int64]) -> Said:
    picked = rows.tolist()
    return Said(
        said.version,
        said.positions[rows],
        said.answers.take(pa.array(rows, pa.int64())),
        [said.says[i] for i in picked],
        said.micros[rows],
        [said.errors[i] for i in picked],
    )


def _arms(model: Model, traffic: Traffic, questions: pa.Table, asked: Asked, arm_of: Callable[[str, Traffic], str]) -> NDArray[np.object_]:
    split = model.split_by
    units = _texts(questions, (split,)) if split is not None and split in questions.column_names else list(asked.units)
    return np.array([arm_of(unit, traffic) for unit in units] + [None], dtype=object)[:-1]


def _asked(model: Model, questions: pa.Table, features: pa.Table, older: Mapping[str, pa.Table]) -> Asked:
    units = questions.column("unit").to_pylist() if "unit" in questions.column_names else _texts(questions, model.unit)
    moments = questions.column("moment").to_numpy().astype(np.int64)
    both = all("question" in t.column_names for t in (features, questions))
    several = both and features.column("question") != questions.column("question")
    if not several:
        if len(features) != len(questions):
            raise EverloopError(
                f"{model.name}: {len(questions)} questions came with {len(features)} rows of features. Read a row for each question."
            )
        ones = np.ones(len(questions), dtype=np.int64)
        return Asked(tuple(map(str, units)), moments, features, np.arange(len(questions)), ones, older)
    theirs = features.column("question").to_numpy()
    order = np.argsort(theirs, kind="stable")
    ids = questions.column("question").to_numpy()
    starts = np.searchsorted(theirs[order], ids, side="left")
    sizes = np.searchsorted(theirs[order], ids, side="right") - starts
    if not np.isin(theirs, ids).all() or len(np.unique(ids)) != len(ids):
        raise EverloopError(f"{model.name}: some rows of features belong to none of the questions. Read features for these questions.")
    rows = np.concatenate([order[s : s + n] for s, n in zip(starts, sizes, strict=True)]) if len(ids) else np.zeros(0, np.int64)
    begins = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64) if len(ids) else np.zeros(0, np.int64)
    taken = {version: table.take(pa.array(rows)) for version, table in older.items()}
    return Asked(tuple(map(str, units)), moments, features.take(pa.array(rows)), begins, sizes.astype(np.int64), taken)


def _texts(questions: pa.Table, names: tuple[str, ...]) -> list[str]:
    for name in names:
        if name not in questions.column_names:
            raise Unknown("column", name, questions.column_names, where="the questions", next="Each question says its unit.")
    columns = [questions.column(name).to_pylist() for name in names]
    return [SEPARATOR.join(map(str, row)) for row in zip(*columns, strict=True)]


def _rows(model: Model, asked: Asked, given: list[By], *, answered_at: int, private: Collection[str], salt: str, read: Read) -> pa.Table:
    """Everything that was said, in the columns it is remembered by."""
    if not given:
        return SCHEMA.empty_table()
    beside = ("question", "moment", "unit", "row", *model.unit, *(("baseline", "cart") if model.kind == "ranking" else ()))

    def features(table: pa.Table) -> NDArray[np.object_]:
        shown = table.select([n for n in table.column_names if n not in beside or n in model.columns])
        return np.array([*features_said(shown, asked.sizes.tolist(), private, salt), None], dtype=object)[:-1]

    today, own = features(asked.features), {version: features(table) for version, table in asked.older.items()}
    said = [by.said for by in given]
    where = np.concatenate([s.positions for s in said])
    versions = [s.version for s in said for _ in s.errors]
    units = [asked.units[p] for p in where.tolist()]
    moments = asked.moments[where]
    ids = [answer_id(model.name, m, u, v) for m, u, v in zip(moments.tolist(), units, versions, strict=True)]
    return pa.table(
        [
            pa.array(ids),
            pa.array([model.name] * len(ids), pa.string()),
            pa.array(versions, pa.string()),
            pa.array([by.arm for by in given for _ in by.said.errors], pa.string()),
            pa.array(units, pa.string()),
            pa.array(moments),
            pa.array(np.full(len(ids), answered_at, dtype=np.int64)),
            pa.concat_arrays([s.answers for s in said]),
            pa.array([w for s in said for w in s.says], pa.string()),
            pa.array([text for s in said for text in own.get(s.version, today)[s.positions].tolist()], pa.string()),
            pa.array(np.concatenate([s.micros for s in said])),
            pa.array([e for s in said for e in s.errors], pa.string()),
            pa.array([read.as_of] * len(ids), pa.string()),
            pa.array([read.older[v].definition if v in read.older else read.definition for v in versions], pa.string()),
            pa.array(_requests(model, asked, read.requests, salt)[where].tolist(), pa.string()),
            pa.array([by.propensity for by in given for _ in by.said.errors], pa.float64()),
        ],
        schema=SCHEMA,
    )


def _requests(model: Model, asked: Asked, requests: pa.Table | None, salt: str) -> NDArray[np.object_]:
    """What each request said beyond its unit, for each question."""
    if requests is None or len(requests) != len(asked):
        return np.full(len(asked), None, dtype=object)
    hide = private_in(model.per) if isinstance(model.per, Source) else frozenset()
    said = requests_said(requests, {"question", "moment", "unit", *model.unit}, hide, salt)
    return np.array([*said, None], dtype=object)[:-1]
