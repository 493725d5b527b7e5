"""Plots as SVG for console, report and card: numbers and moments go in, one string comes out. No clock, no disk, no library.

Every plot says its title and its content to a screen reader, follows light and dark, keeps its meaning without colour (shapes, dashes
and words beside the Okabe-Ito palette: Okabe and Ito, *Color Universal Design*, 2008), and has a ``viewBox`` but no width: it is as wide as
the box it stands in. Room is reserved for text at its largest (narrow screens), so a label overlaps another at no width. The same
input gives the same bytes. ``STYLE`` is one constant text in every plot, so a page that allows styles by hash needs one hash.

What is missing (None, NaN, infinite) is a gap; no data is a plot that says so. A moment without a time zone is read as UTC.
"""

from everloop.plots.forest import Effect, intervals
from everloop.plots.lanes import Lane, lanes
from everloop.plots.marks import Happening, Mark
from everloop.plots.over_time import Level, Line, lines
from everloop.plots.picture import STYLE
from everloop.plots.spread import bars, counted, histograms
from everloop.plots.traffic import shares

__all__ = [
    "STYLE",
    "Effect",
    "Happening",
    "Lane",
    "Level",
    "Line",
    "Mark",
    "bars",
    "counted",
    "histograms",
    "intervals",
    "lanes",
    "lines",
    "shares",
]
