"""Measures by other names, at the gate and after it: scikit-learn's scorers, money, and a function of the user's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics as oracle

from everloop.errors import EverloopError, ProjectError
from everloop.loop.steps import judge_now, train_now, watch_now
from everloop.loop.turn import turn
from everloop.training import read_paired
from tests.ring.conftest import END

GATE = 'promote_when=beats_champion("wape", by=0.02)'


def gate(says, extra=""):
    def changed(text):
        assert GATE in text
        text = text.replace(GATE, f"promote_when={says}").replace("max_iter=60", "max_iter=20")
        text = text.replace("from everloop import", "from everloop import cost\nfrom everloop import", 1)
        return text.replace("demand = Model(", f"{extra}\n\ndemand = Model(")

    return changed


def judged(house, model):
    candidate = train_now(house, model, END)
    return judge_now(house, model, candidate.id, END)


def contest_of(house, verdict):
    return read_paired(house.blobs.read(house.journal.get(verdict.made_from[0]).body))


def test_the_gate_judges_by_a_scorer_of_scikit_learn(opened):
    house, model = opened("shop", gate('[beats_champion("neg_mean_absolute_error", by=0.02), at_least("r2", 0.1)]'))
    verdict = judged(house, model)
    pair = contest_of(house, verdict)
    first, second = verdict.opinions
    assert first.candidate == pytest.approx(-oracle.mean_absolute_error(pair.truth, pair.candidate.value))
    assert first.low <= first.effect <= first.high
    assert first.sentence.startswith("Mean absolute error, negated -")
    assert second.candidate == pytest.approx(oracle.r2_score(pair.truth, pair.candidate.value))


REVENUE = '''
def revenue(truth, answers, rows):
    """What is sold of what was there, at the price of then, less what is left over."""
    price = rows["orders_price_latest"]
    return float(np.nansum(price * np.minimum(truth, answers) - 0.3 * price * np.maximum(answers - truth, 0)))
'''


def by_revenue(text):
    return "import numpy as np\n" + gate("beats_champion(revenue)", REVENUE)(text)


def test_the_gate_judges_by_a_function_of_the_users(opened):
    house, model = opened("shop", by_revenue)
    verdict = judged(house, model)
    (opinion,) = verdict.opinions
    pair = contest_of(house, verdict)
    assert set(pair.candidate.beside) >= set(model.columns)
    price = pair.candidate.beside["orders_price_latest"]
    due = np.nansum(price * np.minimum(pair.truth, pair.candidate.value) - 0.3 * price * np.maximum(pair.candidate.value - pair.truth, 0))
    assert opinion.candidate == pytest.approx(due)
    assert (opinion.measure, opinion.clause) == ("revenue", "beats_champion(revenue)")
    assert opinion.low < opinion.effect < opinion.high
    assert opinion.sentence.startswith("Revenue ")


def test_another_function_of_the_same_name_is_another_model(opened):
    _, model = opened("shop", by_revenue)
    first = model.said
    _, other = opened("shop", lambda text: text.replace("0.3 * price", "0.4 * price"))
    assert first != other.said
    assert repr(model) == repr(other)


def test_what_a_function_raises_is_told_with_what_it_is_given(opened):
    house, model = opened("shop", gate("beats_champion(wrong)", "def wrong(truth, answers, rows):\n    return rows['nothing']"))
    with pytest.raises(EverloopError, match=r"wrong\(truth, answers, rows\) raised KeyError on [\d,]+ questions"):
        judged(house, model)


@pytest.mark.parametrize(
    ("says", "mistake"),
    [
        ("[], roll_back_when=worse_than_champion(value)", "value is worked out of all questions at once"),
        ('[], roll_back_when=worse_than_champion("neg_max_error")', "neg_max_error is worked out of all questions at once"),
        ("beats_champion(lambda truth, answers, rows: 0.0)", "has no name to be found under again"),
        ('beats_champion("f1")', "answers with numbers, which have no f1"),
        ('beats_champion("neg_mean_absolute_eror")', "Did you mean 'neg_mean_absolute_error'"),
    ],
)
def test_a_measure_that_cannot_stand_there_is_a_mistake(opened, says, mistake):
    def changed(text):
        text = gate(says, "def value(truth, answers, rows):\n    return 0.0")(text)
        return text.replace('roll_back_when=worse_than_champion("wape", by=0.10),', "") if "roll_back_when" in says else text

    with pytest.raises(ProjectError, match=mistake):
        opened("shop", changed)


def test_money_is_judged_at_the_gate_and_watched_after_it(opened):
    """Of loans that were refused, by numbers."""
    from everloop.stats.measures import measure

    house, model = opened("fraud")
    said = model.but("fraud", promote_when=())
    assert said.kind == "chance"
    from everloop import cost, slipped, worse_than_champion
    from everloop.project.conditions import beats_champion

    loss = cost(missed=250_00, false_alarm=15_00)
    model = model.but("fraud", promote_when=beats_champion(loss), roll_back_when=worse_than_champion(loss), retrain_when=slipped(loss))
    house = replace(house, project=replace(house.project, models={"fraud": model}))
    verdict = judged(house, model)
    (opinion,) = verdict.opinions
    pair = contest_of(house, verdict)
    says = pair.candidate.value > (pair.candidate.shape.yes_above or 15_00 / (250_00 + 15_00))
    yes = pair.truth > 0.5
    due = np.where(yes & ~says, 250_00, np.where(~yes & says, 15_00, 0)).mean()
    assert opinion.candidate == pytest.approx(due)
    assert opinion.measure == "cost(missed=25000, false_alarm=1500)"
    assert opinion.sentence.startswith("Cost ")
    assert measure(opinion.measure).better == "lower"
    signals = watch_now(house, model, END)
    assert {s.measure for s in signals.signals if s.kind in ("worse", "slip")} == {opinion.measure}


def test_a_miss_costs_what_a_reading_says_of_that_very_question(opened):
    from everloop import cost
    from everloop.project.conditions import beats_champion

    house, model = opened("fraud")
    (reading, *_) = [r for r in model.knows if r.kind == "number"]
    model = model.but("fraud", promote_when=beats_champion(cost(missed=reading, false_alarm=500)))
    house = replace(house, project=replace(house.project, models={"fraud": model}))
    verdict = judged(house, model)
    (opinion,) = verdict.opinions
    pair = contest_of(house, verdict)
    missed = pair.candidate.beside[reading.name]
    above = pair.candidate.shape.yes_above
    says = pair.candidate.value > (500 / (500 + missed) if above is None else above)
    yes = pair.truth > 0.5
    assert opinion.candidate == pytest.approx(np.where(yes & ~says, missed, np.where(~yes & says, 500, 0)).mean())


def test_a_turn_goes_round_by_scorers_all_the_way(opened):
    def changed(text):
        text = gate('beats_champion("neg_mean_absolute_error", by=0.02)')(text)
        return text.replace('worse_than_champion("wape", by=0.10)', 'worse_than_champion("neg_mean_absolute_error", by=0.10)').replace(
            'slipped("wape", by=0.10)', 'slipped("neg_root_mean_squared_error", by=0.10)'
        )

    house, model = opened("shop", changed)
    turn(house, model, END)
    signals = watch_now(house, model, END)
    assert "neg_root_mean_squared_error" in {s.measure for s in signals.signals}
