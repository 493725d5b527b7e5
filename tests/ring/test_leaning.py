"""A model whose baseline is another model: that one's champion answers, until a candidate of its own is proven better than it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import QuantileRegressor
from sklearn.pipeline import make_pipeline

from everloop import Model, Source, beats_champion, days, every, one_of
from everloop.errors import ArtefactBroken
from everloop.lake.receive import receive
from everloop.loop.answers import answer_one
from everloop.loop.carded import card_of
from everloop.loop.forget import forget
from everloop.loop.house import open_house
from everloop.loop.look import status, why
from everloop.loop.people import undo
from everloop.loop.project_file import project_of
from everloop.loop.turn import turn
from everloop.settings import read_settings
from tests.ring.test_doors import doors  # noqa: F401

END = datetime(2026, 11, 1, tzinfo=UTC)
A_DAY = timedelta(days=1)
FEW, MANY = 3, 24
"""Products of the shop that is unlike the other, and of the other, by which nearly all is learnt that is learnt of both."""
sold = Source("sold", id="line_id", time="at", columns={"shop": str, "product_id": str, "quantity": int, "price": int})
everywhere = Model(
    "everywhere",
    predicts=sold.total("quantity", next=days(1)),
    per=("shop", "product_id"),
    asked=every(days(1), at="00:00", zone="UTC"),
    knows=sold.latest("price"),
    learner=make_pipeline(SimpleImputer(), QuantileRegressor(alpha=0.0)),
    promote_when=(),
    roll_out=[],
    roll_back_when=(),
    retrain_when=(),
    autonomy="act",
)
own = {"baseline": everywhere, "promote_when": beats_champion("mae", by=0.2)}
unlike = everywhere.but("unlike", among=one_of("shop", "unlike"), **own)
like = everywhere.but("like", among=one_of("shop", "like"), **own)


def rows(until):
    """Ninety days of two shops: in the one a dear product sells well, in the other a cheap one."""
    for back in range(90):
        for shop, products in (("unlike", FEW), ("like", MANY)):
            for n in range(products):
                price = 1 + n * 14 // (products - 1)
                odd = (back * 7 + n * 3) % 5 - 2
                quantity = (40 - 2 * price if shop == "unlike" else 8 + 2 * price) + odd
                at = until - A_DAY * (back + 1) + timedelta(hours=9)
                yield {"line_id": f"{shop}-{n}-{back}", "at": at, "shop": shop, "product_id": f"{shop}{n}", "quantity": quantity,
                       "price": price}  # fmt: skip


def opened(folder, *models):
    settings = replace(read_settings(folder, house=folder / "house", environ={}), child=False)
    return open_house(project_of(*models), settings=settings)


@pytest.fixture(scope="module")
def turned(tmp_path_factory):
    """The folder of a house in which the model of both shops has learnt, and each shop's own has been turned after it."""
    folder = tmp_path_factory.mktemp("leaning")
    house = opened(folder, everywhere, unlike, like)
    receive(house.lake, sold, list(rows(END)), now=END, known_after=timedelta(0))
    turn(house, everywhere, END)
    for model in (unlike, like):
        turn(house, model, END + timedelta(minutes=1))
    house.store.close()
    return folder


@pytest.fixture
def house(turned, tmp_path):
    shutil.copytree(turned, tmp_path / "shops")
    made = opened(tmp_path / "shops", everywhere, unlike, like)
    yield made
    made.store.close()


def champion(house, model):
    return house.candidate(house.version(house.traffic(model).champion).candidate)


def test_the_one_that_is_unlike_the_other_earns_its_place_and_the_other_does_not(house):
    assert champion(house, everywhere).format == "skops"
    assert (champion(house, unlike).format, house.version(house.traffic(unlike).champion).number) == ("skops", 1)
    theirs, mine = champion(house, everywhere), champion(house, like)
    assert (mine.format, mine.stored, mine.artefact, mine.learnt_until) == ("baseline", "skops", theirs.artefact, theirs.learnt_until)
    (contest,) = [entry.record for entry in house.journal.read(kind="Contest", model="unlike")]
    assert contest.first_at > theirs.learnt_until
    assert house.candidate(contest.champion).artefact == theirs.artefact


def test_what_it_leans_on_answers_to_the_last_digit(house, doors):  # noqa: F811
    keys, later = ["like", "like3"], END + timedelta(hours=1)
    there, here = answer_one(house, everywhere, keys, later), answer_one(house, like, keys, later)
    assert here.value == there.value
    request = {"shop": "like", "product_id": "like3"}
    (over_http,) = doors(house).predict("like", [request], later + timedelta(minutes=1))
    assert (over_http.value, over_http.version) == (there.value, here.version)
    own = ["unlike", "unlike2"]
    assert answer_one(house, unlike, own, later).value != answer_one(house, everywhere, own, later).value


def test_undo_of_one_leaves_the_other(house):
    before = {model.name: house.traffic(model) for model in (everywhere, like)}
    undo(house, unlike, by="Kim", reason="not yet", now=END + timedelta(hours=2))
    assert champion(house, unlike).artefact == champion(house, everywhere).artefact
    assert {model.name: house.traffic(model) for model in (everywhere, like)} == before


def test_who_answers_is_said_by_name(house):
    (standing,) = [one for one in status(house) if one.model == "like"]
    assert standing.baseline
    lines, _ = why(house, f"like@{house.version(house.traffic(like).champion).number}")
    assert any("everywhere@1, Pipeline" in line for line in lines)
    assert any("everywhere@1 was let in" in line for line in lines)


def test_it_follows_whom_it_leans_on_as_long_as_nothing_of_its_own_answers(house):
    before = house.traffic(like)
    turn(house, like, END + timedelta(hours=3))
    assert house.traffic(like) == before
    undo(house, everywhere, by="Kim", reason="not yet", now=END + timedelta(hours=4))
    turn(house, like, END + timedelta(hours=5))
    turn(house, unlike, END + timedelta(hours=5))
    now = house.traffic(like)
    assert (champion(house, like).artefact, champion(house, like).stored) == (champion(house, everywhere).artefact, None)
    assert now.because == "everywhere@0 answers until something better is proven"
    assert champion(house, unlike).format == "skops"


def test_it_reads_what_the_other_learnt_by_where_it_knows_other_things_itself(turned, tmp_path):
    shutil.copytree(turned, tmp_path / "shops")
    other = everywhere.but("other", **own, knows=sold.total("quantity", last=days(7)))
    house = opened(tmp_path / "shops", everywhere, other)
    turn(house, other, END + timedelta(hours=1))
    zero = house.candidate(next(v for v in house.versions.all("other") if v.number == 0).candidate)
    assert zero.columns == everywhere.columns != other.columns
    assert "everywhere@1, Pipeline" in str(card_of(house, other, "other@0"))
    (contest,) = [entry.record for entry in house.journal.read(kind="Contest", model="other")]
    assert contest.rows
    undone = house.traffic(other)
    if undone.previous:
        undo(house, other, by="Kim", reason="not yet", now=END + timedelta(hours=2))
    keys = ["like", "like3"]
    assert answer_one(house, other, keys, END + A_DAY).value == answer_one(house, everywhere, keys, END + A_DAY).value
    house.store.close()


def test_nothing_answers_for_a_broken_artefact(house):
    mine = champion(house, like)
    with pytest.raises(ArtefactBroken, match="where pickle was recorded"):
        house.predictor(replace(mine, id="other", stored="pickle"))


def test_whoever_leans_on_what_learnt_from_somebody_is_named_when_they_are_forgotten(house):
    done = forget(house, "product_id", "like3", by="Kim", reason="they asked", now=END + A_DAY)
    assert {"everywhere@1", "like@0", "unlike@0"} <= set(done.versions)


def test_each_is_counted_as_many_rows_as_there_are_to_learn_from_here(house):
    zero = {name: house.candidate(house.versions.all(name)[0].candidate).rows for name in ("everywhere", "like", "unlike")}
    assert 0 < zero["unlike"] * 8 == zero["like"] < zero["everywhere"]
