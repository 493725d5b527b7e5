"""Every page of the console looked over by axe-core (Deque; the rules of WCAG 2.2 A and AA and its best practices) in a real Chromium.

What axe calls *serious* or *critical* counts. Light and dark, on a desk and on a phone.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

from bench.goal import Goal, at_most
from bench.listening import listening
from bench.peers import node_packages
from everloop.console.app import console
from everloop.console.page import Route
from everloop.console.routes import ROUTES
from everloop.console.sessions import Letting
from everloop.loop import let_in
from everloop.loop.arrivals import ingest_files
from everloop.loop.house import House, open_house
from everloop.loop.people import answer_question
from everloop.loop.start import start_project
from everloop.loop.turn import turn
from everloop.records import Incident, Symptom

END = datetime(2026, 11, 1, tzinfo=UTC)
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
SIZES = {"desk": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}
SCHEMES = ("light", "dark")
GRAVE = ("serious", "critical")


@dataclass(frozen=True)
class Fault:
    """One fault of one page as it was looked at: axe's rule, how grave it is, and the first element that has it."""

    address: str
    how: str
    rule: str
    impact: str
    element: str

    def __str__(self) -> str:
        return f"{self.address} ({self.how}): {self.rule}, {self.impact}, at {self.element}"


def axe() -> Iterator[Goal]:
    """Every page of a small house, without a serious fault."""
    found, views = faults_of_all()
    grave = [fault for fault in found if fault.impact in GRAVE]
    beside = f"{views} views; lesser faults: {len(found) - len(grave)}" + (f"; {grave[0]}" if grave else "")
    yield at_most("serious faults of accessibility, every page, axe-core", len(grave), 0, "faults", beside)


def faults_of_all(routes: Sequence[Route] = ROUTES) -> tuple[list[Fault], int]:
    """Every fault of every page, and how many views were looked at: pages, light and dark, desk and phone."""
    from playwright.sync_api import sync_playwright

    source = (node_packages("axe") / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
    chromium = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if chromium is None:
        raise FileNotFoundError("There is no Chromium on this machine (Debian: apt-get install chromium).")
    found: list[Fault] = []
    with tempfile.TemporaryDirectory(prefix="axe-") as folder, sync_playwright() as playwright:
        house = small_house(Path(folder))
        cookie, secret = _signed_in(house)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage"])
        views = list(product(addresses(house, routes), SCHEMES, SIZES))
        with listening(console(house, routes=routes)) as site:
            for scheme, size in product(SCHEMES, SIZES):
                # The policy of the pages lets no script in but their own, and so not this one either.
                context = browser.new_context(base_url=site, color_scheme=scheme, viewport=SIZES[size], bypass_csp=True)  # type: ignore[arg-type]
                context.add_cookies([{"name": cookie, "value": secret, "domain": "127.0.0.1", "path": "/console"}])
                page = context.new_page()
                for address in addresses(house, routes):
                    page.goto(f"/console{address}")
                    found += faults(page, source, address, f"{scheme}, {size}")
                context.close()
        browser.close()
        house.store.close()
    return found, len(views)


def faults(page: Any, source: str, address: str, how: str) -> list[Fault]:
    """What axe finds wrong with a page that is open."""
    page.evaluate(source)
    said = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [Fault(address, how, v["id"], v["impact"] or "", str(v["nodes"][0]["target"])) for v in said["violations"]]


def addresses(house: House, routes: Sequence[Route] = ROUTES) -> list[str]:
    """Every page that is got, words filled in from the house; some as they look once something was chosen."""
    (model,) = house.project.models
    runs = [run.candidate for run in house.runs.page()]
    source, contest = next(iter(house.project.sources)), house.journal.read(kind="Contest", limit=1)[0].record.id
    words = {"model": model, "run": runs[0], "source": source, "id": contest}
    said = [re.sub(r"\{(\w+)(?::path)?\}", lambda found: words[found[1]], route.path) for route in routes if route.method == "GET"]
    own = {route.name for route in routes}
    more = [f"/why?id={model}@1", "/journal?kind=Redaction", "/runs?q=nobody%3D3", f"/features?model={model}", f"/cost?model={model}"]
    beside = "/runs/beside?" + "&".join(f"run.{run}=1" for run in runs[:2])
    said = [address for address in said if address != "/runs/beside"]
    return [*said, *([*more, beside] if {"why", "runs", "features", "cost"} <= own else [])]


def small_house(folder: Path) -> House:
    """A house of the tiny project ``price`` in a canary, with two runs, an incident and people."""
    path = folder / "price"
    start_project("price", path, end=END)
    settings = path / "everloop.toml"
    settings.write_text(settings.read_text() + "\n[training]\nchild = false\n")
    house = open_house(path / "project.py", turned=True)
    ingest_files(house, None, [], now=END)
    (model,) = house.project.models.values()
    turn(house, model, END)
    answer_question(house, model, True, by="Kim", reason="looks right", now=END + timedelta(hours=1))
    turn(house, model, END + timedelta(hours=2))
    first = house.candidate(house.runs.page()[0].candidate)
    shown = (Symptom(clause="drifted()", kind="drift", about="area", sentence="area drifted: PSI 0.4"),)
    incident = Incident(
        id="incident-1", made_at=END + timedelta(hours=2), model=model.name, incident="abcd1234", change=1, cause="change", state="firing",
        severity="critical", symptoms=shown, opened_at=END, fired_at=END,
    )  # fmt: skip
    with house.store.transaction() as t:
        house.runs.learnt(
            t, house.journal.append(t, replace(first, id="feedbeef" * 2, rows=first.rows + 10), verb="train", back=timedelta(days=9))
        )
        house.incidents.move(t, house.journal.append(t, incident, verb="incident", back=timedelta(days=9)))
    return house


def _signed_in(house: House) -> tuple[str, str]:
    let_in.add(house, "Ada", "admin", by="Ada", now=END)
    letting = Letting(house)
    return letting.cookie, letting.begin("Ada", datetime.now(UTC))
