"""A recommender goes round the ring: it is learnt and judged, told with its protocol, and answers by customer, cart and product."""

from __future__ import annotations

from datetime import timedelta

import pyarrow as pa
import pytest

from everloop.clock import microseconds
from everloop.errors import EverloopError
from everloop.features.as_of import live
from everloop.lake.receive import receive
from everloop.loop.adopt import adopt
from everloop.loop.answers import answers_of
from everloop.loop.carded import card_of
from everloop.loop.reproduce import reproduce
from everloop.loop.skew import measure
from everloop.loop.spoken import story
from everloop.loop.steps import training_table
from everloop.loop.turn import turn
from everloop.records import Contest
from everloop.registry.card import markdown
from tests.ring.conftest import END
from tests.ring.test_doors import doors, known_of  # noqa: F401

IMPORT = """from sklearn.ensemble import HistGradientBoostingClassifier

from everloop.training.recommend import Recommender
"""
LEARNER = "Recommender(0, ranker=HistGradientBoostingClassifier(max_iter=30), width=6, likes=20)"
LATER = END + timedelta(hours=1)


def taught(text):
    """The tiny project, with the learner of this test; anything better than the baseline takes over at once."""
    text = text.replace("from everloop import Model", f"{IMPORT}from everloop import Model, at_least")
    text = text.replace("learner=Frequency()", f"learner={LEARNER}").replace('beats_champion("ndcg", by=0.01)', 'at_least("ndcg", 0)')
    return text.replace("roll_out=shadow(days(7))", "roll_out=[]")


@pytest.fixture(scope="module")
def learnt(prepared, tmp_path_factory):
    """The folder of a house whose champion is a recommender, and what its turn said."""
    import shutil

    from everloop.loop.house import open_house

    folder = tmp_path_factory.mktemp("learnt") / "recommend"
    shutil.copytree(prepared("recommend"), folder)
    project = folder / "project.py"
    project.write_text(taught(project.read_text()))
    house = open_house(project)
    (model,) = house.project.models.values()
    told = story(house, turn(house, model, END))
    house.store.close()
    return folder, told


@pytest.fixture
def house_of(learnt, tmp_path):
    import shutil

    from everloop.loop.house import open_house

    folder = tmp_path / "recommend"
    shutil.copytree(learnt[0], folder)
    house = open_house(folder / "project.py")
    return house, next(iter(house.project.models.values()))


def a_customer(house):
    return house.tables(house.project.model("recommend"))["orders"]["customer_id"][0].as_py()


def test_a_contest_of_lists_keeps_each_figure_with_its_protocol(house_of):
    house, _ = house_of
    contest = next(e.record for e in house.journal.read(kind="Contest") if isinstance(e.record, Contest))
    said = {(one.side, one.over): one for one in contest.lists}
    assert set(said) == {(side, over) for side in ("champion", "candidate") for over in ("all", "repeat", "explore")}
    mine = said["candidate", "all"]
    assert (mine.k, mine.items > 5, mine.questions > 50) == (5, True, True)
    assert 0 < said["candidate", "explore"].precision < said["candidate", "repeat"].precision <= 1
    # Own frequency lists nothing that was never had: the figure alone would hide it.
    assert said["champion", "explore"].precision == 0.0


def test_the_turn_and_the_card_say_the_protocol(house_of, learnt):
    house, model = house_of
    assert "Lists of 5 among" in learnt[1]
    # A row is a candidate, and no question.
    table = training_table(house, model, END)
    record = next(e.record for e in house.journal.read(kind="TrainingSet"))
    until, since = microseconds(record.learn_until), microseconds(record.judge_from)
    rows = table.select(["question", "moment"]).to_pylist()
    learn, judge = [[r["question"] for r in rows if keep(r["moment"])] for keep in (lambda at: at < until, lambda at: at >= since)]
    held = f"{len(judge):,} candidates of {len(set(judge)):,} questions"
    assert f"{len(learn):,} candidates of {len(set(learn)):,} questions to learn from, {held} held out" in learnt[1]
    assert f"{held} from" in markdown(card_of(house, model, "recommend@1"))
    assert "of what they never had" in learnt[1]
    assert any("Lists of 5 among" in sentence and "repeat" not in sentence for sentence in card_of(house, model, "recommend@1")["worth"])


def test_a_version_made_again_answers_to_the_last_bit(house_of):
    house, model = house_of
    again = reproduce(house, model, "recommend@1")
    assert again.same
    assert again.asked > 0


def test_the_door_tells_from_states_what_the_house_reads_from_tables(house_of):
    house, model = house_of
    known = known_of(house, model, turned=True)
    table = pa.table({"customer_id": [a_customer(house), "c001"]})
    found, due = known.features(model, table, LATER), live(model, house.tables(model), moment=LATER, units=table)
    for name in due.column_names:
        assert found[name].to_pylist() == due[name].to_pylist(), name
    known.close()


def test_what_lies_in_the_cart_is_never_listed_and_stays_with_the_answer(house_of, doors):  # noqa: F811
    house, model = house_of
    door, who = doors(house), a_customer(house)
    plain = door.predict(model.name, [{"customer_id": who}], LATER)[0]
    cart = list(plain.items[:2])
    given = door.predict(model.name, [{"customer_id": who, "cart": cart}], LATER)[0]
    assert len(given.items) == 5
    assert not set(given.items) & set(cart)
    house.seal(LATER) if hasattr(house, "seal") else None
    assert measure(house, model, now=LATER + timedelta(hours=1), since=END, share=1.0).clean


def test_the_baseline_lists_nothing_from_the_cart_either(opened, doors):  # noqa: F811
    house, model = opened("recommend")
    adopt(house, model, LATER)
    door, who = doors(house), a_customer(house)
    best = door.predict(model.name, [{"customer_id": who}], LATER)[0].items
    given = door.predict(model.name, [{"customer_id": who, "cart": [best[0]]}], LATER)[0]
    assert best[0] not in given.items


def test_a_cart_that_is_no_list_of_texts_is_refused(house_of, doors):  # noqa: F811
    house, model = house_of
    with pytest.raises(EverloopError, match="a cart is a list of texts"):
        doors(house).predict(model.name, [{"customer_id": a_customer(house), "cart": "p01"}], LATER)


def test_what_goes_with_a_product_is_told_by_the_champion_and_not_remembered(house_of, doors):  # noqa: F811
    house, model = house_of
    door, before = doors(house), answers_of(house, model).num_rows
    version, found = door.beside(model.name, ["p01"], None, LATER)
    assert door.named(version) == "recommend@1"
    assert len(found) == 5
    assert "p01" not in [item for item, _ in found]
    assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)
    assert [item for item, _ in door.beside(model.name, ["p01", "p02"], 3, LATER)[1]][:1] not in (["p01"], ["p02"])
    assert answers_of(house, model).num_rows == before


def test_a_baseline_does_not_know_what_goes_with_what_and_says_so(opened, doors):  # noqa: F811
    house, model = opened("recommend")
    adopt(house, model, LATER)
    with pytest.raises(EverloopError, match=r"recommend@0, which does not know what goes with what\. A version learnt"):
        doors(house).beside(model.name, ["p01"], None, LATER)


def test_an_order_that_was_acknowledged_is_in_the_next_list(house_of, doors):  # noqa: F811
    house, model = house_of
    door, who = doors(house), a_customer(house)
    row = {"line_id": "new", "ordered_at": LATER.isoformat(), "customer_id": who, "product_id": "never seen"}
    receive(house.lake, model.sources[0], [row], now=LATER)
    given = door.predict(model.name, [{"customer_id": who}], LATER + timedelta(seconds=1))[0]
    items = dict(given.features)["item"]
    assert "never seen" in items
