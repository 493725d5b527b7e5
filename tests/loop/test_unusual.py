"""What of a question is unusual: a word never learnt from, a number no row of the source may hold; told with the reasons, never refused."""

from types import SimpleNamespace

from everloop import Model, Source, at_least, at_most
from everloop.loop.serve.unusual import unusual

shipments = Source(
    "shipments",
    id="shipment_id",
    time="sent_at",
    columns={"carrier": str, "weight_kg": float, "late": bool},
    must=[at_most("weight_kg", 30), at_least("weight_kg", 0)],
)
late = Model(
    "late",
    predicts=shipments.outcome("late"),
    per=shipments,
    knows=[shipments.given("carrier"), shipments.given("weight_kg")],
    learner=print,
    fed_as="pandas",
)
VERSION = SimpleNamespace(vocabulary={"carrier": ("Blitz", "Post")})


def test_a_category_never_learnt_from_is_told_and_a_blank_makes_it_another():
    assert unusual(late, VERSION, {"carrier": "Blitz ", "weight_kg": 2.0}) == ("carrier: 'Blitz ' is none of the 2 it learnt from",)
    assert unusual(late, VERSION, {"carrier": "Blitz", "weight_kg": 30.0}) == ()
    assert unusual(late, VERSION, {"carrier": None, "weight_kg": None}) == ()


def test_a_number_beyond_what_the_source_must_hold_is_told():
    assert unusual(late, SimpleNamespace(), {"weight_kg": 31.0}) == ("weight_kg: 31 is not at most 30, as must hold in shipments",)
    assert unusual(late, SimpleNamespace(), {"weight_kg": -1.0}) == ("weight_kg: -1 is not at least 0, as must hold in shipments",)


def test_a_very_long_word_is_cut():
    (said,) = unusual(late, VERSION, {"carrier": "x" * 10_000})
    assert len(said) < 200
