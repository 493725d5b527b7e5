"""Answers of another service: kept once, watched, its versions in the journal; nothing here answers for it."""

from __future__ import annotations

import math
import multiprocessing
from datetime import timedelta

import pytest

from everloop.errors import EverloopError
from everloop.lake.delta import DeltaTables
from everloop.loop.answers import NAMED, answer_due, answer_one, answers_of, find_answer, known_answers, named_answers, seal_answers
from everloop.loop.arrivals import receive_rows
from everloop.loop.look import history, why
from everloop.loop.people import undo
from everloop.loop.serve.routes import read_routes, write_routes
from everloop.loop.tell.elsewhere import MOST_NEW, tell_predictions
from everloop.loop.turn import turn
from everloop.loop.watching import seen
from everloop.monitor.drift import drifts
from everloop.project.conditions import at_most
from everloop.project.steps import shadow
from everloop.records import Candidate, Contest, Verdict
from everloop.serving.answered import SCHEMA, hashed
from everloop.serving.log import AnswersLog
from everloop.serving.refused import refusal
from everloop.training.rehearse import read_paired
from tests.loop.houses import NOW, day, demand, house_at, orders


@pytest.fixture
def house(tmp_path):
    return house_at(tmp_path)


def given(value=3.0, n=3, unit="p1", version="v1", **more):
    row = {"model": "demand", "product_id": unit, "moment": day(n).isoformat(), "version": version, "value": value}
    return {k: v for k, v in (row | more).items() if v is not None}


def champion(house, model=demand):
    return house.champion(house.traffic(model)).learner


def sold(house, days=60, products=12, first=0, now=NOW):
    """Orders of some products, every day more or fewer."""
    rows = [
        {
            "line_id": f"l{p}-{n}",
            "ordered_at": day(n) + timedelta(hours=1),
            "product_id": f"p{p}",
            "customer_id": "c",
            "quantity": 10 * (p + 1) + (n * 7 + p) % 5,
            "price": 100,
        }
        for n in range(first, days)
        for p in range(products)
    ]
    receive_rows(house, "orders", rows, now=now, known_after=timedelta(0))


def test_the_first_answer_makes_the_service_the_champion_in_the_journal(house):
    tell_predictions(house, [given()], NOW)
    traffic = house.traffic(demand)
    assert champion(house) == "v1"
    assert traffic.because == "answers come from elsewhere: v1"
    assert [v.name for v in house.versions.all("demand")] == ["demand@0", "demand@1"]
    lines, _ = history(house, demand)
    assert "answers come from elsewhere: v1" in lines[-1]
    assert "v1, which answers elsewhere" in "\n".join(why(house, "demand@1")[0])
    house.journal.verify()


def test_the_same_answer_again_is_a_duplicate_and_the_first_one_stays(house):
    assert tell_predictions(house, [given(), given(id="7", n=2)], NOW).kept == 2
    again = tell_predictions(house, [given(value=9), given(id="7", n=1, value=9), given(id="7", n=1)], NOW + timedelta(hours=1))
    assert (again.kept, again.duplicates) == (0, 3)
    seal_answers(house)
    assert tell_predictions(house, [given()], NOW).duplicates == 1
    assert [a["value"] for a in answers_of(house, demand)["answer"].to_pylist()] == [3.0, 3.0]


def test_what_was_told_of_an_answer_is_kept_with_it(house):
    told = given(features={"price": 2.5, "kind": "tea", "new": True, "gone": math.nan, "none": ""}, microseconds=1_200.0, id="7")
    tell_predictions(house, [told], NOW)
    [id] = answers_of(house, demand)["id"].to_pylist()
    answer = find_answer(house, id)
    assert dict(answer.features) == {"price": 2.5, "kind": "tea", "new": 1.0, "gone": None, "none": None}
    assert (answer.microseconds, answer.arm, answer.value) == (1_200, "champion", 3.0)


def test_a_private_column_is_hashed_as_in_answers_of_our_own(tmp_path):
    model = demand.but("demand", knows=[*demand.knows, orders.latest("customer_id")], fed_as="arrow")
    house = house_at(tmp_path, [model])
    name = model.columns[-1]
    tell_predictions(house, [given(features={name: "Ann"})], NOW)
    assert "Ann" not in answers_of(house, model)["features"][0].as_py()
    assert hashed("Ann", house.salt) in answers_of(house, model)["features"][0].as_py()


def test_a_new_name_is_a_new_version_and_a_known_one_moves_nothing(house):
    tell_predictions(house, [given(n=9)], NOW)
    tell_predictions(house, [given(n=5, version="v2")], NOW)
    generation = house.traffic(demand).generation
    assert champion(house) == "v2"
    tell_predictions(house, [given(n=1), given(n=1, version="v2")], NOW)
    assert (champion(house), house.traffic(demand).generation) == ("v2", generation)


def test_what_a_version_answered_before_is_history_and_takes_nothing_over(house):
    tell_predictions(house, [given(n=5, version="v2")], NOW)
    tell_predictions(house, [given(n=9, version="v1"), given(n=8, version="v1")], NOW)
    assert champion(house) == "v2"
    assert len(house.versions.all("demand")) == 3


def test_of_several_names_at_once_the_one_that_began_last_is_champion(house):
    tell_predictions(house, [given(n=2, version="v3"), given(n=9, version="v1"), given(n=5, version="v2")], NOW)
    assert champion(house) == "v3"
    assert [house.candidate(v.candidate).learner for v in house.versions.all("demand")][1:] == ["v1", "v2", "v3"]


def test_a_name_for_every_answer_is_refused_whole_and_admits_nothing(house):
    tell_predictions(house, [given(n=20, version="v0")], NOW)
    told = [given(n=2, unit=f"p{k}", version=f"request {k}") for k in range(MOST_NEW + 1)]
    versions, answers = len(house.versions.all("demand")), answers_of(house, demand)
    with pytest.raises(EverloopError, match=r"More than 10 versions .*'request 0'.* nothing was kept") as refused:
        tell_predictions(house, [*told, given(version="v0")], NOW)
    assert refusal(refused.value).status == 422
    assert len(house.versions.all("demand")) == versions
    assert answers_of(house, demand) == answers
    assert tell_predictions(house, [*told[:MOST_NEW], given(version="v0")], NOW).kept == MOST_NEW + 1
    assert tell_predictions(house, [*told], NOW).kept == 1, "those heard of before are not new"


def test_who_asks_by_id_reads_nothing_but_the_ids_and_what_stands_beside_them(house, monkeypatch):
    tell_predictions(house, [given(n=n, unit=f"p{n}") for n in range(2, 40)], NOW)
    seal_answers(house)
    ids = answers_of(house, demand).column("id").to_pylist()[:2]
    seen, read = [], DeltaTables.read

    def noted(self, name, **words):
        found = read(self, name, **words)
        seen.append((found.num_rows, found.column_names))
        return found

    monkeypatch.setattr(DeltaTables, "read", noted)
    assert known_answers(house, [*ids, "nobody's"]) == set(ids)
    assert named_answers(house, ids).num_rows == 2
    assert find_answer(house, ids[0]).id == ids[0]
    assert find_answer(house, "nobody's") is None
    assert tell_predictions(house, [given(n=5, unit="p5"), given(n=50, unit="p50")], NOW).duplicates == 1
    seal_answers(house)
    assert [rows for rows, _ in seen] == [2, 2, 1, 0, 1, 0]
    assert [len(columns) for _, columns in seen] == [1, len(NAMED), len(SCHEMA), len(SCHEMA), 1, 1]


def test_nothing_here_answers_for_it(house):
    sold(house)
    tell_predictions(house, [given()], NOW)
    before = answers_of(house, demand)
    for ask in (lambda: answer_due(house, demand, NOW), lambda: answer_one(house, demand, ["p1"], NOW)):
        with pytest.raises(EverloopError, match="answered elsewhere, by v1"):
            ask()
    with pytest.raises(EverloopError, match="answered elsewhere"):
        house.predictor(house.champion(house.traffic(demand)))
    assert answers_of(house, demand) == before


def test_a_person_can_take_a_model_back_from_a_service(house):
    sold(house)
    tell_predictions(house, [given(n=9), given(n=5, version="v2")], NOW)
    undo(house, demand, by="Kim", reason="told by mistake", now=NOW)
    assert house.champion(house.traffic(demand)).format == "baseline"
    assert answer_due(house, demand, NOW) > 0
    tell_predictions(house, [given(n=1, version="v2")], NOW)
    assert house.champion(house.traffic(demand)).format == "baseline"


@pytest.fixture
def contested(tmp_path):
    """A model whose candidate passes any contest and begins in shadow."""
    model = demand.but("demand", promote_when=at_most("mae", 1e9), roll_out=shadow(timedelta(days=1)), autonomy="act")
    house = house_at(tmp_path, [model])
    sold(house)
    return house, model


def test_a_candidate_is_held_against_what_the_service_answered_to_the_same_questions(contested):
    house, model = contested
    told = [given(value=12.0, n=n, unit=f"p{p}") for n in range(2, 40) for p in range(12)]
    tell_predictions(house, told, NOW)
    turn(house, model, NOW)
    [contest] = [e.record for e in house.journal.read(kind="Contest")]
    assert isinstance(contest, Contest)
    assert contest.champion == house.champion(house.traffic(model)).id
    assert contest.rows > 20
    paired = read_paired(house.blobs.read(contest.body))
    assert set(paired.champion.value.tolist()) == {12.0}
    assert len(set(paired.candidate.value.tolist())) == 1
    assert (house.traffic(model).stage, champion(house, model)) == ("shadow", "v1")


def test_only_questions_that_the_service_answered_are_compared(contested):
    house, model = contested
    tell_predictions(house, [given(value=12.0, n=n, unit="p1") for n in range(2, 40)], NOW)
    turn(house, model, NOW)
    [contest] = [e.record for e in house.journal.read(kind="Contest")]
    [training] = [e.record for e in house.journal.read(kind="TrainingSet")][-1:]
    assert 0 < contest.rows == (training.judge_rows - 12) // 12


def test_what_failed_and_what_another_version_said_is_not_compared(contested):
    house, model = contested
    told = [given(value=12.0, n=n, unit=f"p{p}") for n in range(2, 40) for p in range(1, 12)]
    told += [given(value=None, error="timeout", n=n, unit="p0") for n in range(2, 40)]
    older = [given(value=99.0, n=n, unit=f"p{p}", version="v0") for n in range(2, 45) for p in range(12)]
    tell_predictions(house, told + older, NOW)
    assert champion(house, model) == "v1"
    turn(house, model, NOW)
    [contest] = [e.record for e in house.journal.read(kind="Contest")]
    paired = read_paired(house.blobs.read(contest.body))
    assert set(paired.champion.value.tolist()) == {12.0}
    assert "p0" not in set(paired.units.tolist())


def test_without_a_common_question_there_is_not_enough_evidence(contested):
    house, model = contested
    tell_predictions(house, [given(value=12.0, n=3) | {"moment": (day(3) + timedelta(minutes=5)).isoformat()}], NOW)
    turn(house, model, NOW)
    [contest] = [e.record for e in house.journal.read(kind="Contest")]
    assert (contest.rows, contest.body) == (0, None)
    assert "answers elsewhere" in contest.why_empty
    [verdict] = [e.record for e in house.journal.read(kind="Verdict")]
    assert isinstance(verdict, Verdict)
    assert verdict.outcome == "not enough evidence"
    assert house.traffic(model).stage == "steady"


def test_a_candidate_in_shadow_answers_beside_the_service_and_once_it_took_over_there_is_no_way_back(contested):
    house, model = contested
    tell_predictions(house, [given(value=12.0, n=n, unit=f"p{p}") for n in range(2, 40) for p in range(12)], NOW)
    turn(house, model, NOW)
    later = NOW + timedelta(hours=13)
    assert answer_due(house, model, later) == 12
    rows = answers_of(house, model, since=NOW).to_pylist()
    assert {row["arm"] for row in rows} == {"shadow"}
    assert {row["version"] for row in rows} == {house.traffic(model).candidate}
    assert not any(row["error"] for row in rows)
    with pytest.raises(EverloopError, match="answered elsewhere"):
        answer_one(house, model, ["p1"], later)
    sold(house, days=0, first=-1, now=NOW + timedelta(days=1))
    turn(house, model, NOW + timedelta(days=1, hours=1))
    assert house.traffic(model).stage == "bake"
    assert answer_one(house, model, ["p1"], NOW + timedelta(days=1, hours=2)).arm == "champion"
    assert not any(row["error"] for row in answers_of(house, model, since=NOW).to_pylist())
    before = house.traffic(model)
    with pytest.raises(EverloopError, match=r"v1 answered, elsewhere.*nothing was changed"):
        undo(house, model, by="Kim", reason="?", now=NOW + timedelta(days=1, hours=3))
    assert house.traffic(model) == before


def test_in_shadow_an_undo_drops_the_candidate_and_the_service_goes_on(contested):
    house, model = contested
    tell_predictions(house, [given(value=12.0, n=n, unit=f"p{p}") for n in range(2, 40) for p in range(12)], NOW)
    turn(house, model, NOW)
    undo(house, model, by="Kim", reason="odd", now=NOW + timedelta(hours=1))
    assert (house.traffic(model).stage, champion(house, model)) == ("steady", "v1")


def test_what_learnt_here_and_answers_is_not_put_out_of_office_by_what_somebody_tells(contested):
    house, model = contested
    turn(house, model, NOW)
    sold(house, days=0, first=-1, now=NOW + timedelta(days=1))
    turn(house, model, NOW + timedelta(days=1, hours=1))
    before = house.traffic(model)
    assert house.champion(before).format not in ("baseline", "elsewhere")
    made = tell_predictions(house, [given(n=0)], NOW + timedelta(days=2))
    assert made.kept == 1
    assert house.traffic(model) == before
    assert answers_of(house, model)["arm"].to_pylist()[-1] == "shadow"


BAD = [
    (3, "no object"),
    (given(value=None), "answered by value, and it says nothing"),
    (given(shares={"a": 1}), "answered by value"),
    (given(value="3"), "is a number"),
    (given(value=True), "is a number"),
    (given(value=math.nan), "finite"),
    (given(version=None), "does not say the version"),
    (given(version=3), "no text"),
    (given(unit=None), "does not say product_id"),
    (given() | {"moment": "2030-01-01T00:00Z"}, "lies after now"),
    (given(prediction="x"), "unknown prediction"),
    (given(id=5), "no text"),
    (given(features=[1]), "features are an object"),
    (given(features={"a": [1]}), "is a number"),
    (given(features={"a": math.inf}), "finite"),
    (given(features={"a": []}), "is a number"),
    (given(features={"": 1}), "is empty"),
    (given(features={"a\ud800": 1}), "no valid text"),
    (given(features={f"f{n}": 1 for n in range(2_001)}), "are the most"),
    (given(microseconds=-1), "not below 0"),
    (given(microseconds="fast"), "not below 0"),
    (given(microseconds=math.nan), "not below 0"),
    ({"model": "leaves", "unit": "c", "version": "v", "value": 1.1}, "between 0 and 1"),
    ({"model": "spread", "unit": ["p", "c"], "version": "v", "quantiles": {"0.1": 1, "0.5": 2}}, "each of the levels"),
    ({"model": "spread", "unit": ["p", "c"], "version": "v", "quantiles": {"0.1": 1, "0.5": 2, "x": 3}}, "each of the levels"),
    ({"model": "spread", "unit": ["p", "c"], "version": "v", "quantiles": [1, 2, None]}, "is a number"),
    ({"model": "spread", "unit": ["p", "c"], "version": "v", "quantiles": 3}, "each of the levels"),
    ({"model": "topics", "unit": "t", "version": "v", "shares": {"a": 0.2}}, "add up to 1"),
    ({"model": "topics", "unit": "t", "version": "v", "shares": {"a": 1.5, "b": -0.5}}, "at least 0"),
    ({"model": "topics", "unit": "t", "version": "v", "shares": {}}, "shares are an object"),
    ({"model": "topics", "unit": "t", "version": "v", "shares": {"a": "1"}}, "is a number"),
    ({"model": "topics", "unit": "t", "version": "v", "error": "timeout"}, "labels are not known"),
    ({"model": "likes", "unit": "c", "version": "v", "items": "a"}, "list of names"),
    ({"model": "likes", "unit": "c", "version": "v", "items": []}, "0 items"),
    ({"model": "likes", "unit": "c", "version": "v", "items": ["a", "a"]}, "twice"),
    ({"model": "likes", "unit": "c", "version": "v", "items": ["a"], "scores": [1, 2]}, "one for each item"),
]


@pytest.mark.parametrize(("row", "why"), BAD)
def test_a_bad_row_is_refused_with_the_reason_and_the_others_are_kept(house, row, why):
    made = tell_predictions(house, [given(), row], NOW)
    assert (made.kept, made.refused) == (1, 1), made
    assert why in made.examples[0]
    assert [v.name for v in house.versions.all("demand")] == ["demand@0", "demand@1"]


@pytest.mark.parametrize(
    ("row", "answer", "says"),
    [
        ({"model": "leaves", "unit": "c", "value": 0.25}, {"value": 0.25, "values": [], "items": []}, None),
        ({"model": "spread", "unit": ["p", "c"], "quantiles": [1, 3, 2]}, {"value": 2.0, "values": [1.0, 2.0, 3.0], "items": []}, None),
        ({"model": "topics", "unit": "t", "shares": {"b": 0.75, "a": 0.25}}, {"value": 0.75, "values": [0.25, 0.75], "items": []}, "b"),
        ({"model": "likes", "unit": "c", "items": ["b", "a"]}, {"value": 2.0, "values": [0.0, -1.0], "items": ["b", "a"]}, None),
        ({"model": "demand", "unit": "p", "error": "timeout"}, None, None),
    ],
)
def test_each_kind_of_answer_is_kept_as_our_own_would_be(house, row, answer, says):
    made = tell_predictions(house, [row | {"version": "v"}], NOW)
    assert made.kept == 1, made.examples
    model = house.project.model(row["model"])
    [kept] = answers_of(house, model).to_pylist()
    assert kept["answer"] == answer
    assert (kept["says"], kept["error"]) == (says, row.get("error"))
    assert seen(house, model, house.traffic(model), now=NOW + timedelta(days=1)).failed == ("error" in row)


def test_a_label_the_version_never_had_is_refused(house):
    row = {"model": "topics", "unit": "t", "version": "v", "shares": {"a": 1}}
    tell_predictions(house, [row], NOW)
    made = tell_predictions(house, [row | {"unit": "u", "shares": {"b": 1}}, row | {"unit": "u", "version": "w", "shares": {"b": 1}}], NOW)
    assert (made.kept, made.refused) == (1, 1)
    assert "no label 'b'" in made.examples[0]


def test_features_that_change_their_kind_do_not_end_the_watching(house):
    rows = [given(n=n, unit=f"p{i}", features={"a": i, "b": "x"}) for n in range(3, 11) for i in range(60)]
    rows += [given(n=n, unit=f"p{i}", features={"a": "text", "b": 7}) for n in (1, 2) for i in range(60)]
    tell_predictions(house, rows, NOW)
    found = seen(house, demand, house.traffic(demand), now=NOW)
    assert found.reference is not None
    assert len(found.windows) == 10


def test_drift_of_what_the_service_knew_is_found(house):
    rows = [given(n=n, unit=f"p{i}", features={"price": i + (50 if n < 3 else n % 2)}) for n in range(1, 20) for i in range(60)]
    tell_predictions(house, rows, NOW)
    found = seen(house, demand, house.traffic(demand), now=NOW)
    [price] = drifts(found.reference, found.windows, ["price"])
    assert price.drifted
    steady = [given(n=n, unit=f"p{i}", features={"price": i + n % 2}, version="calm") for n in range(1, 20) for i in range(60)]
    calm = house_at(house.settings.house / "other")
    tell_predictions(calm, steady, NOW)
    found = seen(calm, demand, calm.traffic(demand), now=NOW)
    assert not drifts(found.reference, found.windows, ["price"])[0].drifted


def test_answers_of_any_moment_are_seen_window_by_window(house):
    rows = [given(n=1, unit=f"p{i}", microseconds=100) | {"moment": (day(1) + timedelta(minutes=i)).isoformat()} for i in range(30)]
    tell_predictions(house, rows, NOW)
    found = seen(house, demand, house.traffic(demand), now=NOW)
    assert (found.answers, len(found.microseconds)) == (30, 30)


def test_answers_can_be_written_to_the_segment_of_a_worker(house):
    with AnswersLog(house.settings.answers) as log:
        tell_predictions(house, [given()], NOW, log=log)
        assert len(answers_of(house, demand)) == 1
        assert tell_predictions(house, [given()], NOW, log=log).duplicates == 1
    assert len(list(house.settings.answers.glob("*"))) == 1


def _told(folder):
    house = house_at(folder)
    tell_predictions(house, [given(n=n % 9, unit=f"p{n}", version=f"v{n % 3}") for n in range(60)], NOW)


def test_two_processes_hear_the_same_service_at_once(tmp_path):
    house = house_at(tmp_path)
    context = multiprocessing.get_context("spawn")
    others = [context.Process(target=_told, args=(tmp_path,)) for _ in range(2)]
    for other in others:
        other.start()
    for other in others:
        other.join(120)
    assert [other.exitcode for other in others] == [0, 0]
    assert len(answers_of(house, demand)) == 60
    seal_answers(house)
    assert len(answers_of(house, demand)) == 60
    assert len(house.versions.all("demand")) == 4
    heard = [e.record for e in house.journal.read(kind="Candidate") if isinstance(e.record, Candidate) and e.record.format == "elsewhere"]
    assert len(heard) == 3
    house.journal.verify()


def test_workers_hear_of_a_service_that_takes_over_though_nobody_turns_the_house(house):
    answer_due(house, demand, day(2))
    before = write_routes(house)
    tell_predictions(house, [given()], NOW)
    now = read_routes(house.settings.house / "routes.json")
    assert now.number == before.number + 1
    assert now.models["demand"].traffic == house.traffic(demand)
    assert {named.candidate.learner for named in now.models["demand"].versions.values()} == {"v1"}
