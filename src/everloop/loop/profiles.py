"""Profiles kept: what the champion learnt from, and each window since, counted once and remembered as facts that can be worked out again.

The windows of what was learnt from come first: they are the habit that the newest one is held against from the first day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from everloop.clock import from_microseconds, microseconds
from everloop.errors import LearnerFailed
from everloop.features.moments import last_ticks
from everloop.loop.house import House
from everloop.monitor.columns import ROWS
from everloop.monitor.profile import ANSWERS, Profile, answers_as_column, profile
from everloop.monitor.rhythm import BUCKET, Season, seasons_of
from everloop.monitor.scores import Scores
from everloop.monitor.spec import Spec, describe
from everloop.project.model import Model
from everloop.records import Candidate, Shape, Traffic, TrainingSet
from everloop.registry.facts import Facts
from everloop.serving.answered import features_of, hashed, private_columns
from everloop.stats.shapes import Answers, Floats, of_a_step
from everloop.training.executor import Executor, Serial
from everloop.training.rows import holdout, learnable

FIRST_WINDOWS, FIRST_ANSWERS = 4, 200
HABIT = 56  # so many past windows are held against the newest
DAY, A_WEEK = 86_400_000_000, timedelta(days=7)
SEASONS = 56 * DAY
PIECE = ROWS
"""Answers counted in one piece of work: as many as are counted at a time anyhow, so that names come out alike."""
MANY = 2 * PIECE
"""So many are worth sending away."""
OWN = "own"  # whether an answer is of the version whose reference it is held against


def reference_of(house: House, model: Model, champion: Candidate) -> Profile | None:
    """The profile of what a champion learnt from and was judged on, its own answers to the latter included; None for one that learnt
    nothing, or fails to answer now: a champion that fails is no reason not to watch it."""
    kept = house.facts.latest(model.name, f"learnt {champion.id}")
    if kept is not None:
        spec = Spec.from_plain(kept.body["spec"])
        return Profile.from_plain(kept.body["profile"], spec)
    training_set = _training_set(house, champion)
    if training_set is None:
        return None
    try:
        learnt = _learnt(house, model, champion, training_set)
    except LearnerFailed:
        return None
    found = learnt.count(np.arange(len(learnt.moments)))
    with house.store.transaction() as t:
        body = {"spec": found.spec.to_plain(), "profile": found.to_plain(), **learnt.habit(model)}
        house.facts.put(t, model.name, f"learnt {champion.id}", champion.made_at, body)
    return found


def seasons_kept(house: House, model: Model, champion: Candidate, reference: Profile | None) -> tuple[Season, ...]:
    """What a champion learnt from, season by season; empty where nobody learnt here, or windows are too long to have any."""
    kept = None if reference is None else house.facts.latest(model.name, f"learnt {champion.id}")
    if kept is None or reference is None:
        return ()
    return tuple(Season.from_plain(plain, reference.spec) for plain in kept.body["seasons"])


def span_of_windows(model: Model) -> timedelta:
    """How long a window lasts: from one asking to the next, or a day where questions come at any time."""
    return timedelta(days=1) if model.asked is None else model.asked.span


@dataclass(frozen=True)
class Learnt:
    """What a champion learnt from and was judged on, row by row. ``answered`` says which rows have an answer: those it was judged on, for
    to what it learnt from it answers better than it ever will again.
    """

    spec: Spec
    columns: pa.Table
    moments: NDArray[np.int64]
    answered: NDArray[np.bool_]

    def count(self, rows: NDArray[np.int64]) -> Profile:
        """The profile of some rows; a row that has no answer is not one with an empty answer."""
        found = profile(self.spec, self.columns.take(pa.array(rows)), self.moments[rows])
        if ANSWERS in found.counts:
            found.counts[ANSWERS][0] -= int((~self.answered[rows]).sum())
        return found

    def habit(self, model: Model) -> dict[str, list[dict[str, object]]]:
        """Its newest windows one by one, and its last eight weeks season by season, as plain values."""
        starts, span = _starts(model, self.moments), span_of_windows(model)
        windows = [self.count(np.flatnonzero(starts == start)) for start in np.unique(starts)[-HABIT:]]
        recent = starts > starts.max(initial=0) - SEASONS
        # Windows of minutes would be thousands; their seasons are four hours long anyhow.
        parts = starts - starts % (BUCKET * DAY // 24) if span < timedelta(hours=BUCKET) else starts
        seasonal = [self.count(np.flatnonzero(recent & (parts == p))) for p in np.unique(parts[recent])] if span < A_WEEK else []
        zone = None if model.asked is None else model.asked.zone
        return {"habit": [w.to_plain() for w in windows], "seasons": [s.to_plain() for s in seasons_of(seasonal, span, zone)]}


@dataclass(frozen=True)
class Labels:
    """The champion's own answers, by ``ids``, and their ``truth`` (n,): 1 and 0, NaN while it is not mature."""

    ids: pa.ChunkedArray
    truth: Floats

    def beside(self, shape: Shape, rows: pa.Table) -> tuple[Floats, Floats]:
        """The chances and truths of these rows (n,), NaN where an answer is not the champion's own."""
        place = pc.index_in(rows.column("id"), value_set=self.ids.combine_chunks())
        mine, where = place.is_valid().to_numpy(), place.fill_null(0).to_numpy()
        chances = np.where(mine, Answers.from_arrow(of_a_step(shape), rows.column("answer")).value, np.nan)
        return chances, self.truth[where] if len(self.truth) else chances


def profiles_of(
    house: House, model: Model, traffic: Traffic, given: pa.Table, labels: Labels | None = None
) -> tuple[Profile | None, tuple[Profile, ...], tuple[Season, ...]]:
    """The profile of what the champion learnt from, one of each window of the answers ``given``, oldest first, and what it learnt from by
    season. Of a champion that answers with chances, windows also hold what came of them: by ``labels``, else as was known when they were
    last counted.
    """
    champion = house.champion(traffic)
    elsewhere = champion.format == "elsewhere"
    reference = reference_of(house, model, champion) or (reference_elsewhere(house, model, traffic, given) if elsewhere else None)
    labels = labels if champion.shape.kind == "chance" else None
    windows = windows_of(house, model, champion, reference, in_windows(model, given), labels)
    return reference, windows, seasons_kept(house, model, champion, reference)


def profiles_kept(house: House, model: Model, champion: Candidate) -> tuple[Profile | None, tuple[Profile, ...], tuple[Season, ...]]:
    """The same from what was kept when the model was last watched: nothing is counted, and no answer is read."""
    kept = house.facts.latest(model.name, f"learnt {champion.id}")
    if kept is None:
        return None, (), ()
    spec = Spec.from_plain(kept.body["spec"])
    past = [Profile.from_plain(plain, spec) for plain in kept.body["habit"]]
    seen = [Profile.from_plain(fact.body, spec) for fact in house.facts.read(model.name, f"seen {champion.id}")[-HABIT:]]
    first = seen[0].first_at if seen else None
    habit = [p for p in past if first is None or (p.last_at is not None and p.last_at < first)][-HABIT:]
    return (
        Profile.from_plain(kept.body["profile"], spec),
        (*habit, *seen),
        tuple(Season.from_plain(one, spec) for one in kept.body["seasons"]),
    )


def rows_learnt(house: House, model: Model, champion: Candidate) -> tuple[list[str], pa.Table] | None:
    """The rows a champion learnt from, with a key for each; None for one that learnt nothing here."""
    training_set = _training_set(house, champion)
    if training_set is None:
        return None
    table = learnable(house.table(training_set), training_set, champion.shape)
    said = [table.column(name).to_pylist() for name in ("moment", *model.unit) if name in table.column_names]
    keys = ["\x1f".join(map(str, row)) for row in zip(*said, strict=True)]
    return keys, as_logged(house, model, table.select([c for c in model.columns if c in table.column_names]))


def as_logged(house: House, model: Model, rows: pa.Table) -> pa.Table:
    """What was learnt from as answers remember it, so that both can be compared and neither tells what is private: private texts as hashes.
    Private numbers are left out, for the hash of a number lies nowhere."""
    for name in private_columns(model).intersection(rows.column_names):
        place, values = rows.column_names.index(name), rows.column(name)
        if pa.types.is_dictionary(values.type):
            values = values.cast(values.type.value_type)
        if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
            known = values.combine_chunks().dictionary_encode()
            words = pa.array([hashed(word, house.salt) for word in known.dictionary.to_pylist()], pa.string())
            rows = rows.set_column(place, name, words.take(known.indices))
        else:
            rows = rows.drop_columns([name])
    return rows


def _training_set(house: House, champion: Candidate) -> TrainingSet | None:
    found = house.learnt_from(champion)
    return found if found is not None and found.learn_rows else None


def _learnt(house: House, model: Model, champion: Candidate, training_set: TrainingSet) -> Learnt:
    whole = house.table(training_set)
    learn, held = learnable(whole, training_set, champion.shape), holdout(whole, training_set)
    names = [c for c in model.columns if c in learn.column_names and c != "step"]  # every question has all its steps
    columns = pa.concat_tables([learn.select(names), held.select(names)])
    moments = np.concatenate([part.column("moment").to_numpy().astype(np.int64) for part in (learn, held)])
    answered = np.arange(len(columns)) >= (len(learn) if len(held) >= FIRST_ANSWERS else 0)
    columns = as_logged(house, model, columns)
    features = dict(describe(columns).features)
    if champion.shape.kind != "ranking":
        asked = [held] if len(held) >= FIRST_ANSWERS else [learn, held]
        parts = [_as_column(house.predictor(champion).answer(house.as_fed(model, champion, part))) for part in asked if len(part)]
        answers = pa.chunked_array([pa.nulls(int((~answered).sum()), parts[0].type), *parts])
        columns = columns.append_column(ANSWERS, answers)
        features |= describe(columns.select([ANSWERS])).features
    return Learnt(Spec(features), columns, moments, answered)


def reference_elsewhere(house: House, model: Model, traffic: Traffic, given: pa.Table) -> Profile | None:
    """The profile of what a service elsewhere first answered, features it told included: nobody here knows what it learnt from.

    Made once, of its first windows (at least four, and 200 answers), when there is one after them; None until then.
    """
    champion = house.champion(traffic)
    good = (pc.field("version") == traffic.champion) & pc.field("error").is_null()
    mine = in_windows(model, given.filter(good))
    starts = _starts(model, mine.column("moment").to_numpy().astype(np.int64))
    opened, sizes = np.unique(starts, return_counts=True)
    enough = max(FIRST_WINDOWS, int(np.searchsorted(np.cumsum(sizes), FIRST_ANSWERS)) + 1)
    if len(opened) <= enough or champion.shape.kind == "ranking":
        return None
    rows = mine.filter(pa.array(starts < opened[enough]))
    names = sorted({name for said in rows.column("features").to_pylist() for name in msgspec.json.decode(said or "{}")})
    columns = _with_answers(rows, names, champion.shape)
    found = profile(describe(columns), columns, rows.column("moment").to_numpy().astype(np.int64))
    with house.store.transaction() as t:
        body = {"spec": found.spec.to_plain(), "profile": found.to_plain(), "habit": [], "seasons": []}
        house.facts.put(t, model.name, f"learnt {champion.id}", champion.made_at, body)
    return found


def in_windows(model: Model, given: pa.Table) -> pa.Table:
    """Answers at the beginning of the window each was given in: a request over HTTP, or to a service elsewhere, comes at any moment."""
    moments = given.column("moment").to_numpy().astype(np.int64)
    return given.set_column(given.schema.get_field_index("moment"), "moment", pa.array(_starts(model, moments)))


def windows_of(
    house: House, model: Model, champion: Candidate, reference: Profile | None, given: pa.Table, labels: Labels | None = None
) -> tuple[Profile, ...]:
    """One profile for each window of answers, oldest first, counted against the reference's bins. What others answered meanwhile, such as
    the candidate of a roll-out, is none of its answers: the reference is of what the champion answered."""
    if reference is None or not len(given):
        return ()
    name = f"seen {champion.id}"
    habit = house.facts.latest(model.name, f"learnt {champion.id}")
    served = _with_own(house, model, champion, given.filter(pc.not_equal(given.column("arm"), "shadow")))
    moments, own = served.column("moment").to_numpy(), served.column(OWN).to_numpy(zero_copy_only=False)
    starts = _starts(model, moments)
    windows = np.unique(starts)[-HABIT:]
    if not len(windows):
        return ()
    kept = {microseconds(f.at): f.body for f in house.facts.read(model.name, name, since=from_microseconds(int(windows[0])))}
    past = [Profile.from_plain(plain, reference.spec) for plain in (habit.body["habit"] if habit else [])]
    found = [p for p in past if p.last_at is not None and p.last_at < windows[0]][-HABIT:]
    told = None if labels is None else labels.beside(champion.shape, served)
    places = {start: np.flatnonzero(starts == start) for start in windows.tolist()}
    there = {start: Profile.from_plain(kept[start], reference.spec) for start in places if start in kept}
    # A window that has grown since is counted again, and one that counts answers of others.
    grown = {start: rows for start, rows in places.items() if start not in there or _other(there[start], int(own[rows].sum()), len(rows))}
    fresh = _each_counted(house, reference.spec, served, grown, champion.shape)
    for start, rows in places.items():
        before = there.get(start)
        scores = None if before is None else before.scores
        if start in fresh:
            fresh[start] = replace(fresh[start], scores=scores)
        one = fresh.get(start) or there[start]
        if told is not None and (now := Scores.of(told[0][rows], told[1][rows])) != scores:
            one = fresh[start] = replace(one, scores=now)
        found.append(one)
    if fresh:
        _keep(house.facts, house, model, name, fresh)
    return tuple(found)


def _with_own(house: House, model: Model, champion: Candidate, served: pa.Table) -> pa.Table:
    """Answers, each with whether it is the champion's own."""
    mine = [v.id for v in house.versions.all(model.name) if v.candidate == champion.id]
    return served.append_column(OWN, pc.is_in(served.column("version"), value_set=pa.array(mine, served.schema.field("version").type)))


def _other(kept: Profile, own: int, rows: int) -> bool:
    """Whether a window that was counted held other rows, or other answers, than are there now."""
    return kept.rows != rows or (ANSWERS in kept.counts and int(kept.counts[ANSWERS].sum()) != own)


def _starts(model: Model, moments: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where the window of each moment begins: at the last tick of the model's clock, or its UTC day where questions come at any time."""
    return moments - moments % DAY if model.asked is None else last_ticks(model.asked, moments)


def _each_counted(house: House, spec: Spec, served: pa.Table, windows: Mapping[int, NDArray[np.int64]], shape: Shape) -> dict[int, Profile]:
    """The profile of each of these windows (places in ``served``); of many rows, piece by piece where the settings name an executor."""
    executor: Executor = Serial() if house.executor is None or sum(map(len, windows.values())) < MANY else house.executor
    pieces = [(start, rows[at : at + PIECE]) for start, rows in windows.items() for at in range(0, len(rows), PIECE)]
    counted = executor.map(partial(_counted, spec, shape), (served.take(pa.array(rows)) for _, rows in pieces))
    found: dict[int, Profile] = {}
    for (start, _), one in zip(pieces, counted, strict=True):
        found[start] = found[start] + one if start in found else one
    return found


def _counted(spec: Spec, shape: Shape, rows: pa.Table) -> Profile:
    if shape.kind == "ranking":
        return profile(spec, pa.table({}).select([]), rows.column("moment").to_numpy().astype(np.int64))
    own = rows.column(OWN).to_numpy(zero_copy_only=False)
    answered = _answers_of(rows.filter(pa.array(own)), shape)
    answers = answered.take(pa.array(np.cumsum(own) - 1, mask=~own))
    columns = _beside(features_of(rows, [n for n in spec.features if n != ANSWERS]), answers)
    found = profile(spec, columns, rows.column("moment").to_numpy().astype(np.int64))
    if ANSWERS in found.counts:
        found.counts[ANSWERS][0] -= int((~own).sum())
    return found


def _with_answers(rows: pa.Table, names: Sequence[str], shape: Shape) -> pa.Table:
    """What was known when these answers were given, and the answers."""
    return _beside(features_of(rows, names), _answers_of(rows, shape))


def _beside(known: pa.Table, answers: pa.Array) -> pa.Table:
    return pa.table({**{name: known.column(name) for name in known.column_names}, ANSWERS: answers})


def _answers_of(rows: pa.Table, shape: Shape) -> pa.Array:
    return _as_column(Answers.from_arrow(of_a_step(shape), rows.column("answer")))


def _as_column(answers: Answers) -> pa.Array:
    column = answers_as_column(answers)
    return pa.array(column.tolist(), pa.float64() if column.dtype.kind == "f" else pa.string(), from_pandas=True)


def _keep(facts: Facts, house: House, model: Model, name: str, fresh: dict[int, Profile]) -> None:
    with house.store.transaction() as t:
        for start, found in fresh.items():
            facts.put(t, model.name, name, from_microseconds(start), found.to_plain())
