"""Plots: well-formed, accessible, honest about what is missing, and no label on another."""

from __future__ import annotations

import math
import random
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import combinations
from xml.etree import ElementTree

import pytest

from everloop import plots
from everloop.plots import Effect, Lane, Level, Line, Mark
from everloop.plots.calendar import _ticks
from everloop.plots.marks import _free, place
from everloop.plots.scales import number, scale_of

START = datetime(2026, 1, 5, tzinfo=UTC)
NAN, INF = float("nan"), float("inf")
HOSTILE = "</text><script>alert('1')</script>&\x00\x1f\ud800"
SVG = "{http://www.w3.org/2000/svg}"


def week(i: float) -> datetime:
    return START + timedelta(days=7 * i)


def parsed(svg: str) -> ElementTree.Element:
    svg.encode("utf-8")
    return ElementTree.fromstring(svg)


def words(svg: str) -> list[str]:
    return ["".join(text.itertext()) for text in parsed(svg).iter(f"{SVG}text")]


def one_of_each(name: str = "demand", value: float | None = 0.5) -> list[str]:
    return [
        plots.lines(name, [Line(name, [(week(i), value) for i in range(3)], [(value, value)] * 3)], marks=[Mark(week(1), name)],
                    levels=[Level(name, value)], unit=name),
        plots.shares(name, [(week(0), {name: value or 0.0}), (week(1), {name: 1.0})], until=week(2), marks=[Mark(week(1), name, "drift")]),
        plots.intervals(name, [Effect(name, value, value, value, value, "failed")], unit=name),
        plots.histograms(name, [value, 1.0], [value], names=(name, "now"), unit=name),
        plots.bars(name, {name: value or 0.0, "b": 1}, {name: 2}, names=(name, "now")),
        plots.lanes(name, [Lane(name, [Line(name, [(week(i), value) for i in range(3)], [(value, value)] * 3)], name, missing=name)],
                    marks=[Mark(week(1), name, "incident")]),
    ]  # fmt: skip


def test_every_plot_is_an_image_with_title_description_and_no_fixed_width() -> None:
    for svg in one_of_each():
        root = parsed(svg)
        ids = root.attrib["aria-labelledby"].split()
        assert [root.find(f"{SVG}title").attrib["id"], root.find(f"{SVG}desc").attrib["id"]] == ids  # type: ignore[union-attr]
        assert root.attrib["role"] == "img"
        assert "viewBox" in root.attrib
        assert "width" not in root.attrib
        assert root.find(f"{SVG}desc").text  # type: ignore[union-attr]
        assert "prefers-color-scheme:dark" in svg


def test_hostile_text_stays_text_and_the_picture_stays_well_formed() -> None:
    for svg in one_of_each(HOSTILE):
        assert not list(parsed(svg).iter("script"))
        assert "<script" not in svg


@pytest.mark.parametrize("value", [None, NAN, INF, -INF, 0.0, 1e-300, -1e300, 1e299, 1e15, 5e-324, 10**400])
def test_what_cannot_be_drawn_is_left_out_and_never_written(value: float | None) -> None:
    for svg in one_of_each(value=value):
        drawn = re.sub(r"<(title|desc|style|text).*?</\1>", "", svg)
        assert not re.search(r"\bnan\b|\binf\b", drawn, re.I)
        parsed(svg)


def test_no_data_is_a_plot_that_says_so() -> None:
    empty = [plots.lines("t", []), plots.lines("t", [Line("a", [(START, None), (START, NAN)])]), plots.shares("t", []),
             plots.shares("t", [(START, {})]),
             plots.intervals("t", []), plots.histograms("t", [], [None, NAN]), plots.bars("t", {}, {"a": 0}),
             plots.lanes("t", []), plots.lanes("t", [Lane("a", [])])]  # fmt: skip
    for svg in empty:
        assert "nothing to show yet" in words(svg)


def test_the_same_content_gives_the_same_bytes_and_another_content_another_id() -> None:
    first, again, other = (plots.lines("t", [Line("a", [(week(0), 1.0), (week(1), v)])]) for v in (2.0, 2.0, 3.0))
    name = lambda svg: parsed(svg).attrib["id"]  # noqa: E731
    assert first == again
    assert name(first) != name(other)
    assert name(plots.lines("t", [], id='my plot"')) == "my-plot-"


def test_a_missing_value_breaks_the_line_and_a_lonely_value_is_a_dot() -> None:
    whole = plots.lines("t", [Line("a", [(week(i), 1.0 + i) for i in range(5)])])
    broken = plots.lines("t", [Line("a", [(week(i), None if i in (2, 4) else 1.0 + i) for i in range(6)])])
    path = lambda svg: re.findall(r'<path class="n s0" d="([^"]*)"', svg)[-1]  # noqa: E731
    assert path(whole).count("M") == 1
    assert path(broken).count("M") == 1
    assert broken.count('<circle class="t0"') == 2


def test_points_are_drawn_in_order_of_time_whatever_order_they_come_in() -> None:
    points = [(week(i), float(i)) for i in range(8)]
    shuffled = random.Random(1).sample(points, len(points))
    assert re.findall(r' d="[^"]*"', plots.lines("t", [Line("a", points)])) == re.findall(
        r' d="[^"]*"', plots.lines("t", [Line("a", shuffled)])
    )


def test_a_hundred_thousand_points_keep_their_extremes_and_a_small_picture() -> None:
    values = [math.sin(i / 9000) for i in range(100_000)]
    values[54_321] = 7.5
    svg = plots.lines("t", [Line("a", [(START + timedelta(minutes=i), v) for i, v in enumerate(values)])])
    assert len(svg) < 60_000
    assert "between −1 and 7.5" in svg


@pytest.mark.parametrize("seed", range(20))
def test_no_label_meets_another_and_no_line_of_a_mark_crosses_one(seed: int) -> None:
    draw = random.Random(seed)
    kinds = ("deploy", "drift", "incident", "decision")
    marks = sorted((draw.uniform(60, 580), Mark(START, "x" * draw.randint(1, 40), draw.choice(kinds))) for _ in range(25))  # type: ignore[type-var]
    lanes, placed = place(marks, 60, 596)
    said = [(x, spot) for x, _, spot in placed if spot]
    assert 0 < lanes <= 4
    assert len(placed) == 25
    assert len(said) >= 3
    for (x, a), (y, b) in combinations(said, 2):
        assert _free(x, a, [(y, b)])
        assert a.lane != b.lane or a.box[1] <= b.box[0] or b.box[1] <= a.box[0]
    careless = [(x, replace(spot, lane=0)) for x, spot in said]  # the rival: everything in one lane
    assert not all(_free(x, a, [(y, b)]) for (x, a), (y, b) in combinations(careless, 2))


def test_an_urgent_mark_gets_its_label_before_a_decision_does() -> None:
    crowd = [(100.0 + i, Mark(week(i), "hold hold hold hold", "decision")) for i in range(12)] + [
        (112.0, Mark(week(13), "outage", "incident"))
    ]
    _, placed = place(crowd, 60, 596)
    assert [spot is not None for _, mark, spot in placed if mark.kind == "incident"] == [True]
    assert any(spot is None for _, _, spot in placed)


@pytest.mark.parametrize("days", [0, 0.001, 0.1, 0.6, 3, 10, 45, 182, 400, 3000, 40_000, 700_000])
def test_the_calendar_has_a_few_labels_at_round_moments_for_every_span(days: float) -> None:
    first = datetime(1, 1, 1, tzinfo=UTC) if days > 500_000 else START
    svg = plots.lines("t", [Line("a", [(first, 1.0), (first + timedelta(days=days), 2.0)])])
    parsed(svg)
    low = (first - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    if days:
        ticks = _ticks(low, low + days * 86400, 7)
        assert 1 <= len(ticks) <= 9
        assert all(low <= at <= low + days * 86400 for at, *_ in ticks)


def test_the_ends_of_time_can_be_drawn() -> None:
    ends = [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, tzinfo=UTC)]
    drawn = [plots.lines("t", [Line("a", [(at, 1.0) for at in ends])])]
    drawn += [plots.lines("t", [Line("a", [(at, 1.0)])]) for at in ends]
    drawn += [plots.shares("t", [(at, {"a": 1.0})]) for at in ends]
    assert all(parsed(svg).tag == f"{SVG}svg" for svg in drawn)


def test_a_moment_without_a_time_zone_is_read_as_utc() -> None:
    aware, naive = (plots.lines("t", [Line("a", [(at, 1.0)])]) for at in (START, START.replace(tzinfo=None)))
    assert aware == naive


def test_axes_end_on_ticks_and_small_steps_are_told_apart() -> None:
    (low, high), ticks, said = scale_of([0.4412, 0.4418], False)
    assert low <= 0.4412 + 1e-9
    assert high >= 0.4418 - 1e-9
    assert (ticks[0], ticks[-1]) == (low, high)
    assert len(set(said)) == len(said)
    assert [number(v) for v in (0.6, -0.0, 1240, 25_000, 3.2e6, -0.05)] == ["0.6", "0", "1240", "25k", "3.2M", "−0.05"]
    assert [number(v, True) for v in (0.125, 1.0, -0.5)] == ["12.5 %", "100 %", "−50 %"]


def test_traffic_over_one_is_scaled_and_bad_shares_are_dropped() -> None:
    doubled = plots.shares("t", [(week(0), {"a": 1.0, "b": 1.0, "c": -1.0, "d": NAN})], until=week(1))
    halves = plots.shares("t", [(week(0), {"a": 0.5, "b": 0.5})], until=week(1))
    assert doubled == halves


def test_the_outcome_of_a_contest_is_told_by_shape_and_word_not_by_colour_alone() -> None:
    outcomes = ("passed", "failed", "not enough evidence")
    svg = plots.intervals("t", [Effect(o, 0.1, 0.0, 0.2, 0.02, o) for o in outcomes])
    signs = [re.sub(r"\bs\d|t\d", "", s) for s in re.findall(r'<g transform="translate\(13 -5\)">(.*?)</g>', svg)]
    assert len(set(signs)) == 3
    assert set(outcomes) <= set(words(svg))


def test_one_wild_value_does_not_hide_the_rest_of_a_histogram() -> None:
    calm = [i / 100 for i in range(1000)]
    svg = plots.histograms("t", calm, [*calm, 1e12])
    assert max(float(t) for t in words(svg) if re.fullmatch(r"\d+(\.\d)?", t)) <= 10


def test_many_categories_are_folded_into_others_and_nothing_is_lost() -> None:
    svg = plots.bars("t", {f"c{i}": i + 1.0 for i in range(40)}, {"c39": 1}, most=5)
    assert "others" in words(svg)
    assert svg.count('<rect class="f s6') == 5 + 1
    shown = [float(w) for w in re.findall(r"([\d.]+) % then", svg)]
    assert sum(shown) == pytest.approx(100, abs=0.2)


def test_all_text_lies_inside_the_picture_at_its_largest_size() -> None:
    from everloop.plots.picture import width_of

    for svg in [*one_of_each("demand@12 against the seasonal baseline of last year"), *one_of_each("a", 123456.789)]:
        for group in parsed(svg).iter(f"{SVG}text"):
            x, wide, look = float(group.attrib["x"]), width_of(group.text or ""), group.attrib.get("class", "")
            left = x - wide if "e" in look.split() else x - wide / 2 if "c" in look.split() else x
            assert left >= -2, (group.text, x, wide)
            if x != 33:  # a legend's words stand in a group of their own that wraps
                assert left + wide <= 602, (group.text, x, wide)


def test_what_was_counted_is_drawn_as_what_was_kept_would_be() -> None:
    values = [i / 100 for i in range(1000)]
    edges = [i / 10 for i in range(101)]
    counts = [0.0, *[10.0] * 100, 0.0]
    kept, counted = plots.histograms("t", values, values), plots.counted("t", edges, counts, counts)
    path = lambda svg: [float(v) for v in re.findall(r"V([\d.]+)H", re.findall(r'<path class="f s6 t6" d="([^"]*)"', svg)[0])]  # noqa: E731
    assert path(kept) == pytest.approx(path(counted), abs=8)
    assert len({round(height) for height in path(counted)[1:-2]}) == 1, "even counts are drawn even, whatever the edges are"
    coarse = plots.counted("t", [0.0, 7.0, 10.0], [0, 700, 300, 0], [0, 700, 300, 0])
    assert path(coarse)[1:-2] == pytest.approx(path(counted)[1:-2], abs=2)


def test_counts_without_edges_or_counts_are_a_plot_that_says_so() -> None:
    for svg in (plots.counted("t", [], [], []), plots.counted("t", [1.0, 2.0], [0, 0, 0], [0, 0, NAN])):
        assert "nothing to show yet" in words(svg)
    parsed(plots.counted("t", [1.0], [3, 4], [1, INF]))
    parsed(plots.counted("t", [1.0, 1.0000000000000002], [0, 4, 0], [0, 9, 0]))


def test_evidence_is_drawn_by_powers_of_ten_with_levels_as_so_many_to_one() -> None:
    points = [(week(i), v) for i, v in enumerate([1.0, 0.0, 30.0, 5000.0])]
    svg = plots.lines("t", [Line("harm", points)], levels=[Level("taken back from", 20.0)], odds=True)
    assert {"1 : 1", "100 : 1", "10k : 1", "taken back from 20 : 1"} <= set(words(svg))
    assert "harm: from 1 : 1 to 5000 : 1, between 1 : 1000 and 5000 : 1" in svg
    wild = plots.lines("t", [Line("harm", [(week(0), 1e-9), (week(1), 1e250), (week(2), NAN), (week(3), None)])], odds=True)
    parsed(wild)
    assert "1 : 1" in words(wild)


def test_lanes_share_one_axis_of_time_and_each_has_a_scale_of_its_own() -> None:
    small, large = ([(week(i), scale * (i + 1)) for i in range(5)] for scale in (0.001, 1e6))
    svg = plots.lanes("t", [Lane("one", [Line("a", small)]), Lane("two", [Line("b", large)])], marks=[Mark(week(2), "demand@2", "deploy")])
    first, second = re.findall(r'<path class="n s0" d="M([\d. ]+L[^"]*)"', svg)
    places = [[tuple(map(float, spot.split())) for spot in path.split("L")] for path in (first, second)]
    assert [x for x, _ in places[0]] == [x for x, _ in places[1]]
    assert max(y for _, y in places[0]) < min(y for _, y in places[1]), "the lanes lie below one another"
    (line,) = re.findall(r'<path class="v s2" d="M([\d.]+) [\d.]+V([\d.]+)"', svg)
    assert float(line[0]) == pytest.approx(places[0][2][0], abs=0.2)
    assert float(line[1]) > max(y for _, y in places[1]), "a mark goes through all of them"


def test_a_lane_without_values_stays_and_says_why() -> None:
    full = Lane("one", [Line("a", [(week(0), 1.0), (week(1), 2.0)])])
    svg = plots.lanes("t", [full, Lane("two", [], missing="nobody was answered")])
    assert "nobody was answered" in words(svg)
    assert "two: nobody was answered" in svg
    assert "nobody was answered" in words(plots.lanes("t", [Lane("two", [], missing="nobody was answered")], since=week(0), until=week(1)))
