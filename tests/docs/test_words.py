"""docs/words.md against the words themselves: each stands there, with its parameters and what they are if nothing is said."""

from __future__ import annotations

import ast
import inspect
import re
from datetime import timedelta
from pathlib import Path

import pytest
from everloop_pages import PACKAGE, ROOT, code, read, rows, section

import everloop
from everloop import (
    Model,
    Source,
    ab,
    at_least,
    beats_champion,
    cost,
    days,
    every,
    only_new,
    search,
    worse_than_champion,
)
from everloop.errors import NotBuilt
from everloop.project.metrics import METRICS, OF_KIND, PLURAL, SERVING
from everloop.project.reading import PARTS
from everloop.project.scorers import SCORERS
from everloop.project.unbuilt import require_built
from everloop.project.verbs import WINDOW, Verbs
from everloop.stats.measures import MEASURES

PAGE = read("docs/words.md")
OTHER = section(PAGE, "The other words")
WORDS = sorted(set(everloop.__all__) - {"Model", "Source"})


# -- how a word is said on a page --------------------------------------------------------------------------------------------------


def signature_of(word: object) -> dict[str, object]:
    """Parameter → what it is if nothing is said (``...``: it must be said). The one that only catches typing errors is left out."""
    if word is everloop.text:
        return {}
    parameters = inspect.signature(word).parameters.values()  # type: ignore[arg-type]
    return {p.name: ... if p.default is p.empty else p.default for p in parameters if p.name != "unknown"}


def said_calls(text: str, word: str) -> list[ast.Call]:
    """How a text says ``word(…)``: its calls between backticks; a keyword without a value (``by=``) must be said."""
    found = []
    for said in code(text):
        if re.fullmatch(rf"{word}\(.*\)", said) and "…" not in said:
            spelled = re.sub(r"=(?=[,)])", "=...", said).replace("(*, ", "(")
            call = ast.parse(spelled, mode="eval").body
            assert isinstance(call, ast.Call)
            found.append(call)
    return found


def differences(word: str, page: str) -> list[str]:
    """What the page says about a word's parameters that is not so, or does not say."""
    true = signature_of(getattr(everloop, word))
    calls = said_calls(page, word)
    if not calls:
        return [] if word in code(page) and not true else [f"{word} is not said with its parameters"]
    wrong, said = [], set()
    for call in calls:
        for place, argument in enumerate(call.args):
            name = list(true)[place]
            argument = argument.value if isinstance(argument, ast.Starred) else argument
            if isinstance(argument, ast.Name) and argument.id != name:
                wrong.append(f"{word} has no {argument.id}; it is called {name}")
            said.add(name)  # a literal is an example of it
        for keyword in call.keywords:
            name = keyword.arg or list(true)[-1]
            said.add(name)
            if name not in true:
                wrong.append(f"{word} has no {name}=")
            elif keyword.arg and not same(ast.literal_eval(keyword.value), true[name]):
                wrong.append(f"{word}: {name} is {true[name]!r} if nothing is said, not {ast.literal_eval(keyword.value)!r}")
    return wrong + [f"{word}: {name} is not there" for name in true if name not in said]


def same(told: object, true: object) -> bool:
    """Whether a default is told as it is. A text where there is none is an example; 0 is no time."""
    return told == true or (true is None and isinstance(told, str)) or (told == 0 and true == timedelta(0))


# -- every word --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", WORDS)
def test_every_word_stands_there_with_its_parameters(word):
    cells = [cell for row in rows(OTHER) for cell in row[:1]]
    assert any(re.search(rf"`{word}\b", cell) for cell in cells), f"{word} has no line in docs/words.md"
    if word == "at_most":  # said beside at_least, and just like it
        assert signature_of(everloop.at_most) == signature_of(everloop.at_least)
        return
    assert differences(word, "\n".join(cells)) == []


def test_no_line_speaks_of_a_word_there_is_not():
    said = {re.match(r"\w+", word)[0] for row in rows(OTHER) for word in code(row[0])}  # type: ignore[index]
    assert said == set(WORDS)


@pytest.mark.parametrize(
    ("was", "broken", "told"),
    [
        ("confidence=0.95, finds=None)` | proven", "confidence=0.9, finds=None)` | proven", "beats_champion: confidence is 0.95"),
        ("on=None, by=0, confidence=0.95, finds", "on=None, confidence=0.95, finds", "by is not there"),
        ("`new_truths(count)`", "`new_truths(number)`", "it is called count"),
        ("`only_new()`", "`only_old()`", "only_new is not said"),
    ],
)
def test_a_page_that_says_a_word_wrongly_is_noticed(was, broken, told):
    assert was in OTHER
    page = OTHER.replace(was, broken)
    assert told in "\n".join(line for word in WORDS if word != "at_most" for line in differences(word, page))


# -- Source and Model --------------------------------------------------------------------------------------------------------------


def keywords(word: type) -> set[str]:
    return set(signature_of(word)) - {"name"}


def test_every_keyword_of_source_stands_there_and_no_other():
    said = section(PAGE, "Source: what happened").split("### Readings")[0]
    assert {row[0].strip("`") for row in rows(said)} == keywords(Source)


def test_source_is_said_as_it_is_written():
    told = re.search(r"`Source\((name, .*)\)`", PAGE)
    assert told
    arguments = ast.parse(f"def source({told[1]}): ...").body[0].args  # type: ignore[attr-defined]
    true = signature_of(Source)
    assert {a.arg for a in (*arguments.args, *arguments.kwonlyargs)} == set(true)
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        assert same(... if default is None else ast.literal_eval(default), true[argument.arg]), argument.arg


def test_every_keyword_of_model_stands_there_and_no_other():
    said = [word for row in rows(section(PAGE, "Model: what to predict")) for word in code(row[0])]
    assert sorted(said) == sorted(keywords(Model))


@pytest.mark.parametrize("keyword", ["promote_when", "roll_out", "roll_back_when", "retrain_when", "fed_as", "autonomy"])
def test_what_a_model_does_if_nothing_is_said_is_told_as_it_is(keyword):
    line = next(row[1] for row in rows(section(PAGE, "Model: what to predict")) if f"`{keyword}`" in row[0])
    default = signature_of(Model)[keyword]
    if isinstance(default, tuple):
        assert "[" + ", ".join(map(repr, default)) + "]" in line
    else:
        assert f'`"{default}"` (default)' in line


def test_every_verb_of_a_source_stands_there_and_no_other():
    readings = section(PAGE, "Readings")
    said = {re.match(r"\.?(\w+)", word)[1] for row in rows(readings) for word in code(row[0])}  # type: ignore[index]
    assert said == {name for name in vars(Verbs) if not name.startswith("_")} | {"where", "named"}
    for word in (*WINDOW, "most", "within"):
        assert f"`{word}=" in readings or f"{word}=" in "".join(code(readings)), word


def test_every_part_of_the_calendar_stands_there():
    line = next(row[1] for row in rows(OTHER) if "`calendar(" in row[0])
    assert re.findall(r"\w+", line)[: len(PARTS)] == list(PARTS)


def test_every_measure_stands_there_for_its_kind_of_answer():
    told = {row[0]: tuple(code(row[1].split(";")[0])) for row in rows(section(PAGE, "Measures"))}
    assert told == {PLURAL[kind]: names for kind, names in OF_KIND.items()} | {"serving": SERVING}
    assert {name for names in told.values() for name in names} == set(METRICS) - set(SCORERS)


def untold_measures(root: Path) -> set[str]:
    """The measures that neither the page of the arithmetic nor, while there is none, the page of the words names."""
    page = root / "docs" / "statistics.md"
    told = code(page.read_text(encoding="utf-8")) if page.exists() else code(section(PAGE, "Measures"))
    return {name for name in MEASURES if name not in told}


def test_every_measure_that_is_worked_out_is_told_and_can_be_said():
    assert untold_measures(ROOT) == set()
    assert set(MEASURES) == set(METRICS) - set(SERVING) - set(SCORERS)


def test_every_scorer_is_told_for_its_kind_of_answer():
    told = {row[0]: set(code(row[1])) for row in rows(section(read("docs/statistics.md"), "Scorers"))}
    assert told == {PLURAL[kind]: {s.name for s in SCORERS.values() if kind in s.kinds} for kind in ("number", "chance", "shares")}


def test_a_measure_the_page_of_the_arithmetic_leaves_out_is_noticed(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "statistics.md").write_text(" ".join(f"`{name}`" for name in MEASURES if name != "brier"), encoding="utf-8")
    assert untold_measures(tmp_path) == {"brier"}


# -- said, but not turned yet ------------------------------------------------------------------------------------------------------

visits = Source("visits", id="visit_id", time="at", known="told_at", columns={"customer_id": str, "seconds": int, "closed": bool})
week = days(7)


class Learner:
    def fit(self, rows: object, truth: object) -> None: ...

    def predict(self, rows: object) -> None: ...


def calls(source: Source = visits, **words: object) -> Model:
    """A tiny model that turns, but for the words given."""
    usual = {
        "predicts": source.none(next=week), "per": "customer_id", "asked": every(week), "knows": source.count(last=week),
        "learner": Learner(),
    }  # fmt: skip
    return Model("calls", **(usual | words))  # type: ignore[arg-type]


seconds = visits.total("seconds", last=week)
WAITING = {
    "`each=` of another length than in `predicts`": lambda: calls(
        predicts=visits.total("seconds", next=week, each=days(1)), void_when=visits.any(next=week, each=week)
    ),
    "`one_per=`": lambda: calls(one_per="customer_id"),
    "`baseline=` of a function": lambda: calls(baseline=told_to_wait),
    "`cost(…)` of a reading beyond the gate": lambda: calls(roll_back_when=worse_than_champion(cost(missed=seconds, false_alarm=1))),
    "`only_new()` for a learner that cannot go on": lambda: calls(learns_from=only_new()),
}


def told_to_wait(page: str) -> set[str]:
    """The words of the list, each as it is said."""
    listed = section(page, "Words that can be said but not turned yet").split(". ")[0]
    return {re.sub(r"^and ", "", word) for word in " ".join(listed.split()).split(", ")}


def test_the_page_lists_the_words_whose_engines_are_missing_and_no_other():
    assert told_to_wait(PAGE) == set(WAITING)


@pytest.mark.parametrize("word", WAITING)
def test_a_listed_word_can_be_said_but_is_refused_by_a_turn(word):
    model = WAITING[word]()
    (sentence,) = model.not_yet
    assert "waits for" in sentence
    with pytest.raises(NotBuilt):
        require_built(model)
    assert sentence in everloop.explain(model, pending=True).replace("\n", " ").replace("  ", " ")


def test_what_is_not_listed_turns():
    assert calls().not_yet == ()
    assert calls(tune=search(3, depth=(1, 3))).not_yet == ()
    assert calls(promote_when=beats_champion(cost(missed=2, false_alarm=seconds))).not_yet == ()
    assert calls(roll_back_when=worse_than_champion(cost(missed=2, false_alarm=1))).not_yet == ()
    revenue = visits.total("seconds", next=week)
    assert calls(roll_out=ab(0.5, wins_when=beats_champion(revenue), within=week), tell_when=worse_than_champion(revenue)).not_yet == ()
    assert calls(tell_when=at_least(seconds, 3)).not_yet == ()
    assert calls(predicts=visits.total("seconds", next=week, each=days(1))).not_yet == ()
    assert calls(knows=visits.planned("seconds"), void_when=visits.any(next=week)).not_yet == ()
    assert calls(predicts=visits.outcome("closed"), per=visits, asked=None, knows=visits.given("seconds")).not_yet == ()


def test_each_refusal_of_the_source_belongs_to_a_listed_word():
    said = [sentence for model in WAITING.values() for sentence in model().not_yet]
    for pattern in refusals((PACKAGE / "project" / "unbuilt.py").read_text(encoding="utf-8")):
        assert any(re.fullmatch(pattern, sentence) for sentence in said), f"{pattern} is not in docs/words.md"


def test_a_new_refusal_that_no_page_tells_is_noticed():
    said = [sentence for model in WAITING.values() for sentence in model().not_yet]
    (new,) = refusals('def f(m):\n    if m.fed_as == "arrow":\n        yield f"{m.name}: fed_as waits for arrows"\n')
    assert re.fullmatch(new, "churn: fed_as waits for arrows")
    assert not any(re.fullmatch(new, sentence) for sentence in said)


def refusals(source: str) -> list[str]:
    """A pattern for every sentence that is yielded: its fixed words, with anything where a value goes."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Yield) and node.value is not None:
            parts = node.value.values if isinstance(node.value, ast.JoinedStr) else [node.value]
            found.append("".join(re.escape(str(p.value)) if isinstance(p, ast.Constant) else ".+" for p in parts))
    return found
