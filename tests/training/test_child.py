"""A child process: it does one thing, says what came of it, and dies with its parent."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from functools import partial
from pathlib import Path

import pytest
import training_learners as learners
from everloop_children import run
from tests.waiting import until
from training_tables import NOW, Shelf, number, table_of, training_set_of

from everloop.errors import LearnerFailed, Unknown
from everloop.training import in_child

HERE = Path(__file__).parent


def test_what_a_child_returns_comes_back():
    assert run(learners.double, 21) == 42


def test_what_a_child_raises_is_raised_here_with_where_it_was():
    with pytest.raises(ValueError, match="no such luck") as caught:
        run(learners.raises, "no such luck")
    assert "learners.py" in "".join(caught.value.__notes__)


def test_an_error_that_cannot_be_carried_over_is_still_said():
    with pytest.raises((LearnerFailed, Unknown), match="There is no model 'x'"):
        run(learners.raises_unknown)


@pytest.mark.parametrize(
    ("fn", "message"),
    [
        (learners.kills_itself, "kills_itself died in its child process by SIGKILL. Perhaps there was not enough memory"),
        (learners.leaves, r"without an answer \(exit code 3\)"),
        (learners.lightgbm_on_dictionaries, 'SIGABRT.*LightGBM does so when it is fed Arrow.*fed_as="pandas"'),
        (learners.gives_a_lambda, "cannot be brought back"),
    ],
)
def test_a_child_that_dies_takes_nothing_with_it(fn, message):
    with pytest.raises(LearnerFailed, match=message):
        run(fn)
    assert run(learners.double, 1) == 2


def test_a_child_that_takes_too_long_is_ended():
    began = time.monotonic()
    with pytest.raises(LearnerFailed, match=r"took longer than 0\.3 s"):
        run(learners.waits, timeout=0.3)
    assert time.monotonic() - began < 20


def test_a_child_can_be_cancelled():
    asked = []
    with pytest.raises(LearnerFailed, match="was cancelled"):
        run(learners.waits, cancelled=lambda: asked.append(1) or len(asked) > 2)


def test_what_cannot_be_sent_says_where_to_put_it():
    with pytest.raises(LearnerFailed, match="put the learner in a module"):
        in_child(lambda: 1)


def test_a_child_dies_with_its_parent_even_while_it_holds_the_interpreter(tmp_path):
    told = tmp_path / "child"
    script = f"""
        import sys
        sys.path.insert(0, {str(HERE)!r})
        import learners
        from everloop.training.child import in_child
        if __name__ == "__main__":
            in_child(learners.holds_the_interpreter, {str(told)!r})
    """
    file = tmp_path / "parent.py"
    file.write_text(textwrap.dedent(script))
    parent = subprocess.Popen([sys.executable, str(file)])
    until(told.exists, 60)
    child = int(told.read_text())
    assert alive(child)
    parent.kill()
    parent.wait()
    until(lambda: not alive(child), 5)


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_model_is_trained_in_a_child_and_its_golden_rows_are_the_parents():
    from everloop.training import train

    model, here, there = number(learners.Mean()), Shelf(), Shelf()
    table = table_of(model)
    words = {"seed": 1, "id": "c", "now": NOW}
    ours = train(model, table, training_set_of(table), save=here.save, **words)
    theirs = run(partial(train, model, table, training_set_of(table), save=there.save, **words))
    assert theirs.golden == ours.golden


def test_a_warm_child_starts_in_a_third_of_a_second():
    run(learners.double, 1)
    took = []
    for _ in range(5):
        began = time.perf_counter()
        run(learners.double, 1)
        took.append(time.perf_counter() - began)
    assert min(took) < 0.3
