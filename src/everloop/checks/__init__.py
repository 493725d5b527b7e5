"""Checks: is this snapshot fit to learn from? In: a snapshot, its tables, a model. Out: a report. No clock, no disk."""

from everloop.checks.check import check

__all__ = ["check"]
