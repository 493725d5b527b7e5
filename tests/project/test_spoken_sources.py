"""Sources, a line each."""

from __future__ import annotations

from everloop import Source, always, at_least, at_most, days, fresh, hours, money, one_of, unit
from everloop.project.spoken import spoken_source

shops = Source("shops", id="shop_id", columns={})
customers = Source("customers", id=["customer_id", "changed_at"], time="changed_at", columns={"shop_id": str}, of=shops)


def test_an_undated_source_is_said_to_be_taken_as_always_true() -> None:
    assert spoken_source(shops) == "shops: one row per shop; undated, so what it first says is taken as always true."


def test_a_source_says_whose_children_its_rows_are_and_what_keeps_them_apart() -> None:
    tills = Source("tills", id="till_id", time="at", of=[shops, customers], apart="chain", columns={
        "shop_id": str, "customer_id": str, "changed_at": str})  # fmt: skip
    assert spoken_source(tills) == (
        "tills: one row per till, each of one of the shops and one of the customers; chains kept apart; dated at."
    )


def test_when_rows_are_known_how_late_they_are_and_what_takes_them_out() -> None:
    plans = Source("plans", id="plan_id", time=["from_at", "to_at"], zone="Asia/Tokyo", known="said_at", late=days(1), version="v",
                   deleted="gone", columns={"gone": bool})  # fmt: skip
    assert spoken_source(plans) == (
        "plans: one row per plan; in force from from_at to to_at in Asia/Tokyo; known from said_at; up to 1 day late; "
        "a higher v corrects; a true gone takes the row out."
    )


def test_money_and_measures_are_grouped_by_what_they_are_counted_in() -> None:
    bills = Source("bills", id="bill_id", columns={
        "net": money("EUR"), "weight": unit("kg"), "tax": money("EUR"), "tip": money(column="currency"), "currency": str})  # fmt: skip
    assert "; net and tax in EUR minor units; tip in minor units of its currency; weight in kg." in spoken_source(bills)


def test_private_columns_are_said_to_be_hashed_wherever_they_are_logged() -> None:
    one = Source("visits", id="visit_id", columns={"customer_id": str}, private="customer_id")
    two = Source("visits", id="visit_id", columns={"customer_id": str, "mail": str}, private=["customer_id", "mail"])
    assert spoken_source(one).endswith("; customer_id is hashed wherever it is logged.")
    assert spoken_source(two).endswith("; customer_id and mail are hashed wherever they are logged.")


def test_every_condition_on_rows_is_said() -> None:
    orders = Source("orders", id="order_id", time="at", columns={"price": money("KWD"), "kind": str, "paid": bool, "size": int}, must=[
        always("kind"), always("kind", share=0.9), at_least("price", 1_500), at_most("size", 2_000, share=0.999), one_of("kind", "a", "b"),
        one_of("paid", True), fresh(hours(1))])  # fmt: skip
    assert spoken_source(orders).split("only if ")[1] == (
        "kind is never empty and kind is there in 90 % of rows and price is at least 1.500 KWD and size is at most 2,000 in 99.9 % of rows "
        "and kind is a or b and paid is yes and something arrived within the last hour."
    )
