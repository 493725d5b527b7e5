"""A version is made again from its record, and what differs is said."""

import json

import pytest

from everloop.cli import app
from everloop.errors import EverloopError, Unknown
from everloop.loop.reproduce import reproduce
from everloop.loop.turn import turn
from tests.ring.conftest import END, first_turn

SAID = 'HistGradientBoostingRegressor(loss="absolute_error", max_iter=60)'


def learnt_by(learner):
    def changed(text):
        assert SAID in text
        return text.replace(SAID, learner).replace('promote_when=beats_champion("wape", by=0.02)', "promote_when=[]")

    return changed


@pytest.mark.parametrize("learner", [SAID, "LGBMRegressor(n_estimators=20, deterministic=True, verbose=-1)"])
def test_a_version_made_again_answers_the_same_to_the_last_bit(after, learner):
    house, model = after(first_turn, "shop", lambda text: "from lightgbm import LGBMRegressor\n" + learnt_by(learner)(text))
    again = reproduce(house, model, "demand@1")
    assert (again.same, again.rows, again.differing) == (True, True, 0)
    assert again.asked > again.learn_rows > 0
    # What skops writes holds places in memory, which are never the same twice.
    assert again.artefact == again.made or "LGBM" not in learner
    assert "answers all" in str(again)
    assert "!" not in str(again)


CHANCE = """
class ByChance:
    def fit(self, X, y):
        self.by = float(np.random.default_rng().random())
        return self

    def predict(self, X):
        return np.full(len(X), self.by)


"""


def test_a_learner_that_draws_by_chance_is_told_with_how_far_it_is_off(opened):
    house, model = opened(
        "shop",
        lambda text: (
            learnt_by("ByChance()")(text)
            .replace("demand = Model(", CHANCE + "demand = Model(")
            .replace("from everloop import", "import numpy as np\nfrom everloop import", 1)
        ),
    )
    turn(house, model, END)
    again = reproduce(house, model, "demand@1")
    assert (again.same, again.differing) == (False, again.asked)
    assert again.largest > 0
    assert "otherwise, by up to" in str(again)


def test_a_snapshot_that_gives_other_rows_now_is_told(after, monkeypatch):
    house, model = after(first_turn, "shop", learnt_by(SAID))
    read = type(house).read
    monkeypatch.setattr(
        type(house), "read", lambda self, *words: {name: t.slice(0, t.num_rows // 2) for name, t in read(self, *words).items()}
    )
    again = reproduce(house, model, "demand@1")
    assert (again.rows, again.same, again.differing) == (False, False, 0)
    assert "The snapshot gives other rows now." in str(again)


def test_what_was_not_learnt_by_this_file_is_refused_with_the_next_step(opened, after):
    house, model = after(first_turn, "shop", learnt_by(SAID))
    with pytest.raises(Unknown, match="not learnt here"):
        reproduce(house, model, "demand@0")
    with pytest.raises(Unknown, match="demand@9"):
        reproduce(house, model, "demand@9")
    house.store.close()
    house, model = opened("shop", learnt_by(SAID.replace("60", "61")))
    with pytest.raises(EverloopError, match=r"max_iter=61.* now.*everloop reproduce demand@1"):
        reproduce(house, model, "demand@1")


def test_the_terminal_says_equal_or_where_it_differs(after, monkeypatch):
    from typer.testing import CliRunner

    house, _ = after(first_turn, "shop", learnt_by(SAID))
    words = ["reproduce", "demand@1", "--project", str(house.project.path), "--house", str(house.settings.house)]
    house.store.close()
    monkeypatch.setattr(
        "everloop.loop.reproduce.environment", lambda *_: type("E", (), {"versions": (("numpy", "1.0"),), "commit": None, "dirty": None})
    )
    found = CliRunner().invoke(app, words)
    assert found.exit_code == 0
    assert "! numpy is 1.0; it was " in found.stdout
    found = CliRunner().invoke(app, [*words, "--json"])
    assert json.loads(found.stdout)["same"] is True
