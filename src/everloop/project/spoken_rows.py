"""How conditions on the rows of a source are said. In: a row condition and its source. Out: a clause. No model, no clock, no disk."""

from __future__ import annotations

from collections.abc import Iterable

from everloop.project.conditions import RowCondition, always, at_least, at_most, fresh, meets, one_of, usual_volume
from everloop.project.source import Source
from everloop.project.spoken_values import spoken_amount, spoken_list, spoken_number, spoken_share, spoken_window


def spoken_row_condition(condition: RowCondition, source: Source) -> str:
    """A condition on rows as a clause; columns keep their names, money is said in its currency.

    >>> from everloop import money
    >>> orders = Source("orders", id="order_id", columns={"amount": money("EUR"), "reason": str})
    >>> spoken_row_condition(at_least("amount", 1, share=0.99), orders)
    'amount is at least 0.01 EUR in 99 % of rows'
    >>> spoken_row_condition(one_of("reason", "fraud", "stolen_card"), orders), spoken_row_condition(always("reason"), orders)
    ('reason is fraud or stolen_card', 'reason is never empty')
    """
    match condition:
        case always(column=column, share=share):
            return f"{column} is never empty" if share == 1 else f"{column} is there in {spoken_share(share)} of rows"
        case fresh(span=span):
            return f"something arrived within the last {spoken_window([span])}"
        case usual_volume(by=by):
            return f"as many rows happened in the last day as on that weekday of the eight weeks before, give or take {spoken_share(by)}"
        case meets(file=file):
            return f"it meets {file}"
        case at_least() | at_most() | one_of():
            column = str(condition.what)
            bound = spoken_bound(condition, source.every_column.get(column))
            return f"{column} is {bound}" + ("" if condition.share == 1 else f" in {spoken_share(condition.share)} of rows")


def spoken_rows(conditions: Iterable[RowCondition], source: Source) -> str:
    """All of these conditions on rows, joined with and.

    >>> lines = Source("lines", id="line_id", columns={"test": bool, "quantity": int})
    >>> spoken_rows([one_of("test", False), at_least("quantity", 1)], lines)
    'test is no and quantity is at least 1'
    """
    return " and ".join(spoken_row_condition(condition, source) for condition in conditions)


def spoken_bound(condition: at_least | at_most | one_of, kind: object = None) -> str:
    """What a value is held against; ``kind`` is the kind of its column, where there is one.

    >>> spoken_bound(at_most("area", 2_000)), spoken_bound(one_of("age", "18-29", "65+"))
    ('at most 2,000', '18-29 or 65+')
    """
    if isinstance(condition, one_of):
        return spoken_list(map(spoken_number, condition.values), "or")
    word = "at least" if isinstance(condition, at_least) else "at most"
    return f"{word} {spoken_amount(condition.value, kind)}"  # type: ignore[arg-type]
