"""What every backend must be able to do that workers claim errands from, as tests to inherit; see ``everloop.testing.registry``."""

from __future__ import annotations

from pathlib import Path

import pytest

from everloop.errors import Overtaken
from everloop.registry.claims import Claims
from everloop.registry.errands import Errand, Errands
from everloop.registry.store import ClaimStore, ErrandStore, open_store
from everloop.testing.registry import MONDAY, Transactions, errand


class ClaimSuite:
    """Of one model one errand is carried out at a time, in the house no more turns than it allows; who is dead keeps nothing."""

    def open(self, folder: Path) -> tuple[Transactions, ErrandStore, ClaimStore]:
        store = open_store(f"sqlite:///{folder / 'house.db'}")
        return store, Errands(store), Claims(store)

    def _with(self, folder: Path, *wishes: Errand) -> tuple[Transactions, ErrandStore, ClaimStore]:
        store, errands, claims = self.open(folder)
        for wish in wishes:
            with store.transaction() as t:
                errands.ask(t, wish)
        return store, errands, claims

    def test_of_many_workers_each_gets_another_model_in_the_order_they_were_asked(self, tmp_path: Path) -> None:
        wishes = [errand(1), errand(2), errand(3, model="churn"), errand(4, model="price")]
        store, errands, claims = self._with(tmp_path, *wishes)
        with store.transaction() as t:
            [one] = claims.take(t, "a", most=1)
            rest = claims.take(t, "b", most=9)
            assert claims.take(t, "c", most=9) == []
        assert (one.id, one.holder, one.taken, one.state) == (wishes[0].id, "a", 1, "taken")
        assert [e.id for e in rest] == [wishes[2].id, wishes[3].id]
        assert claims.held("a") == [one]
        with store.transaction() as t:
            errands.finish(t, one.id, "done", "{}", MONDAY)
            assert [e.id for e in claims.take(t, "c", most=9)] == [wishes[1].id]

    def test_no_more_turns_than_the_house_allows_and_scores_beside_them(self, tmp_path: Path) -> None:
        wishes = [errand(1), errand(2, model="churn"), errand(3, verb="score", model="churn"), errand(4, verb="score", model="price")]
        store, errands, claims = self._with(tmp_path, *wishes)
        with store.transaction() as t:
            assert [e.id for e in claims.take(t, "a", most=9, heavy=1)] == [wishes[0].id, wishes[3].id]
            assert claims.take(t, "b", most=9, heavy=1) == []
            errands.finish(t, wishes[0].id, "done", "{}", MONDAY)
            assert [e.id for e in claims.take(t, "b", most=9, heavy=1)] == [wishes[1].id]

    def test_models_that_somebody_turns_by_hand_are_passed_by(self, tmp_path: Path) -> None:
        store, _, claims = self._with(tmp_path, errand(1), errand(2, model="churn"))
        with store.transaction() as t:
            assert [e.model for e in claims.take(t, "a", most=9, passing={"demand"})] == ["churn"]

    def test_the_dead_keep_no_place_and_their_death_is_counted(self, tmp_path: Path) -> None:
        store, errands, claims = self._with(tmp_path, errand(1), errand(2, model="churn"))
        with store.transaction() as t:
            mine = claims.take(t, "a", most=9, heavy=2)
            assert claims.take(t, "b", most=9, heavy=2) == []
            left = claims.take_over(t, "a")
            assert [(e.state, e.takeovers, e.holder) for e in left] == [("waiting", 1, None)] * 2
            assert claims.take_over(t, "a") == []
            again = claims.take(t, "b", most=9, heavy=2)
        assert [(e.id, e.fence, e.takeovers) for e in again] == [(e.id, e.fence + 1, 1) for e in mine]
        assert errands.unfinished() == again

    def test_who_was_taken_for_dead_is_stopped_at_the_fence_though_it_claims_it_again(self, tmp_path: Path) -> None:
        store, errands, claims = self._with(tmp_path, errand(1))
        with store.transaction() as t:
            [before] = claims.take(t, "a", most=1)
            claims.check(t, before)
            claims.take_over(t, "a")
        with pytest.raises(Overtaken, match="waits for another"), store.transaction() as t:
            claims.check(t, before)
        with store.transaction() as t:
            [after] = claims.take(t, "a", most=1)
            claims.check(t, after)
            with pytest.raises(Overtaken, match="a has it"):
                claims.check(t, before)
            errands.finish(t, after.id, "done", "{}", MONDAY)
            with pytest.raises(Overtaken):
                claims.check(t, after)

    def test_what_is_given_back_waits_as_if_nobody_had_begun_it(self, tmp_path: Path) -> None:
        store, errands, claims = self._with(tmp_path, errand(1))
        with store.transaction() as t:
            [mine] = claims.take(t, "a", most=1)
            claims.give_back(t, mine.id)
        [there] = errands.unfinished()
        assert (there.state, there.taken, there.takeovers, there.holder) == ("waiting", 0, 0, None)
