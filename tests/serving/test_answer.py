"""Answering: who answers, what if it cannot, and what is remembered."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from everloop_rows import (
    DAY,
    NOW,
    Gives,
    Says,
    asked,
    churn,
    demand,
    everybody_champion,
    odd_ones_to_the_candidate,
    traffic,
)

from everloop.errors import EverloopError, Unknown
from everloop.records import Shape
from everloop.serving import SCHEMA, AnswersLog, answer, features_of, predictions, private_columns, unsealed
from everloop.stats.shapes import Answers


def ask(predictors, how=None, model=None, count=6, arm_of=everybody_champion, **words):
    questions, features = asked(count)
    return answer(model or demand(), how or traffic(), predictors, questions, features, now=NOW, arm_of=arm_of, **words)


class Keeps:
    """A log in memory."""

    def __init__(self):
        self.rows = SCHEMA.empty_table()

    def write(self, rows):
        self.rows = pa.concat_tables([self.rows, rows])


def without_times(rows):
    return rows.drop_columns(["microseconds"]).to_pylist()


def by_unit(rows, *arms):
    return {r["unit"]: r for r in rows.table.to_pylist() if r["arm"] in arms}


def test_every_question_is_answered_in_its_order():
    found = ask({"v1": Says(plus=1.0)}).predictions()
    assert [p.value for p in found] == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert [p.unit for p in found] == ["p0", "p1", "p2", "p3", "p4", "p5"]
    assert {p.arm for p in found} == {"champion"}


def test_no_question_is_no_answer():
    rows = ask({"v1": Says()}, count=0)
    assert rows.predictions() == []
    assert len(rows.table) == 0


def test_a_share_of_the_units_is_answered_by_the_candidate():
    how = traffic("canary", candidate="v2", share=0.5)
    found = ask({"v1": Says(), "v2": Says(plus=100.0)}, how, arm_of=odd_ones_to_the_candidate).predictions()
    assert [p.value for p in found] == [0.0, 101.0, 2.0, 103.0, 4.0, 105.0]
    assert [p.version for p in found] == ["v1", "v2"] * 3


def test_a_unit_stays_with_its_arm_however_often_it_asks():
    how = traffic("canary", candidate="v2", share=0.5)
    first = ask({"v1": Says(), "v2": Says()}, how, arm_of=odd_ones_to_the_candidate)
    again = ask({"v1": Says(), "v2": Says()}, how, arm_of=odd_ones_to_the_candidate)
    assert first.table.column("version") == again.table.column("version")
    assert first.table.column("id") == again.table.column("id")


def test_in_shadow_the_candidate_answers_everything_and_nobody_sees_it():
    rows = ask({"v1": Says(), "v2": Says(plus=9.0)}, traffic("shadow", candidate="v2"))
    assert {p.version for p in rows.predictions()} == {"v1"}
    assert {u: r["answer"]["value"] for u, r in by_unit(rows, "shadow").items()} == {f"p{i}": i + 9.0 for i in range(6)}


def test_in_a_canary_both_answer_every_question_once():
    how = traffic("canary", candidate="v2", share=0.5)
    rows = ask({"v1": Says(), "v2": Says()}, how, arm_of=odd_ones_to_the_candidate)
    said = sorted(zip(rows.table.column("unit").to_pylist(), rows.table.column("version").to_pylist(), strict=True))
    assert said == sorted((f"p{i}", v) for i in range(6) for v in ("v1", "v2"))


def test_in_bake_the_version_it_replaced_goes_on_in_shadow():
    rows = ask({"v1": Says(), "v0": Says()}, traffic("bake", previous="v0"))
    assert {r["version"] for r in by_unit(rows, "shadow").values()} == {"v0"}
    assert len(by_unit(rows, "shadow")) == 6


def test_a_steady_champion_has_no_shadow():
    assert len(ask({"v1": Says(), "v0": Says()}, traffic(previous="v0")).table) == 6


def test_shadow_answers_can_be_left_for_later():
    log, left = Keeps(), []
    served = ask(
        {"v1": Says(), "v2": Says(plus=9.0)}, traffic("shadow", candidate="v2"), log=log, later=lambda work, held: left.append(work)
    )
    assert (len(served.table), len(log.rows)) == (6, 6)
    left[0]()
    at_once = ask({"v1": Says(), "v2": Says(plus=9.0)}, traffic("shadow", candidate="v2")).table
    assert without_times(log.rows) == without_times(at_once)


def test_nothing_is_left_for_later_where_nothing_is_rolled_out():
    left = []
    ask({"v1": Says()}, log=Keeps(), later=lambda work, held: left.append(work))
    assert left == []


@pytest.mark.parametrize("broken", [Says(raises=[1.0, 3.0, 5.0]), Says(nan=[1.0, 3.0, 5.0]), Says(plus=float("inf")), None])
def test_a_candidate_that_fails_is_answered_for_by_the_champion_in_the_same_call(broken):
    how = traffic("canary", candidate="v2", share=0.5)
    predictors = {"v1": Says(plus=0.5)} | ({"v2": broken} if broken else {})
    rows = ask(predictors, how, arm_of=odd_ones_to_the_candidate)
    assert [p.value for p in rows.predictions()] == [0.5, 1.5, 2.5, 3.5, 4.5, 5.5]
    assert {p.version for p in rows.predictions()} == {"v1"}
    failures = [r for r in rows.table.to_pylist() if r["error"] and r["arm"] == "candidate"]
    assert [(r["unit"], r["version"], r["answer"]) for r in failures] == [(f"p{i}", "v2", None) for i in (1, 3, 5)]


def test_one_bad_row_leaves_the_others_to_the_candidate():
    how = traffic("canary", candidate="v2", share=0.5)
    rows = ask({"v1": Says(), "v2": Says(plus=100.0, raises=[3.0])}, how, arm_of=odd_ones_to_the_candidate)
    assert [p.value for p in rows.predictions()] == [0.0, 101.0, 2.0, 3.0, 4.0, 105.0]
    assert [r["error"] for r in rows.table.to_pylist() if r["error"]] == ["ValueError: no such luck"]


def test_a_model_that_always_raises_is_not_asked_once_for_each_row():
    broken = Says(raises=range(1000))
    rows = ask({"v1": Says(), "v2": broken}, traffic("shadow", candidate="v2"), count=1000)
    assert len(broken.asked) < 100
    assert all(r["error"] for r in by_unit(rows, "shadow").values())


def test_a_failing_candidate_is_not_asked_again_in_shadow():
    how = traffic("canary", candidate="v2", share=0.5)
    rows = ask({"v1": Says(), "v2": Says(nan=[1.0])}, how, arm_of=odd_ones_to_the_candidate)
    ids = rows.table.column("id").to_pylist()
    assert len(ids) == len(set(ids)) == 12


def test_a_champion_that_fails_says_so_where_nobody_can_answer_for_it():
    found = ask({"v1": Says(nan=[2.0])}).predictions()
    assert found[2].value is None
    assert "no answer" in found[2].error
    assert [p.error for p in found if p.unit != "p2"] == [None] * 5


def test_in_bake_the_old_champion_answers_where_the_new_one_cannot():
    found = ask({"v1": Says(nan=[2.0]), "v0": Says(plus=0.25)}, traffic("bake", previous="v0")).predictions()
    assert (found[2].value, found[2].version) == (2.25, "v0")


def test_units_of_a_control_are_answered_by_the_baseline_and_logged_with_their_chance():
    how = replace(traffic(), control=0.2, baseline="v0")
    found = ask({"v1": Says(), "v0": Says(plus=7.0)}, how, arm_of=lambda u, t: "control" if u == "p1" else "champion").predictions()
    assert (found[1].arm, found[1].version, found[1].value) == ("control", "v0", 8.0)
    assert [p.propensity for p in found[:3]] == [0.8, 0.2, 0.8]


def test_a_candidate_that_is_answered_for_keeps_the_chance_its_arm_was_drawn_with():
    how = replace(traffic(), stage="canary", candidate="v2", share=0.25, salt="s")
    log = Keeps()
    ask({"v1": Says(), "v2": Says(raises=[1.0])}, how, arm_of=lambda u, t: "candidate" if u == "p1" else "champion", log=log)
    rows = {(r["unit"], r["version"], r["arm"]): r["propensity"] for r in log.rows.to_pylist()}
    assert rows[("p1", "v2", "candidate")] == rows[("p1", "v1", "champion")] == 0.25
    assert rows[("p2", "v1", "champion")] == 0.75
    assert rows[("p2", "v2", "shadow")] is None


def test_of_several_candidates_each_answers_its_units_the_champion_for_one_that_fails_and_all_of_them_unseen():
    how = replace(traffic(), stage="canary", candidate="v2", arms=("v2", "v3"), share=0.5, salt="s")
    log, whose = Keeps(), {"p1": "candidate", "p2": "candidate-2", "p3": "candidate-2"}
    versions = {"v1": Says(), "v2": Says(plus=2.0), "v3": Says(plus=3.0, raises=[3.0])}
    found = ask(versions, how, arm_of=lambda u, t: whose.get(u, "champion"), log=log).predictions()
    assert [(p.arm, p.version, p.value) for p in found[:4]] == [
        ("champion", "v1", 0.0), ("candidate", "v2", 3.0), ("candidate-2", "v3", 5.0), ("champion", "v1", 3.0),
    ]  # fmt: skip
    assert [p.propensity for p in found[:4]] == [0.5, 0.25, 0.25, 0.25]
    rows = log.rows.to_pylist()
    assert sorted((r["unit"], r["version"]) for r in rows) == [(f"p{n}", version) for n in range(6) for version in ("v1", "v2", "v3")]
    assert [(r["unit"], r["arm"]) for r in rows if r["error"]] == [("p3", "candidate-2")]


def test_units_are_split_by_the_column_the_model_says():
    seen = []
    questions, features = asked(3)
    questions = questions.append_column("customer", pa.array(["x", "x", "y"]))
    model = demand()
    object.__setattr__(model, "split_by", "customer")
    answer(model, traffic(), {"v1": Says()}, questions, features, now=NOW, arm_of=lambda u, t: seen.append(u) or "champion")
    assert seen == ["x", "x", "y"]


def test_a_chance_says_yes_above_the_line_and_no_up_to_it():
    shape = Shape(kind="chance", labels=("no", "yes"))
    found = ask({"v1": Gives(Answers(shape, np.array([0.2, 0.5, 0.51])))}, model=churn(), count=3).predictions()
    assert [p.says for p in found] == ["no", "no", "yes"]


def test_a_chance_beyond_1_is_an_error_and_never_an_answer():
    shape = Shape(kind="chance", labels=("no", "yes"))
    how = traffic("canary", candidate="v2", share=0.5)
    predictors = {"v1": Gives(Answers(shape, np.array([0.1]))), "v2": Gives(Answers(shape, np.array([1.2])))}
    rows = ask(predictors, how, model=churn(), count=1, arm_of=lambda u, t: "candidate")
    assert rows.predictions()[0].value == 0.1
    assert "1.2" in rows.table.to_pylist()[1]["error"]


def test_class_shares_say_the_likeliest_label():
    shape = Shape(kind="shares", labels=("a", "b"))
    given = Answers(shape, np.array([0.8]), values=np.array([[0.2, 0.8]]))
    found = ask({"v1": Gives(given)}, count=1).predictions()[0]
    assert (found.says, found.values, found.value) == ("b", (0.2, 0.8), 0.8)


def test_quantiles_come_through_step_by_step():
    shape = Shape(kind="quantiles", levels=(0.1, 0.9), steps=2)
    given = Answers(shape, np.array([3.0]), values=np.array([[1.0, 2.0, 3.0, 4.0]]))
    assert ask({"v1": Gives(given)}, count=1).predictions()[0].values == (1.0, 2.0, 3.0, 4.0)


class Ranks:
    columns = ("orders_quantity_total_last_7d",)
    shape = Shape(kind="ranking", most=2)

    def answer(self, features):
        ids, items = features.column("question").to_pylist(), features.column("item").to_pylist()
        lists = {q: sorted((i for p, i in zip(ids, items, strict=True) if p == q), reverse=True)[:2] for q in dict.fromkeys(ids)}
        scores = tuple(tuple(float(-n) for n in range(len(one))) for one in lists.values())
        return Answers(
            self.shape, np.array([float(len(i)) for i in lists.values()]), items=tuple(map(tuple, lists.values())), scores=scores
        )


@pytest.mark.parametrize("ids", [[0, 0, 0, 2], [2, 0, 2, 0], [0, 2, 2]])
def test_lists_are_ranked_for_each_question_and_a_question_without_candidates_gets_none(ids):
    questions, _ = asked(3)
    features = pa.table({"question": ids, "item": [f"i{n}" for n in range(len(ids))], Ranks.columns[0]: [0.0] * len(ids)})
    rows = answer(demand(), traffic(), {"v1": Ranks()}, questions, features, now=NOW, arm_of=everybody_champion)
    found = rows.predictions()
    due = [tuple(sorted((f"i{n}" for n, q in enumerate(ids) if q == at), reverse=True)[:2]) for at in range(3)]
    assert [p.items for p in found] == due
    assert found[1].value is None
    assert found[1].error is None  # nobody is to blame
    assert dict(found[0].features)["item"] == tuple(f"i{n}" for n, q in enumerate(ids) if q == 0)


def test_features_are_kept_with_the_answer_and_private_ones_as_hashes():
    rows = ask({"v1": Says()}, count=1, salt="house")
    features = dict(rows.predictions()[0].features)
    assert features["orders_quantity_total_last_7d"] == 0.0
    assert features["orders_kind_latest"] == "tea"
    assert len(features["orders_customer_latest"]) == 16
    assert "Ann" not in str(rows.table.to_pylist())
    other = dict(ask({"v1": Says()}, count=1, salt="another").predictions()[0].features)
    assert other["orders_customer_latest"] != features["orders_customer_latest"]


def test_what_shows_a_private_column_is_private_and_a_count_of_it_is_not():
    assert private_columns(demand()) == {"orders_customer_latest"}


def test_features_come_back_as_columns():
    rows = ask({"v1": Says()}, count=3)
    back = features_of(rows.table, ["orders_quantity_total_last_7d", "orders_kind_latest", "gone"])
    assert back.to_pydict() == {"orders_quantity_total_last_7d": [0.0, 1.0, 2.0], "orders_kind_latest": ["tea"] * 3, "gone": [None] * 3}


def test_ids_differ_by_model_moment_unit_and_version():
    questions, features = asked(2)
    how = traffic("shadow", candidate="v2")
    predictors = {"v1": Says(), "v2": Says()}
    ids = []
    for moment in (DAY, 2 * DAY):
        at = questions.set_column(1, "moment", pa.array([moment] * 2))
        for model in (demand(), replace_name(demand(), "other")):
            ids += answer(model, how, predictors, at, features, now=NOW, arm_of=everybody_champion).table.column("id").to_pylist()
    assert len(set(ids)) == len(ids) == 16


def replace_name(model, name):
    return model.but(name)


def test_answers_are_in_the_log_before_they_are_given(tmp_path):
    class Full:
        def write(self, rows):
            raise EverloopError("the log is full")

    with pytest.raises(EverloopError, match="the log is full"):
        ask({"v1": Says()}, log=Full())
    with AnswersLog(tmp_path) as log:
        rows = ask({"v1": Says(), "v2": Says()}, traffic("shadow", candidate="v2"), log=log)
        assert unsealed(tmp_path) == rows.table
        assert predictions(unsealed(tmp_path))[:6] == rows.predictions()


def test_scoring_again_is_a_no_op_in_the_log(tmp_path):
    with AnswersLog(tmp_path) as log:
        for _ in range(2):
            ask({"v1": Says()}, log=log)
    assert len(unsealed(tmp_path)) == 6


def test_without_the_champion_nobody_is_answered_and_the_error_says_what_to_load():
    with pytest.raises(Unknown, match=r"no version 'v1'.*Load the champion"):
        ask({"v2": Says()})


def test_questions_without_their_unit_are_refused():
    questions, features = asked(2)
    with pytest.raises(Unknown, match="product_id"):
        answer(demand(), traffic(), {"v1": Says()}, questions.drop_columns(["product_id"]), features, now=NOW, arm_of=everybody_champion)


def test_features_that_do_not_belong_to_the_questions_are_refused():
    questions, features = asked(3)
    for wrong in (features.slice(0, 2).drop_columns(["question"]), features.set_column(0, "question", pa.array([0, 1, 9]))):
        with pytest.raises(EverloopError, match="features"):
            answer(demand(), traffic(), {"v1": Says()}, questions, wrong, now=NOW, arm_of=everybody_champion)


def test_a_predictor_that_forgets_a_row_is_an_error_for_every_row():
    class Short(Says):
        def answer(self, features):
            given = super().answer(features)
            return replace(given, value=given.value[:-1])

    found = ask({"v1": Short()}).predictions()
    assert {p.error for p in found} == {"it gave 5 answers to 6 questions"}


def test_thirteen_hundred_answers_cost_less_than_a_tenth_of_a_second_beside_the_model(tmp_path):
    with AnswersLog(tmp_path, durability="process") as log:
        took = []
        for moment in range(5):
            questions, features = asked(1303, moment)
            began = time.process_time()
            answer(demand(), traffic(), {"v1": Says()}, questions, features, now=NOW, arm_of=everybody_champion, log=log)
            took.append(time.process_time() - began)
    assert min(took) < 0.1
