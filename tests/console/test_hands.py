"""What people do on the pages of a model: by whom it may be done, that it is done at once and in their name, and what is refused."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from tests.console.conftest import END, PEOPLE
from tests.console.test_ring import NOW, prices

from everloop.console.contests import contests_of
from everloop.console.said import called
from everloop.gates.enough import said_needed
from everloop.loop.keep import keep_record
from everloop.loop.turn import turn
from everloop.records import Decision

ROLLOUT = "/console/models/prices/rollout"


def looked_at(house):
    """What a form says of the traffic its page showed."""
    return {"generation": str(house.traffic(prices(house)).generation)}


def newest(house, kind):
    return next(entry.record for entry in house.journal.read(kind=kind, newest_first=True))


def test_every_page_of_a_model_is_shown_to_who_may_look_and_says_what_it_says_to_people(house, signed_in):
    (listed,) = contests_of(house, prices(house), called(house, "prices"))
    pages = {
        "/console/": ("prices@0", "in canary", "What the columns say"),
        "/console/models/prices": ("Over time", "What it knows", "What happened"),
        "/console/models/prices/contests": ("prices@1 against prices@0",),
        f"/console/models/prices/contests/{listed.id}": ("The candidate may take the champion’s place.", "Group by group"),
        ROLLOUT: ("What is proven so far", "50 % of the units"),
    }
    client = signed_in("Vera")
    for path, said in pages.items():
        reply = client.get(path)
        assert reply.status_code == 200, reply.text
        assert all(words in reply.text for words in said), path
        assert 'class="undo"' not in reply.text, "who may only look is offered nothing to do"
        assert len(reply.content) < 200_000
    assert client.get("/console/models/nobody").status_code == 404
    assert client.get("/console/models/prices/contests/0000").status_code == 404


def test_undo_takes_it_back_at_once_in_the_name_of_who_pressed_it(house, signed_in):
    client = signed_in("Otto")
    generation = re.search(r'name="generation" value="(\d+)"', client.get(ROLLOUT).text)[1]
    done = client.send_form("/console/models/prices/undo", {"generation": generation, "place": "rollout"}, page=ROLLOUT)
    assert (done.status_code, done.headers["location"]) == (303, ROLLOUT)
    traffic = house.traffic(prices(house))
    assert (traffic.stage, traffic.candidates) == ("steady", ())
    word = newest(house, "Decision")
    assert (word.action, word.by, word.because) == ("undo", "Otto", ("undone on the console",))


def test_an_undo_of_what_has_moved_since_it_was_looked_at_takes_nothing_back(house, signed_in):
    client = signed_in("Otto")
    before = house.traffic(prices(house))
    refused = client.send_form("/console/models/prices/undo", {"generation": str(before.generation - 1)}, page=ROLLOUT)
    assert refused.status_code == 409
    assert "is of generation" in refused.text
    assert house.traffic(prices(house)) == before


@pytest.mark.parametrize("verb", ["promote", "share", "release", "undo"])
def test_what_is_sent_twice_or_of_no_traffic_that_was_looked_at_is_done_once(house, signed_in, verb):
    client, model = signed_in("Petra"), prices(house)
    if verb == "release":
        client.send_form("/console/models/prices/hold", {"reason": "it doubles"}, page=ROLLOUT)
    page = client.get(ROLLOUT).text
    form = re.search(rf'action="/console/models/prices/{verb}".*?</form>', page, re.DOTALL)[0]
    fields = {"generation": re.search(r'name="generation" value="(\d+)"', form)[1], "reason": "seen enough", "percent": "30"}
    before = house.traffic(model)
    for none in ({}, {"generation": ""}, {"generation": "7" * 30}):
        assert client.send_form(f"/console/models/prices/{verb}", {"reason": "seen enough", "percent": "30", **none}).status_code == 409
    assert house.traffic(model) == before
    sent = [client.send_form(f"/console/models/prices/{verb}", fields) for _ in range(2)]
    assert [one.status_code for one in sent] == [303, 409]
    assert "is of generation" in sent[1].text
    assert house.traffic(model).generation == before.generation + 1


def test_a_hold_and_its_release_a_share_and_a_step_by_hand(house, signed_in):
    otto, petra, model = signed_in("Otto"), signed_in("Petra"), prices(house)
    petra.send_form("/console/models/prices/share", {"percent": "12,5", "reason": "slowly", **looked_at(house)}, page=ROLLOUT)
    assert (house.traffic(model).share, house.traffic(model).by_hand) == (0.125, "Petra: slowly")
    refused = petra.send_form("/console/models/prices/promote", {"reason": "now", **looked_at(house)}, page=ROLLOUT)
    assert refused.status_code == 409, "a share by hand is given back to the plan first"
    petra.send_form("/console/models/prices/share", {"percent": "", "reason": "as planned", **looked_at(house)}, page=ROLLOUT)
    petra.send_form("/console/models/prices/promote", {"reason": "seen enough", "place": "rollout", **looked_at(house)}, page=ROLLOUT)
    traffic = house.traffic(model)
    assert (traffic.stage, traffic.because) == ("bake", "Petra: seen enough")
    otto.send_form("/console/models/prices/hold", {"reason": "it doubles"}, page=ROLLOUT)
    assert house.traffic(model).held == "Otto: it doubles"
    assert "Held by Otto: it doubles" in otto.get(ROLLOUT).text
    otto.send_form("/console/models/prices/release", {"reason": "a clock", **looked_at(house)}, page=ROLLOUT)
    assert house.traffic(model).held is None
    house.journal.verify()


def test_a_word_without_a_reason_is_refused_and_nothing_moves(house, signed_in):
    before = house.traffic(prices(house))
    for verb in ("hold", "share", "promote"):
        assert (
            signed_in("Petra").send_form(f"/console/models/prices/{verb}", {"reason": " ", **looked_at(house)}, page=ROLLOUT).status_code
            == 409
        )
    assert house.traffic(prices(house)) == before


@pytest.mark.parametrize(("verb", "least"), [("undo", "operator"), ("hold", "operator"), ("share", "approver"), ("promote", "approver"),
                                             ("answer", "approver"), ("override", "approver")])  # fmt: skip
def test_who_may_not_do_it_is_refused_and_nothing_is_journalled(house, signed_in, verb, least):
    roles = list(PEOPLE.values())
    before = house.journal.head()
    for name, role in PEOPLE.items():
        if roles.index(role) < roles.index(least):
            refused = signed_in(name).send_form(f"/console/models/prices/{verb}", {"reason": "please"}, page=ROLLOUT)
            assert refused.status_code == 403
    assert house.journal.head() == before


@pytest.fixture
def asking(house):
    """The same house where a person is asked whether to retrain."""
    model = prices(house)
    asked = Decision(id="d1", made_at=NOW, model="prices", action="ask", because=("price drifted",), cause="drift", asks="retrain")
    with house.store.transaction() as t:
        keep_record(house, t, asked, model=model, turn=None, verb="decide")
    return house


def test_a_no_is_the_persons_own_and_the_question_waits_no_more(asking, signed_in):
    page = "/console/models/prices/contests"
    petra = signed_in("Petra")
    assert "A person is asked whether to retrain" in petra.get(page).text
    done = petra.send_form(
        "/console/models/prices/answer", {"word": "no", "question": "d1", "reason": "not now", "place": "contests"}, page=page
    )
    assert (done.status_code, done.headers["location"]) == (303, page)
    assert not asking.approvals.waiting("prices")
    approval = newest(asking, "Approval")
    assert (approval.by, approval.reason, approval.approved) == ("Petra", "not now", False)
    again = petra.send_form("/console/models/prices/answer", {"word": "no", "question": "d1", "reason": "again"}, page=page)
    assert again.status_code == 409
    assert "does not wait" in again.text


def test_a_yes_to_a_retrain_is_carried_out_by_a_controller_and_not_by_the_page(asking, signed_in):
    page = "/console/models/prices/contests"
    fields = {"word": "yes", "question": "d1", "reason": "go on"}
    done = signed_in("Petra").send_form("/console/models/prices/answer", fields, page=page)
    assert done.status_code == 303
    from everloop.registry.errands import Errands

    (errand,) = Errands(asking.store).unfinished()
    assert (errand.verb, errand.model, errand.cause, errand.state) == ("turn", "prices", "approved", "waiting")


def test_a_candidate_no_gate_let_pass_is_let_in_by_a_person_with_a_reason_and_its_roll_out_begins(house, signed_in):
    model = prices(house)
    client = signed_in("Petra")
    client.send_form("/console/models/prices/undo", looked_at(house), page=ROLLOUT)
    passed = next(e.record for e in house.journal.read(kind="Verdict", model="prices"))
    first, *others = passed.opinions
    unsure = replace(first, needed=37_594, sentence=f"it is not proven{said_needed(37_594, first.rows)}")
    refused = replace(passed, id="no", outcome="failed", made_at=NOW, opinions=(unsure, *others))
    with house.store.transaction() as t:
        keep_record(house, t, refused, model=model, turn=None, verb="judge")
    page = "/console/models/prices/contests/no"
    shown = client.get(page).text
    assert "Let it in past the gate" in shown
    assert (shown.count("would settle it"), "37,594" in shown, shown.count("about 38,000")) == (1, False, 2)
    assert client.send_form("/console/models/prices/override", {"verdict": "no", "reason": ""}, page=page).status_code == 409
    done = client.send_form("/console/models/prices/override", {"verdict": "no", "reason": "we want it"}, page=page)
    assert (done.status_code, done.headers.get("location")) == (303, ROLLOUT), done.text
    said = newest(house, "Verdict")
    assert (said.by, said.reason, said.outcome, said.made_from) == ("Petra", "we want it", "passed", ("no",))
    told = client.get(f"/console/models/prices/contests/{said.id}").text
    assert "let in by hand" in told.split("Petra let it in past the gate")[0]
    assert "let in by hand" in client.get("/console/models/prices/contests").text
    assert house.traffic(model).stage == "canary"
    house.journal.verify()
    assert turn(house, model, END.replace(hour=5)).action == "hold", "a turn goes on with what a person began"


def test_a_contest_that_became_a_version_is_not_offered_to_be_let_in_again(house, signed_in):
    model, petra, page = prices(house), signed_in("Petra"), "/console/models/prices/contests/no"
    petra.send_form("/console/models/prices/undo", looked_at(house), page=ROLLOUT)
    passed = next(e.record for e in house.journal.read(kind="Verdict", model="prices"))
    other = replace(house.candidate(passed.candidate), id="other", definition="another file", made_at=NOW)
    refused = replace(passed, id="no", candidate="other", outcome="failed", made_at=NOW)
    with house.store.transaction() as t:
        keep_record(house, t, other, model=model, turn=None, verb="train")
        keep_record(house, t, refused, model=model, turn=None, verb="judge")
    assert petra.send_form("/console/models/prices/override", {"verdict": "no", "reason": "we want it"}, page=page).status_code == 303
    petra.send_form("/console/models/prices/undo", looked_at(house), page=ROLLOUT)
    said = petra.get(page).text
    assert "Let it in past the gate" not in said
    assert "It cannot be let in past the gate now. This candidate is prices@2 already." in said
    again = petra.send_form("/console/models/prices/override", {"verdict": "no", "reason": "once more"}, page=page)
    assert again.status_code == 409
    assert "this candidate is prices@2 already" in again.text


def test_what_the_gate_let_pass_cannot_be_overridden(house, signed_in):
    passed = next(e.record for e in house.journal.read(kind="Verdict", model="prices"))
    done = signed_in("Petra").send_form("/console/models/prices/override", {"verdict": passed.id, "reason": "why not"}, page=ROLLOUT)
    assert done.status_code == 409
    assert "let this candidate pass already" in done.text
