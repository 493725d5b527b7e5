"""Where each word may stand. In: a word and the keyword it was said under. Out: the mistake, if it cannot stand there."""

from __future__ import annotations

from everloop.errors import Mistake
from everloop.project import refuse
from everloop.project.said import Place, Word, said

# In the order in which a cure names them. ``where`` and ``wins_when`` are not keywords of a model, but words stand there too.
BELONGS: dict[str, tuple[str, ...]] = {
    "always": ("must", "where", "among"),
    "at_least": ("must", "where", "among", "promote_when", "roll_back_when", "retrain_when", "tell_when"),
    "at_most": ("must", "where", "among", "promote_when", "roll_back_when", "retrain_when", "tell_when"),
    "one_of": ("must", "where", "among"),
    "fresh": ("must",),
    "usual_volume": ("must",),
    "meets": ("must",),
    "beats_champion": ("promote_when", "wins_when"),
    "as_good_as_champion": ("promote_when", "wins_when"),
    "worse_than_champion": ("roll_back_when", "tell_when"),
    "fair_across": ("promote_when", "roll_back_when", "tell_when"),
    "answers_within": ("promote_when",),
    "cost": ("on",),
    "outcome": ("on",),
    "shadow": ("roll_out",),
    "canary": ("roll_out",),
    "ab": ("roll_out",),
    "bandit": ("roll_out",),
    "drifted": ("retrain_when", "tell_when"),
    "slipped": ("roll_back_when", "retrain_when", "tell_when"),
    "new_truths": ("retrain_when",),
    "every": ("asked", "retrain_when"),
    "yes_above": ("answers",),
    "quantiles": ("answers",),
    "search": ("tune",),
    "only_new": ("learns_from",),
    "since_change": ("learns_from",),
    "calendar": ("knows",),
    "money": ("columns",),
    "unit": ("columns",),
}
SPOKEN = {
    "wins_when": "ab(wins_when=…)",
    "where": "where(…)",
    "on": "on= of a comparison",
    "must": "must of a Source",
    "columns": "columns of a Source",
}


def stands_in(word: object, keyword: str) -> bool:
    """Whether a word may stand under a keyword.

    >>> from everloop import drifted
    >>> stands_in(drifted(), "retrain_when"), stands_in(drifted(), "promote_when")
    (True, False)
    """
    return isinstance(word, Word) and keyword in BELONGS.get(type(word).__name__, ())


def misplaced(name: str, word: object, keyword: str, place: Place) -> Mistake:
    """A word in the wrong list, and the lists it belongs in; or what can stand there, if it is no condition at all."""
    if isinstance(word, Word) and type(word).__name__ in BELONGS:
        cure = f"It belongs in {refuse.listed((SPOKEN.get(k, k) for k in BELONGS[type(word).__name__]), 'or')}."
        return word.mistake(f"{name}: {type(word).__name__}(…) cannot stand in {keyword}.", cure)
    can = [f"{known}(…)" for known, keywords in BELONGS.items() if keyword in keywords]
    can += ["readings"] if keyword == "among" else []
    where = getattr(word, "place", None)
    what = f"{name}: {said(word)} cannot stand in {keyword}."
    cure = f"There can be {refuse.listed(can, 'or')}."
    return refuse.mistake(
        what, cure, place=where if isinstance(where, Place) else place, keyword=None if isinstance(where, Place) else keyword
    )
