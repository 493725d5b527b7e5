"""Golden vectors: units with the arms they have, so that an assignment written in another language can be held to this one. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import nextafter
from typing import Any, Final

from everloop.clock import from_microseconds
from everloop.records import Traffic
from everloop.rollout.assign import WHOLE, arm_of, control_salt, drawn, limit, limits, places, told_arms

SHARES: Final = (0.0, 1e-9, 0.05, 0.2, 0.5, 0.7, 1.0)
SALTS: Final = ("", "s", "3f2a9c0b6d71e845", "Zoë's:salt")
UNITS: Final = (
    "", "1", "2", "3", "007", " 1", "1 ", "-1", "1.0", ":", "a:b", "null", "True", "gid://shopify/Customer/7", "ada@example.org",
    "'", '"', "\\", "</script>", "{{ unit }}", "{% raw %}", "a\nb", "\t", "\x00", "\x1f", "a\x1fb", "\x7f", "Zoë", "Zoe\u0308", "ß",
    "ı", "北京", "\u202eabc", "\ufeff1", "\ufffd", "\uffff", "💣",
    "👩🏽‍🚀", "\U0010ffff", "x" * 53, "x" * 54, "x" * 62, "x" * 1000, "💣" * 500,
)  # fmt: skip
UNPAIRED: Final = ("\ud800", "\udfff1", "a\udc00b", "\ud83d:\ud83d")


def golden() -> dict[str, Any]:
    """Everything an assignment elsewhere must agree with, as plain data.

    ``units``: where each stands, in whole numbers out of 2³², and its arm under every one of ``shares``. ``edges``: shares at which a
    unit stands right at, or one step beside, the limit. ``stages``: outside a canary the champion answers everybody. ``controls``: units
    of models that keep some at the baseline, in a canary and outside, right at the limit and beside it. ``several``: tests of two to five
    candidates, of which some were dropped. ``unpaired``: texts with half a
    surrogate pair, as UTF-16 code units, for languages that can hold them.
    """
    return {
        "form": 1,
        "rule": "SHA-256 of UTF-8 salt:unit; candidate where coverage < covered and variation < given, all out of 4294967296; "
        "before that control where coverage by controlSalt < kept; of several "
        "candidates[coverage by arm:salt * how many // 4294967296]",
        "shares": [{"share": share, **_limits(share)} for share in SHARES],
        "units": [{"salt": salt, "unit": unit, **_stands(unit, salt)} for salt in SALTS for unit in UNITS],
        "edges": list(_edges()),
        "stages": [
            {"stage": stage, "salt": "s", "unit": "1", "share": 1.0, **_limits(1.0), "arm": arm_of("1", _traffic("s", 1.0, stage))}
            for stage in ("steady", "shadow", "canary", "bake")
        ],
        "controls": list(_controls()),
        "several": list(_several()),
        "unpaired": [{"salt": "s", "utf16": _utf16(unit), **_stands(unit, "s")} for unit in UNPAIRED],
    }


def _stands(unit: str, salt: str) -> dict[str, Any]:
    coverage, variation = (int(place * WHOLE) for place in places(unit, salt))
    return {"coverage": coverage, "variation": variation, "arms": [arm_of(unit, _traffic(salt, share)) for share in SHARES]}


def _edges() -> Iterator[dict[str, Any]]:
    """A share of which a unit's own place is the limit, and those just beside it: covered up to one half, given beyond."""
    for unit in UNITS[:16]:
        coverage, variation = (int(place * WHOLE) for place in places(unit, "s"))
        at = [n / (2 * WHOLE) for n in (coverage, coverage + 1)] + [n / WHOLE for n in (variation, variation + 1) if n > WHOLE / 2]
        for share in [near for edge in at for near in (nextafter(edge, 0), edge, nextafter(edge, 1))]:
            yield {"salt": "s", "unit": unit, "share": share, **_limits(share), "arm": arm_of(unit, _traffic("s", share))}


def _controls() -> Iterator[dict[str, Any]]:
    """Units of a control: one at its place's limit, beside it, and a share of all."""
    for model, unit in ((model, unit) for model in ("m", "demand.eu") for unit in UNITS[:20]):
        place = places(unit, control_salt(model))[0]
        for control, stage in ((c, stage) for c in (0.0, 0.05, 0.5, place, nextafter(place, 1)) for stage in ("steady", "canary")):
            told = {"stage": stage, "salt": "s", "unit": unit, "share": 0.5, **_limits(0.5)}
            said = {"control": control, "controlSalt": control_salt(model), "kept": limit(control)}
            yield {**told, **said, "arm": arm_of(unit, replace(_traffic("s", 0.5, stage), model=model, control=control))}


def _several() -> Iterator[dict[str, Any]]:
    """Two to five candidates, all there and with one dropped, under shares up to one half and beyond."""
    for number, left, share in ((n, out, s) for n in range(2, 6) for out in (None, 0, n - 1) for s in (0.2, 0.5, 0.7)):
        versions = tuple(None if place == left else f"v{place}" for place in range(number))
        traffic = replace(_traffic("s", share), arms=versions)
        told = {"stage": "canary", "salt": "s", "share": share, **_limits(share), "candidates": list(told_arms(traffic))}
        for unit in UNITS[:20]:
            yield {**told, "unit": unit, "drawn": drawn(unit, "s", number), "arm": arm_of(unit, traffic)}


def _limits(share: float) -> dict[str, int]:
    return dict(zip(("covered", "given"), limits(share), strict=True))


def _traffic(salt: str, share: float, stage: Any = "canary") -> Traffic:
    began = from_microseconds(0)
    return Traffic(
        id="", made_at=began, since=began, model="", generation=1, stage=stage, champion="a", candidate="b", share=share, salt=salt
    )


def _utf16(text: str) -> list[int]:
    written = text.encode("utf-16-be", "surrogatepass")
    return [int.from_bytes(written[place : place + 2], "big") for place in range(0, len(written), 2)]
