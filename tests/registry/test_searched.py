"""Looking through the journal: screen by screen it is the whole sifted, and never looks at too much at once."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from everloop.registry.journal import Journal
from everloop.registry.searched import Asked, sampled, search
from everloop.registry.store import open_store
from everloop.testing.registry import MONDAY, decision, traffic

HOUR = timedelta(hours=1)
WORDS = st.fixed_dictionaries(
    {},
    optional={
        "kind": st.sampled_from(["Decision", "Traffic", "Verdict"]),
        "model": st.sampled_from(["demand", "churn", "none"]),
        "turn": st.sampled_from(["turn-0", "turn-1"]),
        "by": st.sampled_from(["Kim", 'Zoë "Z" 100%', "K"]),
        "text": st.sampled_from(["FIRED", "zoë", "%", "_"]),
        "since": st.integers(0, 30).map(lambda n: MONDAY + n * HOUR),
        "until": st.integers(0, 30).map(lambda n: MONDAY + n * HOUR),
    },
)


def journal_of(records):
    journal = Journal(open_store("sqlite:///:memory:"))
    with journal.store.transaction() as t:
        for n, record in enumerate(records):
            journal.append(t, record, turn=f"turn-{n % 3}", back=timedelta(days=99))
    return journal


RECORDS = [
    replace(
        decision(
            n,
            model="churn" if n % 4 == 0 else "demand",
            by=("Kim", 'Zoë "Z" 100%', None)[n % 3],
            because=("zoë said" if n % 5 else "fired",),
        ),
        made_at=MONDAY + (n if n % 7 else n // 2) * HOUR,
    )
    if n % 3
    else traffic(n + 1, model="demand")
    for n in range(24)
]  # fmt: skip


def fits(entry, asked):
    import json

    from everloop.registry.written import written

    body = written(entry.record)
    return (
        (not asked.kind or entry.kind == asked.kind)
        and (not asked.model or getattr(entry.record, "model", None) == asked.model)
        and (not asked.turn or entry.turn == asked.turn)
        and (not asked.by or getattr(entry.record, "by", None) == asked.by)
        and (not asked.text or json.dumps(asked.text)[1:-1].lower() in body.lower())
        and (asked.since is None or entry.at >= asked.since)
        and (asked.until is None or entry.at <= asked.until)
    )


@settings(max_examples=60, deadline=None)
@given(WORDS, st.integers(1, 7), st.integers(1, 40))
def test_screen_by_screen_it_is_the_whole_sifted(words, limit, most):
    journal, asked, found, before, screens = JOURNAL, Asked(**words), [], None, 0
    while True:
        screen = search(journal, asked, before=before, limit=limit, most=most)
        assert len(screen.entries) <= limit
        found += screen.entries
        before, screens = screen.before, screens + 1
        if before is None:
            break
        assert screens < 100
    assert [e.seq for e in found] == [e.seq for e in reversed(journal.read()) if fits(e, asked)]


JOURNAL = journal_of(RECORDS)


def test_a_word_that_nobody_said_is_looked_for_in_so_many_records_and_no_more():
    screen = search(JOURNAL, Asked(text="nobody said this"), most=10)
    assert screen.entries == ()
    assert screen.before == 15, "ten of twenty-four were looked at"


def test_of_many_records_some_are_taken_evenly_with_the_newest_among_them():
    every = sampled(JOURNAL, "Decision", "demand", since=MONDAY, until=MONDAY + 99 * HOUR, most=99)
    some = sampled(JOURNAL, "Decision", "demand", since=MONDAY, until=MONDAY + 99 * HOUR, most=4)
    assert len(some) == 4
    assert some[-1] == every[-1]
    assert {e.seq for e in some} <= {e.seq for e in every}
    assert sampled(JOURNAL, "Decision", "nobody", since=MONDAY, until=MONDAY + 99 * HOUR) == []
