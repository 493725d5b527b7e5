"""Which records are news for a person, and how urgent. Pure; the outbox keeps what comes out, the same news once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from everloop.clock import said
from everloop.loop.spoken import spoken_record
from everloop.project.model import Model
from everloop.records import Alert, Decision, Incident, Record, Severity, Traffic, Verdict, identity


def alert_of(record: Record, model: Model) -> Alert | None:
    """The alert a record causes, or None. The key makes the same news one piece of news."""
    if isinstance(record, Decision) and record.undoes:
        if record.by is not None:
            sentence = f"{model.name}: {record.by} took it back: {'; '.join(record.because)}."
            return Alert(model=model.name, severity="critical", sentence=sentence, owner=model.owner, key=record.id)
        return _alert(model, "critical", record)
    if isinstance(record, Decision) and record.by_hand:
        return _alert(model, "critical" if record.action == "hold" else "info", record)
    if isinstance(record, Decision) and record.asks:
        return _alert(model, "warning", record)
    if isinstance(record, Verdict) and record.by:
        return _alert(model, "warning", record)
    if isinstance(record, Traffic) and record.stage == "bake":
        return _alert(model, "info", record)
    if isinstance(record, Incident) and record.news:
        return _alert(model, record.severity if record.open else "info", record)
    return None


def _alert(model: Model, severity: Severity, record: Record) -> Alert:
    sentence = f"{model.name}: {spoken_record(record)}"
    return Alert(model=model.name, severity=severity, sentence=sentence, owner=model.owner, key=record.id)


# -- news of the house itself, which no record causes: put into the outbox by news.put_news ----------------------------------------------


def not_loaded(model: Model, version: str, why: str) -> Alert:
    """A worker could not load a version (``demand@4``) that ought to answer; once for each version, however many workers say so."""
    sentence = f"{model.name}: {version} cannot be loaded by a worker ({why.rstrip('.')}), so what answered before goes on answering."
    return Alert(model=model.name, severity="critical", sentence=sentence, owner=model.owner, key=f"{model.name}/not loaded/{version}")


def compiled_otherwise(model: Model, version: str, differs: str) -> Alert:
    """The compiled form of a version (``demand@4``) answers some rows otherwise than the version itself; once for each version."""
    sentence = (
        f"{model.name}: the compiled form of {version} answers {differs} otherwise, so {version} is answered as it was stored, slower."
    )
    return Alert(
        model=model.name, severity="warning", sentence=sentence, owner=model.owner, key=f"{model.name}/compiled otherwise/{version}"
    )


def skewed(model: Model, features: Sequence[str], sentence: str, until: datetime) -> Alert:
    """Answers were made from other features than the log tells; the same features are one piece of news a day (``until``, aware)."""
    key = f"{model.name}/skew/{','.join(sorted(features))}/{until:%Y-%m-%d}"
    return Alert(model=model.name, severity="critical", sentence=sentence, owner=model.owner, key=key)


def taken_over(before: str, now: str, left: Sequence[str], name: str) -> Alert:
    """The worker ``before`` went without a word, and ``now`` took over what it ``left``; ``name`` is the lost one's alone.

    >>> taken_over("Process 7 on a", "Process 8 on b", ["the turn of demand"], "a:7:ab").sentence
    'Process 7 on a was lost while it worked for this house; Process 8 on b took over. What it left waits again: the turn of demand.'
    """
    rest = f" What it left waits again: {', '.join(left)}." if left else ""
    sentence = f"{before} was lost while it worked for this house; {now} took over.{rest}"
    return Alert(model="", severity="warning", sentence=sentence, key=f"worker/{name}")


def not_remembered(answers: int, until: datetime) -> Alert:
    """Answers were given and not kept, because the disk stalled; one piece of news for each hour (of ``until``, aware).

    >>> not_remembered(1200, datetime.fromisoformat("2026-11-02T14:03Z")).key
    'not remembered/2026-11-02T14'
    """
    many = "1 answer was" if answers == 1 else f"{answers:,} answers were"
    sentence = f"The disk is full or too slow: {many} given until {said(until)} and not remembered, so no truth will ever meet them."
    return Alert(model="", severity="critical", sentence=sentence, key=f"not remembered/{until:%Y-%m-%dT%H}")


def not_done(chore: str, since: datetime, why: str, now: datetime) -> Alert:
    """The controller has failed at one of its chores since an aware instant; one piece of news for each day (of ``now``, aware).

    >>> noon = datetime.fromisoformat("2026-11-02T12:00Z")
    >>> not_done("seal answers", noon - timedelta(hours=3), "The disk is full.", noon).sentence
    'The controller could not seal answers since 2026-11-02 09:00 UTC: The disk is full. It goes on trying.'
    """
    sentence = f"The controller could not {chore} since {said(since)}: {why.rstrip('.')}. It goes on trying."
    return Alert(model="", severity="warning", sentence=sentence, key=f"chore/{chore}/{now:%Y-%m-%d}")


def went_unread(source: str, sentence: str, now: datetime) -> Alert:
    """Messages of a stream went before they were taken; one piece of news for each such hour (of ``now``, aware)."""
    return Alert(model="", severity="critical", sentence=f"{source}: {sentence}", key=f"stream/{source}/{now:%Y-%m-%dT%H}")


def overdue(source: str, sentence: str, due_at: datetime) -> Alert:
    """What a source was due to bring has not come; once for each time it was due.

    >>> overdue("orders", "orders were due", datetime.fromisoformat("2026-11-02T06:00Z")).key
    'overdue/orders/2026-11-02T06:00:00+00:00'
    """
    return Alert(model="", severity="warning", sentence=f"{sentence}.", key=f"overdue/{source}/{due_at.isoformat()}")


def came_late(source: str, due_at: datetime, came_at: datetime) -> Alert:
    """What was overdue has come."""
    sentence = f"{source}, due at {said(due_at)}, came at {said(came_at)}."
    return Alert(model="", severity="info", sentence=sentence, key=f"overdue/{source}/{due_at.isoformat()}/came")


def not_taken_in(source: str, file: str, why: str) -> Alert:
    """A file that lies where a source's files arrive could not be taken in, or not all of it; once for each file and reason."""
    sentence = f"{source}: {file} is not taken in as it is: {why.rstrip('.')}."
    return Alert(model="", severity="warning", sentence=sentence, key=f"arrived/{source}/{file}/{identity(why)}")


def asks_to_confirm(url: str) -> Alert:
    """A service that sends notices asks whether they are welcome; that is for a person to say, since anybody can ask."""
    sentence = f"Amazon SNS asks whether its notices are welcome at /v1/arrivals. If you have subscribed this house, open {url}"
    return Alert(model="", severity="info", sentence=sentence, key=f"confirm/{identity(url)}")


def clock_set_back(by: timedelta, to: datetime) -> Alert:
    """The machine's clock was set back by so much, to an aware instant; one piece of news for each day.

    >>> clock_set_back(timedelta(hours=2), datetime.fromisoformat("2026-11-02T14:03Z")).sentence
    "The machine's clock was set back by 2:00:00 to 2026-11-02 14:03 UTC. No model is turned before it is past where it was."
    """
    back = timedelta(seconds=round(by.total_seconds()))
    sentence = f"The machine's clock was set back by {back} to {said(to)}. No model is turned before it is past where it was."
    return Alert(model="", severity="warning", sentence=sentence, key=f"clock/{to:%Y-%m-%d}")
