# ruff: noqa: E501 - the messages are as they are told
"""Thirty-four mistakes, each written into a project file, and what the user is told: the whole message, to the letter."""

from __future__ import annotations

from pathlib import Path

import pytest

from everloop.errors import ProjectError
from everloop.project.model import Model

HEAD = '''"""A small shop, and a bank next door."""
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import PoissonRegressor
from everloop import Model, Source, ab, answers_within, beats_champion, canary, days, drifted, every, fair_across, hours, money, shadow, slipped, text

products = Source("products", id="product_id", columns={"category": str, "vendor": str})
orders = Source("orders", id="line_id", time="ordered_at", late=days(1), of=products, columns={
    "product_id": str, "customer_id": str, "quantity": int, "amount": money("EUR"), "note": text})
customers = Source("customers", id="customer_id", time="changed_at", version="changed_at", columns={"age_group": str})
payments = Source("payments", id="payment_id", time="at", columns={"card_id": str, "merchant_id": str, "amount": money("EUR")})
houses = Source("houses", id="house_id", columns={"area": float, "price": money("EUR")})
promotions = Source("promotions", id="promotion_id", time="starts_at", columns={"product_id": str, "discount": float})
'''

MODELS = {
    "demand": [
        'predicts=orders.total("quantity", next=days(7)),',
        'per="product_id",',
        "asked=every(days(1)),",
        'knows=[orders.total("quantity", last=days(7))],',
        "learner=HistGradientBoostingRegressor(),",
    ],
    "churn": [
        "predicts=orders.none(next=days(28)),",
        'per="customer_id",',
        "asked=every(days(7)),",
        "knows=[orders.count(last=days(28))],",
        "learner=HistGradientBoostingClassifier(),",
    ],
    "fraud": [
        'predicts=payments.any(next=days(7), per="card_id"),',
        "per=payments,",
        'knows=[payments.given("amount")],',
        "learner=HistGradientBoostingClassifier(),",
    ],
    "prices": [
        'predicts=houses.outcome("price"),',
        "per=houses,",
        'knows=houses.given("area"),',
        "learner=HistGradientBoostingRegressor(),",
    ],
}


def written(model: str, *lines: str, before: str = "") -> str:
    """A project file with this model; a line said here replaces the model's own line of the same keyword, others come after it."""
    said = dict.fromkeys(lines)
    body = []
    for usual in MODELS[model]:
        instead = [line for line in said if line.split("=")[0] == usual.split("=")[0]]
        body += instead or [usual]
        for line in instead:
            del said[line]
    body = [line for line in [*body, *said] if not line.endswith("=")]
    name = model
    model_lines = [f"{name} = Model(", f'    "{name}",', *(f"    {part}" for line in body for part in line.split("\n")), ")"]
    return HEAD + "\n".join([*([before] if before else []), *model_lines]) + "\n"


def told(tmp_path: Path, source: str) -> str:
    file = tmp_path / "project.py"
    file.write_text(source)
    with pytest.raises(ProjectError) as error:
        exec(compile(source, str(file), "exec"), {"__name__": "project"})
    return str(error.value)


PROMOTE = 'promote_when=[beats_champion("wape")],'

MISTAKES: dict[str, tuple[str, str]] = {
    "1 a feature that looks ahead": (
        written("demand", 'knows=[orders.total("quantity", last=days(7)),\norders.total("quantity", next=days(1))],'),
        """project.py:19  demand, knows[1]: next=days(1) is not known when the question is asked.
               Say last=days(1); or .planned(…) for what was announced beforehand. Only a judge may look ahead: predicts, void_when, a test.""",
    ),
    "2 a column that is not there": (
        written("demand", before='units = orders.total("quantty", last=days(7))'),
        """project.py:13  orders has no column 'quantty'. Did you mean 'quantity'?
               Its columns are line_id, ordered_at, product_id, category, vendor, customer_id, quantity, amount and note.""",
    ),
    "3 a bare number for a time": (
        written("demand", before='units = orders.total("quantity", last=7)'),
        """project.py:13  last=7 has no unit; time is never a bare number.
               Say last=days(7), hours(7) or minutes(7).""",
    ),
    "4 when is not said": (
        written("demand", "asked="),
        """project.py:16  demand is asked per product_id, but not when.
               Add asked=every(days(1)), or say per=<a source> to be asked once for each of its rows.""",
    ),
    "5 a promise nobody dated": (
        written("demand", before='planned = promotions.planned("discount")'),
        """project.py:13  promotions.planned(…) looks ahead, but promotions does not say when each row was announced.
               Add known="announced_at" to Source('promotions'); without it history would know the future.""",
    ),
    "6 a percentage for a share": (
        written("demand", "roll_out=[shadow(hours(6)), canary(5, 25, 100, every=hours(2))],"),
        """project.py:20  canary(5, 25, 100) speaks in percent; shares run from 0 to 1.
               Say canary(0.05, 0.25, 1, every=…).""",
    ),
    "7 a gain in percent": (
        written("demand", 'promote_when=beats_champion("wape", by=2),'),
        """project.py:20  by=2 is not a share; shares run from 0 to 1.
               Say by=0.02 for 2 %.""",
    ),
    "8 a metric that does not fit the answer": (
        written("demand", 'promote_when=[beats_champion("auc", by=0.01), answers_within(ms=30)],'),
        """project.py:20  demand answers with numbers, which have no auc.
               They have wape, mae, rmse, bias and mase.""",
    ),
    "8 a metric that only a rehearsal can work out": (
        written("demand", 'tell_when=slipped("mase", by=0.1),'),
        """project.py:20  demand: MASE is measured in what was learnt from, which is at hand in the rehearsal alone.
               It belongs in promote_when; here say 'wape', 'mae', 'rmse' or 'bias'.""",
    ),
    "9 fairness by a bare name": (
        written("demand", 'promote_when=[beats_champion("wape"), fair_across("region")],'),
        """project.py:20  fair_across('region') does not say which source holds 'region', or as of when.
               Say fair_across(customers.latest("region")): each group as it was when the answer was given.""",
    ),
    "10 fairness where nobody is told yes": (
        written("churn", 'promote_when=[beats_champion("auc"), fair_across(customers.latest("age_group"))],'),
        """project.py:20  churn says yes to nobody, so no group can be favoured.
               Say fair_across(…, on="auc") to compare how well each group is served, or answers=yes_above(…).""",
    ),
    "11 a condition in the wrong list": (
        written("demand", 'promote_when=[beats_champion("wape"), drifted(psi=0.2)],'),
        """project.py:20  demand: drifted(…) cannot stand in promote_when.
               It belongs in retrain_when or tell_when.""",
    ),
    "12 a business figure judged before traffic": (
        written("demand", 'promote_when=beats_champion(orders.total("amount", next=days(7)), by=0.01),'),
        """project.py:20  demand: what visitors do next is only seen in traffic, and promote_when is judged before.
               Move beats_champion(…) into roll_out=[…, ab(0.5, wins_when=[…], within=days(28))].""",
    ),
    "13 a window over something unique": (
        written("fraud", 'knows=[payments.given("amount"), payments.count(last=hours(1))],'),
        """project.py:17  fraud reads payments per payment_id, of which there is never more than one.
               Say per='card_id' or per='merchant_id'.""",
    ),
    "14 what the answer would need to know": (
        written("fraud", 'knows=[payments.given("amount"), orders.count(last=days(28))],'),
        """project.py:17  fraud does not know whose orders to read: they have no payment_id.
               A question carries card_id, merchant_id and payment_id; orders have none of them.""",
    ),
    "15 the outcome among the inputs": (
        written("prices", 'knows=houses.given("area", "price"),'),
        """project.py:17  prices is given price, which is what it predicts.
               Leave price out: houses.given(…) with the columns the caller knows.""",
    ),
    "16 a category fed as a number": (
        written("demand", 'knows=[orders.total("quantity", last=days(28)), products.latest("category")],'),
        """project.py:18  demand: products_category_latest is a category, and the learner is fed numbers.
               Say fed_as="arrow" or "pandas", with a learner that reads categories; none is turned into codes behind your back.""",
    ),
    "17 the class instead of an object": (
        written("demand", "learner=HistGradientBoostingRegressor,"),
        """project.py:19  demand: the learner is the class HistGradientBoostingRegressor, not one of its objects.
               Say learner=HistGradientBoostingRegressor().""",
    ),
    "18 a keyword that does not exist": (
        written("demand", "retrain_if=[drifted()],"),
        """project.py:20  Model has no retrain_if=. Did you mean 'retrain_when'?""",
    ),
    "19 a random hold-out in time": (
        written("demand", "holdout=0.2,"),
        """project.py:20  demand has a time, so a random 0.2 held out would be judged on its own past.
               Say holdout=days(28): the newest are held out, after a gap as long as the truth takes.""",
    ),
    "20 a test shorter than its own figure": (
        written("demand", 'roll_out=[ab(0.5, wins_when=beats_champion(orders.total("amount", next=days(7))), within=days(7))],'),
        """project.py:20  demand: the test ends after 7 days, but orders_amount_total_next_7d takes 8 days to be known.
               Give the test longer, or look less far ahead.""",
    ),
    "21 totals of a category": (
        written("demand", before='x = orders.total("note", last=days(7))'),
        """project.py:13  orders.total('note'): note is text, and has no total.
               Numbers have one: quantity and amount.""",
    ),
    "22 counting a table that keeps only the newest row": (
        written("churn", "knows=[orders.count(last=days(28)), customers.count(last=days(365))],"),
        """project.py:18  churn: customers keeps one row per customer_id, the newest, so it has no past to count.
               Say id=['customer_id', 'changed_at'] in Source('customers') to keep every change.""",
    ),
    "23 a time of day in nobody's zone": (
        written("demand", before='clock = every(days(1), at="02:00")'),
        """project.py:13  every(…, at='02:00') does not say whose 02:00.
               Add zone="Europe/Berlin", or whichever is meant.""",
    ),
    "24 a currency that is a column": (
        written("demand", before='tills = Source("tills", id="till_id", time="at", columns={"amount": money("currency")})'),
        """project.py:13  money('currency') is no currency.
               Say money("EUR"); if 'currency' is the column that names the currency, say money(column='currency').""",
    ),
    "25 a unit nobody has": (
        written("demand", 'per="prodct_id",'),
        """project.py:16  demand is asked per prodct_id, which no source it reads has. Did you mean 'product_id'?""",
    ),
    "26 a traffic split the money cannot follow": (
        written("demand", PROMOTE, 'split_by="vendor_id",'),
        """project.py:21  demand splits traffic by vendor_id, which no question carries.
               Questions carry category, product_id and vendor.""",
    ),
    "27 the wrong word for autonomy": (
        written("demand", 'autonomy="auto",'),
        """project.py:20  demand: autonomy='auto' is unknown.
               It is "observe" (signals only), "suggest" (a person approves) or "act".""",
    ),
    "28 several at once": (
        written(
            "demand",
            'knows=[orders.total("quantity", next=days(7)), orders.total("quantity", last=days(7)), orders.total("quantity", last=days(7))],',
            'autonomy="acts",',
            'retrain_when=[beats_champion("wape")],',
        ),
        """project.py:18  demand, knows[0]: next=days(7) is not known when the question is asked.
               Say last=days(7); or .planned(…) for what was announced beforehand. Only a judge may look ahead: predicts, void_when, a test.
project.py:18  demand knows two things called orders_quantity_total_last_7d.
               Call one of them something else: .named("…"). The other is at project.py:18.
project.py:20  demand: autonomy='acts' is unknown. Did you mean 'act'?
               It is "observe" (signals only), "suggest" (a person approves) or "act".
project.py:21  demand: beats_champion(…) cannot stand in retrain_when.
               It belongs in promote_when or ab(wins_when=…).""",
    ),
    "29 a child without its parent's key": (
        written("demand", before='lines = Source("lines", id="line_id", time="at", of=products, columns={"quantity": int})'),
        """project.py:13  lines says it is of products, but has no column 'product_id' to find its products by.
               Add "product_id": str to columns.""",
    ),
    "30 a condition on yes and no": (
        written("demand", "among=orders.any(last=days(91)) and orders.any(last=days(7)),"),
        """project.py:20  a reading is not yes or no until it is read.
               Put conditions in a list, such as among=[a, b]; do not join them with and/or.""",
    ),
    "31 a currency mixed": (
        written(
            "demand",
            'predicts=tills.total("amount", next=days(1)),',
            'per="product_id",',
            "knows=[tills.count(last=days(7))],",
            before='tills = Source("tills", id="till_id", time="at", '
            'columns={"product_id": str, "currency": str, "amount": money(column="currency")})',
        ),
        """project.py:16  demand: tills_amount_total_next_1d mixes currencies; currency names them.
               Divide it by its own mean, keep one with tills.where(one_of("currency", "EUR")), or say per=[…, "currency"].""",
    ),
    "32 predicting the past": (
        written("demand", 'predicts=orders.total("quantity", last=days(7)),'),
        """project.py:15  demand predicts what is already known.
               A truth lies ahead: say next=days(7), or .outcome(…) for a column that is filled in later.""",
    ),
    "33 given by whom": (
        written("demand", 'knows=[orders.given("amount")],'),
        """project.py:18  demand: orders.given('amount') is given with the question only if the question is one of the orders.
               Say per=orders, or orders.latest('amount').""",
    ),
    "34 a learner that cannot take what is empty": (
        written("demand", 'knows=[orders.total("quantity", last=days(7)),\norders.latest("amount")],', "learner=PoissonRegressor(),"),
        """project.py:20  demand: PoissonRegressor takes no empty values, and orders_amount_latest may be empty.
               Say learner=make_pipeline(SimpleImputer(), PoissonRegressor(…)), or take a learner that does.""",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_with_its_line_and_its_cure(tmp_path: Path, name: str) -> None:
    source, expected = MISTAKES[name]
    count = "4 mistakes" if name.startswith("28") else "one mistake"
    assert told(tmp_path, source) == f"project.py has {count}.\n\n{expected}"


@pytest.mark.parametrize("model", MODELS)
def test_the_same_files_without_the_mistake_are_fine(model: str) -> None:
    made: dict[str, object] = {"__name__": "project"}
    exec(compile(written(model), "project.py", "exec"), made)
    assert [one.name for one in made.values() if isinstance(one, Model)] == [model]
