"""From looks to incidents: one for each cause, which opens, goes on, ends after three calm windows, and comes back as itself."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from everloop.monitor.incident import Stands, after_look, after_release, after_report, calm_windows, said_by
from everloop.records import Finding, Report, Signal, Signals, Traffic
from everloop.registry.sentences import clause

MONDAY = datetime(2026, 11, 2, tzinfo=UTC)
DAY = timedelta(days=1)


def signal(clause="drifted()", kind="drift", outcome="passed", about="price", **words):
    return Signal(clause=clause, kind=kind, outcome=outcome, fired=outcome == "passed", sentence=f"{about} {outcome}", about=about, **words)


def look(day, *found):
    at = MONDAY + day * DAY
    return Signals(id=f"look-{day}", made_at=at, model="demand", until=at, signals=found)


DRIFT, CALM, UNSURE = signal(), signal(outcome="failed"), signal(outcome="not enough evidence")
NULLS = signal("data", "data", about="price")
FAILING = signal('at_least("errors", 0.2)', "errors", about=None)
WORSE = signal('worse_than_champion("wape", by=0.1)', "worse", about="v2")


class Watched:
    """A model that is looked at; its incidents as the house would keep them."""

    def __init__(self, *tells, released_at=None):
        self.kept, self.looks, self.tells, self.released_at = {}, [], frozenset(tells), released_at
        self.news = []

    @property
    def stands(self):
        mine = tuple(reversed(self.kept.values()))
        return Stands(model="demand", incidents=mine, released_at=self.released_at, window=DAY, tells=self.tells)

    def keep(self, changes):
        for change in changes:
            before = self.kept.pop(change.incident, None)
            assert change.change == (before.change + 1 if before else 1)
            self.kept[change.incident] = change
            self.news += [change] if change.news else []
        return changes

    def look(self, day, *found):
        now = look(day, *found)
        changes = self.keep(after_look(self.stands, now, self.looks))
        self.looks.insert(0, now)
        return changes

    @property
    def open(self):
        return [i for i in self.kept.values() if i.open]


def test_what_fires_is_an_incident_once_however_often_it_is_found():
    model = Watched("drifted()")
    (first,) = model.look(0, DRIFT)
    assert (first.state, first.cause, first.severity, first.news) == ("firing", "change", "warning", True)
    assert [model.look(day, DRIFT) for day in (1, 2, 3)] == [[], [], []]
    assert len(model.news) == 1


def test_it_is_over_after_three_calm_windows_and_not_before():
    model = Watched("drifted()")
    model.look(0, DRIFT)
    assert [bool(model.look(day, CALM)) for day in (1, 2)] == [False, False]
    assert not model.look(2.5, CALM), "a second look at the same window is not a window"
    (over,) = model.look(3, CALM)
    assert (over.state, over.news, over.resolved_at) == ("resolved", True, MONDAY + 3 * DAY)


@pytest.mark.parametrize("between", [DRIFT, UNSURE])
def test_what_fires_again_or_cannot_be_judged_is_not_calm(between):
    model = Watched()
    model.look(0, DRIFT)
    for day, found in enumerate((CALM, CALM, between, CALM), 1):
        model.look(day, found)
    over = not model.open
    assert over == (between is UNSURE), "windows nobody could judge count neither way"


def test_what_comes_back_at_once_is_the_same_incident():
    model = Watched("drifted()")
    (first,) = model.look(0, DRIFT)
    for day in (1, 2, 3):
        model.look(day, CALM)
    (again,) = model.look(4, DRIFT)
    assert (again.incident, again.state, again.news) == (first.incident, "firing", True)
    for day in (5, 6, 7, 8, 9):
        model.look(day, CALM)
    (later,) = model.look(12, DRIFT)
    assert later.incident != first.incident


def test_conditions_of_one_cause_are_one_incident_that_lists_them():
    model = Watched()
    slip = signal('slipped("wape")', "slip", about=None, since=MONDAY - 3 * DAY)
    (one,) = model.look(0, DRIFT, slip)
    assert [s.kind for s in one.symptoms] == ["drift", "slip"]
    assert one.since == MONDAY - 3 * DAY
    (more,) = model.look(1, signal(about="quantity"))
    assert (more.incident, len(more.symptoms), more.news) == (one.incident, 3, False)


def test_wishes_and_good_news_are_no_incident():
    wishes = [signal(k, k) for k in ("truths", "schedule", "better")]
    assert Watched().look(0, *wishes) == []


def test_bad_data_explains_drift_until_it_is_mended():
    model = Watched("drifted()")
    (data,) = model.look(0, NULLS, DRIFT, FAILING)[:1]
    assert data.cause == "data"
    assert [s.also for s in data.symptoms] == [False, True]
    assert {i.cause for i in model.open} == {"data", "service"}
    for day in (1, 2):
        model.look(day, DRIFT)
    assert {i.cause for i in model.open} == {"data", "service"}, "drift opens nothing while the data is bad"
    model.look(3, DRIFT)
    assert "data" not in {i.cause for i in model.open}
    (drift,) = model.look(4, DRIFT)
    assert (drift.cause, drift.state) == ("change", "firing")


def test_drift_just_after_a_release_is_a_release_check_first():
    model = Watched("drifted()", released_at=MONDAY)
    (check,) = model.look(1, DRIFT)
    assert (check.cause, check.state, check.news) == ("release", "pending", False)
    assert model.look(1.5, DRIFT) == []
    (fires,) = model.look(2, DRIFT)
    assert (fires.incident, fires.state, fires.news) == (check.incident, "firing", True)


def test_a_release_check_that_goes_by_tells_nobody():
    model = Watched("drifted()", released_at=MONDAY)
    model.look(1, DRIFT)
    (over,) = model.look(2, CALM)
    assert (over.state, over.news) == ("resolved", False)
    assert model.news == []


def test_answers_that_fail_just_after_a_release_are_its_fault_and_no_check():
    (failing,) = Watched(released_at=MONDAY).look(1, FAILING)
    assert (failing.cause, failing.state, failing.severity) == ("release", "firing", "critical")


def moved(stage="steady", champion="v1"):
    at = MONDAY + 2 * DAY
    return Traffic(id="t2", made_at=at, model="demand", generation=2, stage=stage, champion=champion, since=at)


@pytest.mark.parametrize(("undone", "stage", "over"), [(True, "steady", True), (False, "steady", True), (False, "canary", False)])
def test_what_was_the_fault_of_a_candidate_ends_with_it(undone, stage, over):
    model = Watched()
    model.look(0, WORSE)
    assert bool(after_release(model.stands, moved(stage), undone=undone, champion=None)) is over


def test_a_new_champion_has_a_reference_of_its_own_so_what_drifted_from_the_old_one_is_over():
    model = Watched("drifted()")
    model.look(0, DRIFT)
    (over,) = after_release(model.stands, moved(champion="v2"), undone=False, champion="demand@2")
    assert (over.state, over.news) == ("resolved", True)
    assert "demand@2 answers now" in over.because
    assert after_release(model.stands, moved("canary"), undone=False, champion=None) == []


def report(day, *broken):
    found = tuple(
        Finding(source="orders", clause=c, outcome="failed", rows=9, broken=2, met=0.8, share=1.0, sentence=f"{c} is broken")
        for c in broken
    )
    return Report(id=f"report-{day}", made_at=MONDAY + day * DAY, model="demand", findings=found)


def test_broken_data_is_an_incident_until_a_report_finds_it_fit():
    model = Watched()
    (broken,) = model.keep(after_report(model.stands, report(0, "always(price)", "unique(id)")))
    assert (broken.cause, broken.severity, broken.news, len(broken.symptoms)) == ("data", "critical", True, 2)
    assert model.keep(after_report(model.stands, report(1, "always(price)", "unique(id)"))) == [], "the same once"
    (less,) = model.keep(after_report(model.stands, report(2, "unique(id)")))
    assert (less.state, [s.clause for s in less.symptoms], less.news) == ("firing", ["unique(id)", "always(price)"], False)
    assert (less.shown, less.mended) == (("orders: unique(id) is broken",), ("orders: always(price) is broken",))
    assert less.because == "1 of 2 is mended"
    for day in (3, 4, 5, 6):
        assert model.look(day, CALM) == [], "what a report found no look can end"
    (over,) = model.keep(after_report(model.stands, report(7)))
    assert (over.state, over.news) == ("resolved", True)
    assert after_report(model.stands, report(8)) == []


def held(clause, outcome, sentence):
    return Finding(source="orders", clause=clause, outcome=outcome, rows=9, broken=0, met=1.0, share=1.0, sentence=sentence)


def found_by(day, *findings):
    return Report(id=f"report-{day}", made_at=MONDAY + day * DAY, model="demand", findings=findings)


def test_of_one_symptom_only_the_newest_sentence_stands_whoever_found_it():
    model = Watched()
    volume = signal("usual_volume()", "volume", about="orders")
    model.look(0, replace(volume, sentence="In orders, 0 rows happened in the last day"))
    (more,) = model.look(1, replace(volume, sentence="In orders, 119 rows happened in the last day"))
    assert more.shown == ("In orders, 119 rows happened in the last day",)
    assert (more.because, more.news) == ("it is still so", False)
    again = held("usual_volume()", "failed", "In orders, 119 rows happened in the last day.")
    model.keep(after_report(model.stands, found_by(2, again)))
    assert clause(model.open[0]).count("In orders") == 1, "a report and a look say the same once"


def test_a_report_that_finds_it_met_ends_what_a_look_had_found():
    model = Watched()
    weight = signal('at_most("weight_kg", 30)', "data", about="orders.weight_kg")
    model.look(0, weight, signal('always("price")', "data", about="orders.price"))
    met = held('at_most("weight_kg", 30)', "passed", "In orders, weight_kg is at most 30 in all 51 newest rows.")
    (half,) = model.keep(after_report(model.stands, found_by(1, met)))
    assert (half.shown, half.mended, half.because) == (("orders.price passed",), ("orders.weight_kg passed",), "1 of 2 is mended")
    assert clause(half) == "1 of 2 is mended: orders.price passed (mended: orders.weight_kg passed)"
    (back,) = model.look(1.5, weight)
    assert (back.because, back.mended) == ("new is orders.weight_kg", ())
    price = held('always("price")', "passed", "In orders, price is said in all rows.")
    (over,) = model.keep(after_report(model.stands, found_by(2, met, price)))
    assert (over.state, over.mended) == ("resolved", ())


def test_what_comes_with_it_is_said_by_its_name():
    model = Watched()
    model.look(0, DRIFT)
    (more,) = model.look(1, signal(about="quantity"))
    assert clause(more).startswith("new is quantity: ")


# -- people ----------------------------------------------------------------------------------------------------------------------------


def test_nobody_hears_of_a_snoozed_incident_before_the_snooze_is_over_and_then_once():
    model = Watched("drifted()", 'at_most("wape", 1)')
    (first,) = model.look(0, DRIFT)
    model.keep([said_by(first, "snooze", by="Ada", reason="sale", now=MONDAY, until=MONDAY + 3 * DAY)])
    model.look(1, DRIFT, signal('at_most("wape", 1)', "slip"))
    assert len(model.news) == 1
    (back,) = model.look(3, DRIFT)
    assert (back.news, back.snoozed_until, back.state) == (True, None, "firing")
    assert model.look(4, DRIFT) == []


def test_the_end_of_a_snoozed_incident_is_told_nobody():
    model = Watched("drifted()")
    (first,) = model.look(0, DRIFT)
    model.keep([said_by(first, "snooze", by="Ada", reason="sale", now=MONDAY, until=MONDAY + 9 * DAY)])
    for day in (1, 2, 3):
        model.look(day, CALM)
    assert not model.open
    assert len(model.news) == 1


def test_who_is_at_it_is_kept_through_its_changes():
    model = Watched("drifted()")
    (first,) = model.look(0, DRIFT)
    (word,) = model.keep([said_by(first, "acknowledge", by="Ada", reason="looking", now=MONDAY)])
    assert (word.news, word.acknowledged_by, word.by, word.change) == (False, "Ada", "Ada", 2)
    (more,) = model.look(1, signal(about="quantity"))
    assert (more.acknowledged_by, more.by) == ("Ada", None)


def test_what_nobody_asked_to_be_told_is_kept_and_told_nobody():
    (quiet,) = Watched().look(0, DRIFT)
    assert (quiet.state, quiet.news, quiet.told_at) == ("firing", False, None)


def test_fingerprints_tell_model_clause_subject_and_direction_apart():
    (one,) = Watched().look(0, DRIFT)
    (symptom,) = one.symptoms
    others = {
        symptom.fingerprint("demand"), symptom.fingerprint("churn"), replace(symptom, about="x").fingerprint("demand"),
        replace(symptom, clause="x").fingerprint("demand"), replace(symptom, direction="x").fingerprint("demand"),
    }  # fmt: skip
    assert len(others) == 5
    assert replace(symptom, sentence="x", since=MONDAY).fingerprint("demand") == symptom.fingerprint("demand")


def test_windows_are_counted_not_looks():
    looks = [look(2, CALM), look(1.9, CALM), look(1, CALM), look(0, DRIFT)]
    assert calm_windows({"drifted()"}, looks, DAY) == 2
    assert calm_windows({"drifted()"}, [], DAY) == 0


def test_a_symptom_that_is_mended_keeps_no_incident_from_ending():
    model = Watched()
    model.look(0, signal('at_most("weight_kg", 30)', "data", about="orders.weight_kg"), signal("data", "data", about="price"))
    model.keep(after_report(model.stands, found_by(0.5, held('at_most("weight_kg", 30)', "passed", "fine"))))
    for day in (1, 2, 3):
        model.look(day, CALM)
    assert not model.open
