"""What a server prepares after it has begun to answer takes no time from those who answer."""

from everloop.loop.serve import begin as beginning
from everloop.loop.serve.supervised import Told


def test_beginning_steps_back_once_nobody_waits_for_it_and_not_before(begun, monkeypatch):
    happened = []
    monkeypatch.setattr(beginning.os, "nice", lambda by: happened.append(("steps back", by)))
    monkeypatch.setattr(Told, "say_ready", lambda self: happened.append("ready"))
    monkeypatch.setattr("everloop.loop.serve.compiled.compile_served", lambda *_, **words: happened.append(("prepares", words)))
    monkeypatch.setattr("everloop.loop.serve.lean.without_pandas", lambda: None)  # it would hide pandas from the tests after this one
    beginning.begin(Told(begun / "project.py", None, None, True, None, None, None))
    assert happened == ["ready", ("steps back", 19), ("prepares", {"again": False})]
