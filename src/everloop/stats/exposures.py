"""How many more units it takes to tell a difference: about, and at least. Numbers in, a number out; it reports, and decides nothing."""

from __future__ import annotations

from math import ceil, log


def events_for(ratio: float, margin: float, share: float, needs: float) -> float:
    """How many events prove that the candidate's rate is beyond ``margin`` times the champion's, if it is ``ratio`` times, about.

    Each event multiplies the wealth of the best bet by e^KL on average, where KL is the divergence between the chances that an event is
    the candidate's at ``ratio`` and at ``margin``; ``needs`` is the wealth to be reached (Wald 1945). A mixture of bets takes some more.

    >>> round(events_for(0.7, 1.0, 0.5, 20.0))
    191

    Raises ValueError where the two are the same, for no number of events tells them apart.
    """
    if ratio == margin:
        raise ValueError(f"A rate of {ratio:g} times is the margin itself; no number of events tells them apart.")
    true, bet = (share * r / (1 - share + share * r) for r in (ratio, margin))
    return log(needs) / (true * log(true / bet) + (1 - true) * log((1 - true) / (1 - bet)))


def units_needed(events: float, units: int, *, ratio: float, margin: float, share: float, needs: float) -> int | None:
    """How many units beside these it takes at the same rate, to two digits upwards; None where nothing happened yet to tell a rate by.

    >>> units_needed(30.0, 1000, ratio=0.95, margin=1.0, share=0.5, needs=20.0)
    310000
    >>> units_needed(0.0, 1000, ratio=0.95, margin=1.0, share=0.5, needs=20.0) is None
    True
    """
    if events <= 0 or not 0 < share < 1:
        return None
    more = max(0.0, events_for(ratio, margin, share, needs) * units / events - units)
    scale = 10 ** max(0, len(str(int(more))) - 2)
    return int(ceil(more / scale) * scale)
