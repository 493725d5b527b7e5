"""What people type becomes instants and spans; what a verb found becomes a sentence, or data."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from everloop.records import Record


def say(value: Record | Iterable[Record] | dict[str, Any] | list[Any], sentence: str, as_json: bool) -> None:
    """The sentence for people, or the same as data."""
    if not as_json:
        typer.echo(sentence)
        return
    from everloop.registry.written import as_data

    typer.echo(json.dumps(as_data(value), ensure_ascii=False, indent=2, default=str))


def instant_of(text: str | None) -> datetime:
    """The instant somebody typed; now, if nobody did."""
    from everloop.clock import instant, wall

    return instant(text) if text else wall()


def span_of(text: str | None) -> timedelta | None:
    """A span such as 0, 90s, 10m, 6h or 2d."""
    from everloop.settings import span

    return None if text is None else span(text)
