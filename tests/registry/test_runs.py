"""Runs: noted as their records are kept, found by what they were given and what they came to; and filled in for a house of before."""

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everloop.errors import EverloopError
from everloop.records import Candidate, Opinion, Shape, Verdict, Version
from everloop.registry.journal import Journal
from everloop.registry.runs import SIGNS, Runs, Term, terms_of
from everloop.registry.store import open_store
from everloop.sql.migrate import upgrade
from everloop.testing.registry import MONDAY

NAMES = st.text(st.characters(exclude_characters='"\\', exclude_categories=["C"]), min_size=1, max_size=12).filter(lambda t: t.strip())


def candidate(n, **words):
    said = {"artefact": "a", "format": "skops", "columns": ("x", "y"), "shape": Shape(kind="number"), "model": "demand"}
    said |= {"learner": f"Learner{n % 2}", "parameters": json.dumps({"depth": n, "loss": "mae" if n % 2 else "mse"}), "rows": 100 * n}
    return Candidate(**{"id": f"c{n}", "made_at": MONDAY + timedelta(hours=n), **said, **words})


def verdict(n, outcome="passed", wape=None):
    opinion = Opinion(clause="beats_champion()", outcome=outcome, sentence="s", measure="wape", champion=0.4, candidate=wape, effect=0.1)
    return Verdict(
        id=f"v{n}",
        made_at=MONDAY + timedelta(hours=n),
        model="demand",
        candidate=f"c{n}",
        champion="b",
        opinions=(opinion,),
        outcome=outcome,
    )


def version(n):
    return Version(id=f"version{n}", made_at=MONDAY + timedelta(hours=n), model="demand", number=n, candidate=f"c{n}")


@pytest.fixture
def runs(store):
    found = Runs(store)
    with store.transaction() as t:
        found.learnt(t, candidate(0, format="baseline"))
        for n in range(1, 7):
            found.learnt(t, candidate(n))
        found.judged(t, verdict(1, "failed", 0.5))
        found.judged(t, verdict(2, "passed", 0.3))
        found.judged(t, verdict(9, "passed", 0.1))
        found.let_in(t, "c2", version(2))
    return found


def ids(found):
    return [run.candidate for run in found]


def test_a_run_says_what_its_records_said(runs):
    run = runs.some(["c2"])[0]
    assert (run.model, run.learner, run.outcome, run.version) == ("demand", "Learner0", "passed", "demand@2")
    assert run.parameters == {"depth": 2, "loss": "mse", "seed": 0}
    assert run.measures["wape"] == 0.3
    assert run.measures["wape of the champion"] == 0.4
    assert run.measures["rows"] == 200


def test_a_baseline_is_no_run_and_a_verdict_on_nothing_makes_none(runs):
    assert runs.count() == 6
    assert ids(runs.page()) == ["c6", "c5", "c4", "c3", "c2", "c1"]


def test_the_same_candidate_again_leaves_what_was_measured(runs):
    with runs.store.transaction() as t:
        runs.learnt(t, candidate(2))
    assert runs.some(["c2"])[0].outcome == "passed"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ["c6", "c5", "c4", "c3", "c2", "c1"]),
        ("depth>=5", ["c6", "c5"]),
        ("depth>4.5 depth!=6", ["c5"]),
        ("loss=mae", ["c5", "c3", "c1"]),
        ("loss~AE depth<3", ["c1"]),
        ("wape<0.4", ["c2"]),
        ('"wape of the champion"=0.4', ["c2", "c1"]),
        ("verdict=failed", ["c1"]),
        ('verdict!=""', ["c2", "c1"]),
        ("version=demand@2", ["c2"]),
        ("Learner0 demand", ["c6", "c4", "c2"]),
        ("loss>3", []),
        ("nobody=3", []),
        ("learner~%", []),
    ],
)
def test_terms_narrow(runs, text, found):
    assert ids(runs.page(terms_of(text))) == found


def test_runs_are_ordered_by_a_measure_without_those_that_have_none(runs):
    assert ids(runs.page(by="wape")) == ["c2", "c1"]
    assert ids(runs.page(by="wape", falling=True)) == ["c1", "c2"]
    assert ids(runs.page(by="depth", falling=True, limit=2, offset=1)) == ["c5", "c4"]
    assert runs.page(by="loss") == [], "what is no number orders nothing"


@pytest.mark.parametrize("falling", [False, True])
def test_runs_of_one_instant_that_came_to_the_same_stand_on_one_page_each(runs, falling):
    with runs.store.transaction() as t:
        for n in (9, 8, 7):
            runs.learnt(t, candidate(n, made_at=MONDAY + timedelta(days=9)))
            runs.judged(t, verdict(n, wape=0.2))
    newest = [
        run.candidate for page in range(3) for run in runs.page(terms_of("wape=0.2"), by="wape", falling=falling, limit=1, offset=page)
    ]
    assert newest == ["c7", "c8", "c9"]


@pytest.mark.parametrize("text", ["=3", '"', "a<", "wape<0.3 ="])
def test_what_filters_nothing_is_refused(text):
    with pytest.raises(EverloopError, match="filters nothing"):
        terms_of(text)


@pytest.mark.parametrize(
    ("text", "piece", "why"),
    [
        ("foo bar=", "'bar='", "after = a value is missing"),
        ("depth==3", "'depth='", "after = a value is missing"),
        ("wape<0.3 =3", "'=3'", "no name stands before it"),
        ('wape<0.3 "loss', "'\"loss'", "a quote that does not end"),
    ],
)
def test_the_piece_that_cannot_be_read_is_said_with_what_is_wrong_with_it(text, piece, why):
    with pytest.raises(EverloopError) as refused:
        terms_of(text)
    assert str(refused.value).startswith(f"{piece} filters nothing: ")
    assert why in str(refused.value)


def test_the_names_of_the_newest_runs_are_said(runs):
    assert runs.names() == (
        "columns", "cpu_seconds", "depth", "loss", "rows", "seconds", "seed", "wape", "wape gain", "wape of the champion"
    )  # fmt: skip
    assert "wape" not in runs.names(newest=2), "only the newest are read"


@given(st.lists(st.tuples(NAMES, st.sampled_from(SIGNS), NAMES), max_size=4))
def test_terms_in_quotes_are_read_as_they_were_written(terms):
    text = " ".join(f'"{name}"{sign}"{value}"' for name, sign, value in terms)
    assert terms_of(text) == tuple(Term(*term) for term in terms)


def test_no_name_reaches_into_the_query(runs):
    for name in ("x') OR 1=1 --", "a.b[0]", "$", "%"):
        assert runs.page([Term(name, "=", "1")]) == []
    with pytest.raises(EverloopError, match="no name"):
        runs.page([Term('a"b', "=", "1")])


def test_a_house_of_before_has_the_same_runs_after_its_upgrade(tmp_path):
    """What the migration fills in is what would have been noted; a migration that forgot verdicts or versions would differ here."""
    url = f"sqlite:///{tmp_path / 'house.db'}"
    store = open_store(url)
    runs, journal = Runs(store), Journal(store)
    noted = replace(candidate(3), notes=(("loss at the end", 0.25), ("device", "cpu")))
    with store.transaction() as t:
        for record in (
            candidate(0, format="baseline"),
            candidate(1),
            verdict(1, "failed", 0.5),
            candidate(2),
            verdict(2, wape=0.3),
            version(2),
            noted,
        ):
            journal.append(t, record, back=timedelta(days=9))
            if isinstance(record, Candidate):
                runs.learnt(t, record)
            elif isinstance(record, Verdict):
                runs.judged(t, record)
            else:
                runs.let_in(t, record.candidate, record)
    before = runs.page()
    store.close()
    with closing(sqlite3.connect(tmp_path / "house.db")) as file:
        file.executescript("DROP TABLE runs; DROP INDEX ix_journal_kind_seq; DROP INDEX ix_errands_asked_at")
        file.executescript("DROP INDEX ix_turns_state_now; DROP INDEX ix_turns_state_started_at")
        file.execute("UPDATE alembic_version SET version_num = '0007'")
        file.commit()
    upgrade(url).dispose()
    again = open_store(url)
    assert Runs(again).page() == before
    assert len(before) == 3
    again.close()


def test_parameters_noted_as_python_writes_them_are_found_as_what_they_are_after_the_upgrade(tmp_path):
    """Runs that a release of before kept as text ("60") are found by ``max_iter>=50`` once the house is brought up to date."""
    url = f"sqlite:///{tmp_path / 'house.db'}"
    store = open_store(url)
    runs, journal = Runs(store), Journal(store)
    told = {"max_iter": "60", "loss": "'absolute_error'", "l2": "0.1", "warm": "True", "depth": 3, "device": "7"}
    one = replace(candidate(1), parameters=json.dumps(told), notes=(("device", "8"),))
    with store.transaction() as t:
        journal.append(t, one, back=timedelta(days=9))
        runs.learnt(t, one)
        runs.judged(t, verdict(1, wape=0.3))
    now = runs.page()
    store.close()
    with closing(sqlite3.connect(tmp_path / "house.db")) as file:
        (said,) = file.execute("SELECT said FROM runs").fetchone()
        before = json.loads(said)
        before["parameters"] |= {"max_iter": "60", "loss": "'absolute_error'", "l2": "0.1"}
        file.execute("UPDATE runs SET said = ?", (json.dumps(before),))
        file.executescript("DROP INDEX ix_turns_state_now; DROP INDEX ix_turns_state_started_at")
        file.execute("UPDATE alembic_version SET version_num = '0008'")
        file.commit()
    again = open_store(url)
    assert Runs(again).page() == now
    assert now[0].parameters == {"max_iter": 60, "loss": "absolute_error", "l2": 0.1, "warm": "True", "depth": 3, "seed": 0, "device": "8"}
    assert ids(Runs(again).page(terms_of("max_iter>=50 loss=absolute_error wape<0.4"))) == ["c1"]
    again.close()
