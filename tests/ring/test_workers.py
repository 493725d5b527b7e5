"""Many workers for one house, each in a process of its own: killed, stopped and gone on, stormed. The same rounds as ``bench workers``."""

from __future__ import annotations

import pytest
from bench import workers_kills, workers_storm

pytestmark = pytest.mark.slow


def reached(goals):
    """Every goal but those that say how long something took, which depends on what else this machine does."""
    missed = [str(goal) for goal in goals if not goal.ok and goal.unit not in ("s", "ms")]
    assert not missed, "\n".join(missed)


@pytest.mark.parametrize("store", ["sqlite", "postgres"])
def test_killed_in_any_step_a_turn_is_finished_by_the_next_worker_each_step_kept_once(store):
    reached(workers_kills.matrix((store,)))


def test_what_a_dead_worker_held_is_finished_by_others_and_its_places_are_free():
    reached(workers_kills.failover(3, 1))


def test_a_worker_that_was_taken_for_dead_lets_nothing_in_when_it_goes_on():
    reached(workers_kills.zombie(1))


def test_a_storm_of_alarms_is_one_turn_and_one_that_follows():
    reached(workers_storm.storm(200, 2.0, 8))


def test_ticks_that_were_missed_are_answered_once_though_two_schedulers_start_at_once():
    reached(workers_storm.ticks())


def test_no_turn_is_of_two_states_of_the_project_file():
    reached(workers_storm.changed())


def test_a_cancelled_training_leaves_no_process_and_no_place_taken():
    reached(workers_storm.cancelled(1))
