"""Every address of the console for people who are signed in, one line for each page module. What is not here, nobody is shown."""

from __future__ import annotations

from everloop.console import (
    contests,
    cost,
    data,
    delivery,
    features,
    hands,
    incidents,
    journal,
    model,
    pane,
    people,
    ring,
    rollout,
    runs,
    why,
)
from everloop.console.page import Route

ROUTES: tuple[Route, ...] = (
    *ring.ROUTES,
    *model.ROUTES,
    *contests.ROUTES,
    *rollout.ROUTES,
    *hands.ROUTES,
    *why.ROUTES,
    *runs.ROUTES,
    *pane.ROUTES,
    *delivery.ROUTES,
    *features.ROUTES,
    *data.ROUTES,
    *incidents.ROUTES,
    *cost.ROUTES,
    *journal.ROUTES,
    *people.ROUTES,
)

NAVIGATION: tuple[tuple[str, str], ...] = (
    ("ring", "Ring"),
    ("why", "Why"),
    ("runs", "Runs"),
    ("pane", "Pane"),
    ("delivery", "Delivery"),
    ("features", "Features"),
    ("data", "Data"),
    ("incidents", "Incidents"),
    ("cost", "Cost"),
    ("journal", "Journal"),
    ("people", "People"),
)
"""The names of the pages that stand in the navigation, and what they are called there; one whose route is missing is left out."""
