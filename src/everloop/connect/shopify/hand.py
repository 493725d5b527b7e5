"""The merchant's hand: what is said in the shop's admin is done in the house, and how things stand is written back beside it.

In: flags (metaobjects), by a webhook or read every ``poll``. Out: words to the house in the merchant's name; what flags and mirror say.
Three sides are compared: the flag, the house, and what the flag was last seen to say (``seen.py``). What the merchant changed goes to the
house; what somebody changed in the house goes into the flag. Only the kill switch is no matter of who came last: while it is on, the
model is held.

What could not be told to the house or the shop is told at a later look; nothing is remembered as done before it is.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from everloop.clock import monotonic
from everloop.connect.shopify.admin import Shop
from everloop.connect.shopify.flags import BLANK, TYPE, Flag, Words, differing, flag_of, handle_of, nobody, shown, words_of
from everloop.connect.shopify.house import House, Refused, Row, Unreachable
from everloop.connect.shopify.metafields import paged_type
from everloop.connect.shopify.mirror import mirror, mirrored
from everloop.connect.shopify.seen import Seen, SeenFlags, without
from everloop.errors import EverloopError

BY: Final = "the merchant, in the shop's admin"
PATIENCE: Final = 5.0
"""Seconds a webhook waits while flags are being looked at; the kill switch waits for nobody."""
SOON: Final = 1.0
"""Seconds to the next look while something is still to be told."""
_NAME: Final = re.compile(r"[\w-]{1,100}")
EARLIER: Final = 0.8
"""Of the interval, after which the next look begins."""


@dataclass
class Hand:
    """The merchant's hand on one house. Threads may share it."""

    seen: SeenFlags
    house: House
    shop: Shop
    looking: threading.Lock = field(default_factory=threading.Lock, repr=False)
    owes: threading.Event = field(default_factory=threading.Event, repr=False)
    """Set while something is still to be told to the house or the shop."""

    # -- by webhook ---------------------------------------------------------------------------------------------------------------------

    def heard(self, payload: Row) -> list[str]:
        """What a webhook about metaobjects says, done at once; a sentence for each thing. One that is older than what was seen, or about
        other metaobjects, changes nothing; one without fields (a flag was deleted) has the next look come soon. Raises Unreachable where
        the house does not answer: it is to be said again."""
        if not _is_flag(payload):
            return []
        self.owes.set()  # how things stand then is written back by the next look
        flag = flag_of(payload)
        if not flag.fields or self.seen.of(flag.handle).newer_than(flag.updated_at):
            return []
        done = self.stopped(flag)  # before anything that could be waited for
        with self.alone():
            standing = next((one for one in self.house.standing() if handle_of(str(one["model"])) == flag.handle), None)
            return done + (self.heeded(flag, standing) if standing is not None else [])

    def stopped(self, flag: Flag) -> list[str]:
        """Hold the model of a flag whose kill switch was switched on since it was last seen; of no model, nothing."""
        seen = self.seen.of(flag.handle)
        if seen.kill or not words_of(flag, kill=seen.kill, percent=seen.percent).kill:
            return []
        model = seen.model or (flag.fields.get("model") or flag.handle)
        if not _NAME.fullmatch(model):  # anybody who edits the flag may write anything into it, another way of the house's among it
            return []
        try:
            return self.said(flag, model, "hold", "kill_switch was switched on")
        except Refused as refused:
            if refused.code != "unknown":
                raise
            return []

    # -- by poll ------------------------------------------------------------------------------------------------------------------------

    def look(self) -> list[str]:
        """Read every flag, do what it says, and write back how things stand; a sentence for each thing done. Where house or shop would not,
        everything else is done all the same; then that is raised."""
        done: list[str] = []
        troubles: list[EverloopError] = []
        with self.alone(patience=-1):
            self.owes.clear()
            try:
                flags = {flag.handle: flag for flag in self.flags()}
                new = {handle: flag for handle, flag in flags.items() if not self.seen.of(handle).newer_than(flag.updated_at)}
                for flag in new.values():
                    done += _tried(troubles, lambda flag=flag: self.stopped(flag))
                standing = {handle_of(str(one["model"])): one for one in self.house.standing()}
                for handle in new.keys() & standing.keys():
                    done += _tried(troubles, lambda handle=handle: self.heeded(new[handle], standing[handle]))
                standing = {handle_of(str(one["model"])): one for one in self.house.standing()} if done else standing
                for handle, one in standing.items():
                    if handle not in flags or handle in new:
                        _tried(troubles, lambda handle=handle, one=one: self.written(flags.get(handle), one))
                for handle in flags.keys() - standing.keys():
                    _tried(troubles, lambda handle=handle: self.orphaned(flags[handle], standing.values()))
                mirror(self.shop, mirrored(standing.values()))
            except EverloopError as error:
                troubles.append(error)
        if troubles:
            self.owes.set()
            raise troubles[0]
        return done

    def flags(self) -> Iterator[Flag]:
        """Every flag there is in the shop."""
        return map(flag_of, paged_type(self.shop, TYPE))

    # -- what is done in the house ------------------------------------------------------------------------------------------------------

    def heeded(self, flag: Flag, standing: Row) -> list[str]:
        """Do what a flag says otherwise than it was seen to, or than the house does; a sentence for each thing done."""
        model, seen = str(standing["model"]), self.seen.of(flag.handle)
        words = words_of(flag, kill=seen.kill, percent=seen.percent)
        done = self._kill(flag, model, words, seen, standing)
        seen = self.seen.keep(flag.handle, model=model, kill=words.kill, updated_at=flag.updated_at)
        done += self._share(flag, model, words, seen, standing)
        done += self._answer(flag, model, words, self.seen.of(flag.handle), standing)
        return done

    def _kill(self, flag: Flag, model: str, words: Words, seen: Seen, standing: Row) -> list[str]:
        if words.kill and not standing.get("held"):
            return self.said(flag, model, "hold", "kill_switch is on" if seen.kill else "kill_switch was switched on")
        if not words.kill and seen.kill and standing.get("held"):
            return self.said(flag, model, "release", "kill_switch was switched off")
        return []

    def _share(self, flag: Flag, model: str, words: Words, seen: Seen, standing: Row) -> list[str]:
        """The share of a canary: set where the merchant says another one, or a candidate is there it was not set for yet."""
        changed, candidate = words.percent != seen.percent, str(standing.get("candidate") or "")
        if standing.get("stage") != "canary" or words.kill:
            if changed:
                self.seen.keep(flag.handle, percent=words.percent, rolled=None, notes=without(seen.notes, "percent"))
            return []
        if not changed and (words.percent is None or seen.rolled == candidate):
            return []
        done, note = [], ""
        if _by_hand(standing) != words.percent:
            try:
                asked = None if words.percent is None else words.percent / 100
                done = self.said(flag, model, "share", f"canary_percent says {words.percent or 'nothing'}", share=asked)
            except Refused as refused:
                note = f"Not taken: canary_percent: {refused}"
        notes = without(seen.notes, "percent") | ({"percent": note} if note else {})
        self.seen.keep(flag.handle, percent=words.percent, rolled=candidate, notes=notes)
        return done

    def _answer(self, flag: Flag, model: str, words: Words, seen: Seen, standing: Row) -> list[str]:
        """A yes or no to the question its code names, once."""
        if not words.code or words.answer == seen.answered:
            return []
        question, done = str(standing.get("question") or ""), []
        note = f"Your answer was carried out: {words.answer}."
        if question.startswith(words.code):
            self.seen.keep(flag.handle, tried=question)
            try:
                done = self.said(flag, model, "approve" if words.yes else "reject", f"answer says {words.answer}", question=question)
            except Refused as refused:
                note = f"Not taken: answer: {refused}"
        elif not seen.tried.startswith(words.code):  # else the house heard it, and went before it could say so
            note = f"Not taken: {words.answer} answers no question that waits now. See waiting."
        self.seen.keep(flag.handle, answered=words.answer, notes=without(seen.notes, "answer") | {"answer": note})
        return done

    def said(self, flag: Flag, model: str, verb: str, why: str, **words: object) -> list[str]:
        """A word to the house in the merchant's name; to hold what is held, or release what is free, needs none. Raises Unreachable, and
        Refused."""
        reason = f"{why} (model_flag {flag.handle}, changed {flag.updated_at})"
        try:
            told = self.house.operate(f"models/{model}/{verb}", {"by": BY, "reason": reason, **words})
        except Refused:
            held = next((bool(one.get("held")) for one in self.house.standing() if one["model"] == model), None)
            if {"hold": True, "release": False}.get(verb, not held) != held:
                raise
            return []
        return [str(told.get("sentence") or f"{model}: {verb}")]

    # -- what is written back -----------------------------------------------------------------------------------------------------------

    def written(self, flag: Flag | None, standing: Row) -> dict[str, str]:
        """Write into a model's flag how it stands now, and what the merchant's words came to; the fields written. A flag that is not there
        is made, with what is in force."""
        model = str(standing["model"])
        handle = handle_of(model)
        if flag is None:
            self.seen.forget(handle)
        seen = self.seen.of(handle)
        words = words_of(flag, kill=seen.kill, percent=seen.percent) if flag is not None else Words(False, None)
        theirs = _theirs(flag, words, seen, standing)
        wanted = shown(standing, words, tuple(seen.notes.values())) | theirs
        different = differing(flag, wanted) if flag is not None else BLANK | wanted
        if not different:
            return {}
        at = self._put(handle, different)
        self.seen.keep(
            handle,
            model=model,
            updated_at=max(at, seen.updated_at),
            kill=seen.kill or theirs.get("kill_switch") == "true",
            percent=int(theirs["canary_percent"] or 0) or None if "canary_percent" in theirs else seen.percent,
        )
        return different

    def orphaned(self, flag: Flag, standing: Iterable[Row]) -> None:
        """Say in a flag of no model of this house that it is none, and which there are."""
        different = differing(flag, {"status": nobody(flag.handle, [str(one["model"]) for one in standing])})
        if different:
            self._put(flag.handle, different)

    def _put(self, handle: str, fields: Row) -> str:
        said = {"fields": [{"key": key, "value": value} for key, value in fields.items()]}
        told = self.shop.ask("metaobject_upsert", handle={"type": TYPE, "handle": handle}, metaobject=said)["metaobjectUpsert"]
        return str((told.get("metaobject") or {}).get("updatedAt") or "")

    @contextmanager
    def alone(self, patience: float = PATIENCE) -> Iterator[None]:
        """One look at a time. Raises Unreachable for whoever waited too long, to come again."""
        if not self.looking.acquire(timeout=patience):
            raise Unreachable("The flags are being looked at just now, and that takes long. It is tried again.")
        try:
            yield
        finally:
            self.looking.release()


def follow(hand: Hand, every: float, stop: threading.Event, told: Callable[[str], object]) -> None:
    """Look at the flags every so many seconds, and soon again while something is still to be told, until ``stop``. What was done is
    ``told``, and what goes wrong once, until it is over."""
    trouble = ""
    while not stop.is_set():
        began = monotonic()
        try:
            for sentence in hand.look():
                told(sentence)
            trouble = ""
        except EverloopError as error:
            if str(error) != trouble:
                told(f"The merchant's flags: {error}")
            trouble = str(error)
        # What is said between two looks is in force within the interval, the look that finds it included.
        until = monotonic() + max(EARLIER * every - (monotonic() - began), min(SOON, every))
        while (left := until - monotonic()) > 0 and not stop.wait(min(SOON, left)):
            if hand.owes.is_set():
                break


def _tried(troubles: list[EverloopError], work: Callable[[], object]) -> list[str]:
    """What came of it; nothing where it went wrong, which is noted."""
    try:
        done = work()
    except EverloopError as error:
        troubles.append(error)
        return []
    return done if isinstance(done, list) else []


def _theirs(flag: Flag | None, words: Words, seen: Seen, standing: Row) -> dict[str, str]:
    """What of the merchant's own fields the house changed: somebody else held the model, or set or gave back a share. An answer that was
    carried out is cleared."""
    fields = {"kill_switch": "true"} if standing.get("held") and not words.kill else {}
    now, canary = _by_hand(standing), standing.get("stage") == "canary"
    set_for_this = canary and seen.rolled == standing.get("candidate") and "percent" not in seen.notes
    # A share of 5.5 % has no place in a field of whole numbers: status says it.
    if now != words.percent and (now is None or now == int(now)) and (set_for_this or (canary and words.percent is None)):
        fields["canary_percent"] = "" if now is None else str(int(now))
    if flag is not None and words.answer and words.answer == seen.answered:
        fields["answer"] = ""
    return fields


def _is_flag(payload: Row) -> bool:
    """Whether a payload is about a flag: Shopify says the app's own type in full, such as app--1234--model_flag."""
    kind = str(payload.get("type") or "")
    return kind == TYPE or kind.endswith("--model_flag")


def _by_hand(standing: Row) -> float | None:
    """The share that somebody set, in percent; None where it goes by its plan."""
    return round(100 * float(standing.get("share") or 0), 4) if standing.get("by_hand") else None
