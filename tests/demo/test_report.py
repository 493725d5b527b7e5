"""The demo's page: one file, nothing from elsewhere, every text escaped, nothing missing."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from everloop import plots
from everloop.demo.report import Chapter, Contested, Decided, Figure, Story, page, write_report

AT = datetime(2025, 6, 2, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>&\"'"
VOID = {"meta", "img", "br", "hr", "link", "path", "rect", "circle"}


class Tags(HTMLParser):
    """Counts tags and insists that each is closed by its own name."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read(text: str) -> Tags:
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    return tags


def a_story(word: str = "demand") -> Story:
    svg = plots.lines(word, [plots.Line(word, [(AT + timedelta(days=7 * i), 0.5 + i / 100) for i in range(26)])])
    return Story(
        title=word,
        summary=word,
        chapters=(Chapter(1, word, (word, word), (svg,)), Chapter(2, word, ())),
        figures=(Figure(word, 0.529, 0.6, word, ((word, 0.74),)), Figure("served", 99.97, 99.99, "%", better="higher")),
        decisions=tuple(Decided(AT + timedelta(days=i), word, f"{word} {i}", f"id{i}") for i in range(30)),
        contests=(
            Contested(word, 0.1, 0.05, 0.15, 0.02, "passed", AT),
            Contested(word, None, None, math.nan, None, "not enough evidence", AT),
        ),
        plots=((word, svg),),
        commands=(f"everloop why {word}",),
        head="b7f9",
        seconds=312.4,
    )


def test_the_page_is_one_file_without_script_or_anything_from_elsewhere(tmp_path: Path) -> None:
    path = write_report(a_story(), tmp_path / "deep" / "report.html")
    text = path.read_text(encoding="utf-8")
    tags = read(text)
    assert not {"script", "link", "iframe", "img"} & {tag for tag, _ in tags.seen}
    assert not [a for _, a in tags.seen if (a.get("href") or "#")[0] != "#" or "src" in a]
    assert "url(" not in text
    assert "@import" not in text
    assert len(text) < 500_000
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]


def test_hostile_words_stay_words_everywhere() -> None:
    text = page(a_story(HOSTILE))
    tags = read(text)
    assert "<script" not in text
    assert not [tag for tag, attrs in tags.seen if tag == "img" or "onerror" in attrs]
    assert text.count("&lt;script&gt;") > 40


def test_every_part_of_the_story_is_told() -> None:
    text = page(a_story())
    for said in (
        "demand 29",
        "id29",
        "everloop why demand",
        "b7f9",
        "0.529",
        "at most 0.6",
        "0.74",
        "99.97",
        "5 min 12 s",
        "goal met",
        "goal missed",
    ):
        assert said in text, said
    assert len(re.findall(r"<section", text)) == 6
    assert text.count("2025-06-02T00:00:00+00:00") == 3


def test_parts_without_content_are_left_out_and_no_link_leads_nowhere() -> None:
    bare = page(Story("t", "s", (), (), (), (), (), (), "", math.nan))
    assert "<section" not in bare
    assert "<li>" not in bare
    text = page(replace(a_story(), contests=(), decisions=()))
    tags = read(text)
    ids = {a["id"] for _, a in tags.seen if "id" in a}
    assert {(a["href"] or "")[1:] for tag, a in tags.seen if tag == "a"} <= ids
    assert "contests" not in ids


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -3.0, 0.0, 1e300])
def test_a_figure_without_a_drawable_number_is_still_a_card(value: float) -> None:
    text = page(replace(a_story(), figures=(Figure("f", value, value, "u", (("g", value),)), Figure("f", value, None, ""))))
    assert text.count('class="card"') == 2
    assert not re.search(r'd="[^"]*(nan|inf)', text)


@pytest.mark.parametrize(("better", "met"), [("lower", False), ("higher", True)])
def test_the_goal_is_met_on_its_own_side(better: str, met: bool) -> None:
    assert Figure("f", 2.0, 1.0, "", better=better).met is met  # type: ignore[arg-type]
    assert Figure("f", 1.0, 1.0, "", better=better).met is True  # type: ignore[arg-type]


def test_a_page_that_cannot_be_written_leaves_the_one_before_as_it_was(tmp_path: Path) -> None:
    path = write_report(a_story(), tmp_path / "report.html")
    before = path.read_bytes()
    with pytest.raises(AttributeError):
        write_report(replace(a_story(), figures=(None,)), path)  # type: ignore[arg-type]
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_half_characters_do_not_keep_the_page_from_being_written(tmp_path: Path) -> None:
    assert write_report(a_story("a\ud800b"), tmp_path / "r.html").read_text(encoding="utf-8")
