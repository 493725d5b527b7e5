"""What happened, as upright lines with a sign and a few words that never overlap. Marks in, places and SVG out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from everloop.plots.picture import ROW, cut, say, width_of, write
from everloop.plots.scales import Box, day, seconds

Happening: TypeAlias = Literal["deploy", "drift", "incident", "decision"]

LANES = 4

URGENCY: Mapping[str, int] = {"incident": 0, "drift": 1, "deploy": 2, "decision": 3}


@dataclass(frozen=True)
class Mark:
    """Something that happened at a moment; ``label`` is a few words."""

    at: datetime
    label: str
    kind: Happening = "decision"


def sign(kind: str) -> str:
    """The sign of a happening: shape and colour say the same."""
    if kind == "incident":
        return '<path class="n s1" d="M-5 -5L5 5M5 -5L-5 5"/>'
    if kind == "drift":
        return '<path class="t3" d="M0 -7L7 0L0 7L-7 0Z"/>'
    if kind == "deploy":
        return '<path class="t2" d="M0 -7L7 6H-7Z"/>'
    return '<circle class="t6" r="5"/>'


@dataclass(frozen=True)
class Spot:
    """Where a label stands: its lane counted from above, its box across, and on which side of its line."""

    lane: int
    box: Box
    after: bool
    words: str


def place(marks: Sequence[tuple[float, Mark]], left: float, right: float) -> tuple[int, list[tuple[float, Mark, Spot | None]]]:
    """Lanes needed, and a spot for every label that finds one: boxes never meet, and no line of a mark crosses a label."""
    taken: list[tuple[float, Spot]] = []
    spots: dict[int, Spot] = {}
    urgent = sorted(range(len(marks)), key=lambda k: (URGENCY.get(marks[k][1].kind, 9), k))
    for room in (300, 160):  # whole labels first; who found no room may try again with a short one
        for k in urgent:
            x, words = marks[k][0], cut(marks[k][1].label, room)
            spot = None if k in spots else next((s for s in _options(x, words, left, right) if _free(x, s, taken)), None)
            if spot:
                spots[k] = spot
                taken.append((x, spot))
    lanes = max((spot.lane + 1 for _, spot in taken), default=1 if marks else 0)
    return lanes, [(x, mark, spots.get(k)) for k, (x, mark) in enumerate(marks)]


def _options(x: float, words: str, left: float, right: float) -> Iterator[Spot]:
    need = 22 + width_of(words)
    for lane in range(LANES):
        for after, box in ((True, (x - 8, x + need)), (False, (x - need, x + 8))):
            if box[1] <= right and box[0] >= min(left, x) - 8:
                yield Spot(lane, box, after, words)


def _free(x: float, spot: Spot, taken: Sequence[tuple[float, Spot]]) -> bool:
    for other_x, other in taken:
        boxes_meet = spot.lane == other.lane and spot.box[0] < other.box[1] and other.box[0] < spot.box[1]
        its_line_cuts_me = other.lane <= spot.lane and spot.box[0] - 4 < other_x < spot.box[1] + 4
        my_line_cuts_it = spot.lane <= other.lane and other.box[0] - 4 < x < other.box[1] + 4
        if boxes_meet or its_line_cuts_me or my_line_cuts_it:
            return False
    return True


def draw_mark(x: float, mark: Mark, spot: Spot | None, top: float, roof: float, floor: float) -> str:
    """Its sign where its label is (else at the roof), its line from there to the floor."""
    colour = {"incident": 1, "drift": 3, "deploy": 2}.get(mark.kind, 6)
    y = top + spot.lane * ROW + 12 if spot else roof
    hint = f"<title>{say(f'{day(seconds(mark.at))} {mark.kind}: {mark.label}')}</title>"
    words = ""
    if spot:
        words = write(x + 12 if spot.after else x - 12, y + 5, spot.words, "" if spot.after else "e")
    return (
        f'<g>{hint}<path class="v s{colour}" d="M{x:.1f} {y:.1f}V{floor:.1f}"/>'
        f'<g transform="translate({x:.1f} {y:.1f})">{sign(mark.kind)}</g>{words}</g>'
    )
