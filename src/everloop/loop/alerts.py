"""Which records are news for a person, and how urgent. Pure; the outbox keeps what comes out, the same news once."""

from __future__ import annotations

from everloop.loop.spoken import spoken_record
from everloop.project.model import Model
from everloop.records import Alert, Decision, Record, Report, Signals, Traffic, Verdict


def alert_of(record: Record, model: Model) -> Alert | None:
    """The alert a record causes, or None. The key makes the same news one piece of news."""
    if isinstance(record, Decision) and record.undoes:
        return _alert(model, "critical", record)
    if isinstance(record, Decision) and record.asks:
        return _alert(model, "warning", record)
    if isinstance(record, Report) and not record.passed:
        return _alert(model, "critical", record)
    if isinstance(record, Verdict) and record.by:
        return _alert(model, "warning", record)
    if isinstance(record, Traffic) and record.stage == "bake":
        return _alert(model, "info", record)
    if isinstance(record, Signals):
        told = {repr(c) for c in model.tell_when}
        fired = [s for s in record.signals if s.fired and s.clause in told]
        if fired:
            sentence = f"{model.name}: " + "; ".join(s.sentence for s in fired)
            # One alert per condition and day: the same drift is not news every hour.
            key = f"{model.name}/" + "/".join(s.clause for s in fired) + f"/{record.until:%Y-%m-%d}"
            return Alert(model=model.name, severity="warning", sentence=sentence, owner=model.owner, key=key)
    return None


def _alert(model: Model, severity: str, record: Record) -> Alert:
    sentence = f"{model.name}: {spoken_record(record)}"
    return Alert(model=model.name, severity=severity, sentence=sentence, owner=model.owner, key=record.id)  # type: ignore[arg-type]
