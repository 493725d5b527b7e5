"""What is said can be said again, and is found again: reprs, lines, identities."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from types import ModuleType

import pytest

import everloop
from everloop.errors import ProjectError
from everloop.project.learner import learner_said
from everloop.project.reading import leaves
from everloop.project.resolve import all_readings
from everloop.project.said import Place, keyword_place

FILES = ["demand", "recommend", "churn", "fraud", "houses", "clicks", "own_table", "many_shops"]


@pytest.mark.parametrize("name", FILES)
def test_everything_in_a_project_file_said_again_is_the_same(load: Callable[[str], ModuleType], name: str) -> None:
    project = load(name)
    models = [m for m in vars(project).values() if isinstance(m, everloop.Model)]
    names = {w: getattr(everloop, w) for w in everloop.__all__} | {"datetime": datetime} | vars(project)
    for model in models:
        names |= {s.name: s for s in model.sources} | {model.name: model} | classes_in(model.learner)
    for model in models:
        said_already: list[object] = [
            *all_readings(model),
            *model.promote_when,
            *model.roll_out,
            *model.roll_back_when,
            *model.retrain_when,
        ]
        for word in said_already:
            assert eval(repr(word), dict(names)) == word
        for source in model.sources:
            assert eval(repr(source), dict(names)) == source
        again = eval(repr(model), dict(names))
        assert again == model
        assert again.said == model.said
        assert hash(again) == hash(model)
        assert leaves(model.predicts)


def classes_in(learner: object) -> dict[str, type]:
    if isinstance(learner, dict):
        return {k: v for one in learner.values() for k, v in classes_in(one).items()}
    found = {type(learner).__name__: type(learner)}
    for part in [*(s[1] for s in getattr(learner, "steps", ())), *(t[1] for t in getattr(learner, "transformers", ()))]:
        found |= classes_in(part)
    return found


def test_an_identity_changes_with_the_learner_a_source_or_a_clause(load: Callable[[str], ModuleType]) -> None:
    project = load("churn")
    same = project.churn.but("churn")
    assert same == project.churn
    others = [
        same.but("churn", learner=project.HistGradientBoostingClassifier(max_iter=99)),
        same.but("churn", promote_when=[everloop.beats_champion("auc", by=0.006)]),
        same.but("churn", among=()),
        same.but("churn2"),
    ]
    assert len({m.said for m in (same, *others)}) == 5


def test_a_model_of_another_source_is_another_model() -> None:
    def model(late: timedelta) -> everloop.Model:
        orders = everloop.Source("orders", id="order_id", time="at", late=late, columns={"customer_id": str})
        week = everloop.days(7)
        return everloop.Model(
            "churn",
            predicts=orders.none(next=week),
            per="customer_id",
            asked=everloop.every(week),
            knows=orders.count(last=week),
            learner=learn,
        )

    assert model(everloop.hours(1)) == model(everloop.hours(1))
    assert model(everloop.hours(1)) != model(everloop.hours(2))


def learn(rows: object) -> None:
    """Stands in for a user's function."""


def test_words_and_models_can_be_carried_to_another_process(load: Callable[[str], ModuleType]) -> None:
    model = load("fraud").fraud
    again = pickle.loads(pickle.dumps(model))
    assert again == model
    assert again.knows == model.knows


def test_a_word_knows_the_line_it_was_said_on(load: Callable[[str], ModuleType]) -> None:
    demand = load("demand").demand
    assert demand.place.file.endswith("demand.py")
    assert (demand.place.line, demand.predicts.place.line, demand.knows[0].place.line) == (21, 23, 29)


def test_a_shipped_source_points_at_the_file_that_imports_it(load: Callable[[str], ModuleType]) -> None:
    assert Path(load("many_shops").order_lines.place.file).name != "shopify_stand_in.py"


def test_a_keyword_is_found_in_the_word_that_says_it(tmp_path: Path) -> None:
    file = tmp_path / "project.py"
    file.write_text("m = Model('m', predicts=a.total('q', per='x',\n  next=1),\n  per='y',\n)\n")
    place = Place(str(file), 1)
    assert keyword_place(place, "per", ("Model",)).line == 3
    assert keyword_place(place, "per", ("total",)).line == 1
    assert keyword_place(place, "owner") == place


@pytest.mark.parametrize("text", ["m = Model(\n", "\0", ""])
def test_a_line_is_still_told_where_the_file_cannot_be_read(tmp_path: Path, text: str) -> None:
    file = tmp_path / "project.py"
    file.write_text(text)
    assert keyword_place(Place(str(file), 1), "per") == Place(str(file), 1)
    assert keyword_place(Place("<stdin>", 3), "per") == Place("<stdin>", 3)


def test_a_mistake_is_told_even_where_nothing_was_written_down() -> None:
    scope: dict[str, object] = {}
    with pytest.raises(ProjectError, match=r"^<stdin> has one mistake") as error:
        exec(compile("from everloop import days, canary\ncanary(5, every=days(1))", "<stdin>", "exec"), scope)
    assert error.value.mistakes[0].line == 2


def test_who_a_learner_is_does_not_depend_on_where_its_file_lies() -> None:
    def said_of(module: str) -> str:
        scope: dict[str, object] = {"__name__": module}
        exec("class Mine:\n    def __init__(self, depth): self.depth = depth\nmine = Mine(3)", scope)
        return learner_said(scope["mine"])

    assert said_of("__main__") == said_of("everloop_project_0a1b2c3d") == "project.Mine(depth=3)"
    assert said_of("risk.pipeline") == "risk.pipeline.Mine(depth=3)"


def test_two_functions_of_one_name_are_two_learners(tmp_path: Path) -> None:
    def said_of(body: str) -> str:
        file = tmp_path / f"{len(body)}.py"
        file.write_text(f"def learn(rows):\n    return {body}\n")
        scope: dict[str, object] = {"__name__": "mine"}
        exec(compile(file.read_text(), str(file), "exec"), scope)
        return learner_said(scope["learn"])

    assert said_of("rows") == said_of("rows")
    assert said_of("rows") != said_of("rows + 1")
