"""The delivery board: how often, how fast and how well models come into service, and how fast harm is found and undone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from everloop.console.page import Asking, Route, Shown
from everloop.loop.delivery import Delivery, Spans, delivery_of
from everloop.loop.house import House
from everloop.project.spoken_values import spoken_span

SCREEN = 10


@dataclass(frozen=True)
class Board:
    """Models of one screen, each with its figures; ``more`` is the page after this one."""

    models: tuple[Delivery, ...]
    page: int
    pages: int

    @property
    def more(self) -> int | None:
        return self.page + 1 if self.page < self.pages else None


def board_of(house: House, now: datetime, *, page: int = 1, model: str | None = None) -> Board:
    """The board, ``SCREEN`` models at a time, by name. Raises Unknown."""
    names = [house.project.model(model).name] if model else sorted(house.project.models)
    pages = max(1, -(-len(names) // SCREEN))
    page = min(max(1, page), pages)
    here = names[(page - 1) * SCREEN : page * SCREEN]
    return Board(tuple(delivery_of(house, name, until=now) for name in here), page, pages)


def span_said(spans: Spans, never: str = "not seen yet") -> str:
    """The median of spans and how often they were seen, short.

    >>> span_said(Spans(3, timedelta(hours=30), timedelta(days=4))), span_said(Spans())
    ('1 day and 6 hours (median of 3; at most 4 days)', 'not seen yet')
    """
    if spans.median is None or spans.longest is None:
        return never
    median = spoken_span(_rounded(spans.median))
    return (
        f"{median} (once)" if spans.count == 1 else f"{median} (median of {spans.count:,}; at most {spoken_span(_rounded(spans.longest))})"
    )


def _rounded(span: timedelta) -> timedelta:
    unit = 3600 if span >= timedelta(days=2) else 60
    return timedelta(seconds=round(span.total_seconds() / unit) * unit)


def shown(asking: Asking) -> Shown:
    """The page."""
    query = asking.query
    page = asking.number("page", 1)
    model = query.get("model", "").strip() or None
    values = {"board": board_of(asking.house, asking.now, page=page, model=model), "span": span_said, "model": model}
    return Shown("Delivery", "delivery.html", values)


ROUTES: tuple[Route, ...] = (Route("/delivery", shown, "viewer", name="delivery"),)
