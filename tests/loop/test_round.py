"""Laws of a round: nothing twice, nothing forgotten, never too many at once, and the way back to an address that failed."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from everloop.loop.news.recipients import recipient
from everloop.loop.news.round import LONGEST, PER_MINUTE, SHORTEST, is_due, is_hopeless, messages, paused, wait
from everloop.records import Alert
from everloop.registry.letters import Letter, Trouble
from everloop.registry.outbox import Kept

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
ADA = recipient("ada", "json://a", "salt")
TROUBLE = Trouble(ADA.id, "ada", 2, NOON - LONGEST, NOON, "no route")
SPANS = st.integers(-7200, 7200).map(lambda s: timedelta(seconds=s))


@st.composite
def waiting(draw):
    """Alerts in the outbox, and a letter of each."""
    urgency = st.sampled_from(["info", "warning", "critical"])
    drawn = draw(st.lists(st.tuples(urgency, SPANS, SPANS, st.integers(0, 3)), max_size=30))
    news, letters = {}, []
    for number, (severity, raised, due, attempts) in enumerate(drawn):
        key = f"a{number:02}"
        news[key] = Kept(Alert(model="m", severity=severity, sentence="s", key=key), NOON + raised, None, None)
        letters.append(Letter(alert=key, address=ADA.id, person="ada", attempts=attempts, first_at=NOON, due_at=NOON + due))
    return news, letters


@given(waiting(), st.integers(0, PER_MINUTE + 3), st.booleans())
def test_what_is_due_is_sent_once_and_never_in_too_many_messages(found, sent, trouble):
    news, letters = found
    out = messages(ADA, letters, news, TROUBLE if trouble else None, sent, NOON)
    due = {letter.alert for letter in letters if is_due(letter, NOON)}
    told = [alert for outgoing in out for alert in outgoing.alerts]
    assert len(out) + sent <= max(PER_MINUTE, sent)
    assert sorted(told) == sorted(due if sent < PER_MINUTE else ())
    assert len({outgoing.key for outgoing in out}) == len(out)
    assert sum(len(outgoing.letters) > 1 for outgoing in out) <= 1


@given(waiting())
def test_news_goes_in_the_order_it_came_where_nothing_is_wrong(found):
    news, letters = found
    alone = [outgoing.news[0].raised_at for outgoing in messages(ADA, letters, news, None, 0, NOON) if len(outgoing.news) == 1]
    assert alone == sorted(alone)


@given(waiting())
def test_what_is_critical_is_told_by_itself_while_there_is_room(found):
    news, letters = found
    out = messages(ADA, letters, news, None, 0, NOON)
    summed = [kept.alert.severity for outgoing in out if len(outgoing.news) > 1 for kept in outgoing.news]
    alone = [outgoing.news[0].alert.severity for outgoing in out if len(outgoing.news) == 1]
    assert "critical" not in summed or set(alone) == {"critical"}


@given(waiting())
def test_what_was_tried_least_goes_first_where_something_is_wrong(found):
    news, letters = found
    tried = [outgoing.attempts for outgoing in messages(ADA, letters, news, TROUBLE, 0, NOON)]
    assert tried == sorted(tried)


@given(st.integers(1, 10_000), st.text())
def test_the_wait_grows_up_to_an_hour(failures, chance):
    assert SHORTEST <= wait(failures, chance) <= wait(failures + 3, chance) <= LONGEST
    assert failures > 6 or abs(wait(failures + 1, chance) - 2 * wait(failures, chance)) < timedelta(milliseconds=1)


@given(SPANS)
def test_an_address_is_left_alone_for_as_long_as_was_said_and_no_longer(span):
    trouble = Trouble(ADA.id, "ada", 1, NOON, NOON + span, "")
    assert paused(trouble, NOON) == (timedelta(0) < span <= LONGEST)
    letter = Letter(alert="a", address=ADA.id, person="ada", first_at=NOON, due_at=NOON)
    news = {"a": Kept(Alert(model="m", severity="info", sentence="s", key="a"), NOON, None, None)}
    assert bool(messages(ADA, [letter], news, trouble, 0, NOON)) != paused(trouble, NOON)


def test_a_claim_under_way_is_nobody_elses_and_one_that_ended_is():
    claimed = Letter(alert="a", address="x", person="ada", state="sending", first_at=NOON, due_at=NOON + SHORTEST)
    assert not is_due(claimed, NOON)
    assert is_due(claimed, NOON + SHORTEST)


def test_nothing_is_given_up_that_was_never_refused():
    kept = Kept(Alert(model="m", severity="info", sentence="s", key="a"), NOON, None, None)
    fresh = Letter(alert="a", address="x", person="ada", first_at=NOON - timedelta(days=90), due_at=NOON)
    failed = Letter(alert="a", address="x", person="ada", attempts=1, first_at=NOON - timedelta(days=90), due_at=NOON)
    assert not is_hopeless(fresh, kept, None, NOON)
    assert is_hopeless(fresh, kept, TROUBLE, NOON)
    assert is_hopeless(failed, kept, None, NOON)
