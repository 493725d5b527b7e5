"""How often a key may ask: a token bucket for each, in each worker. No clock: seconds are an argument.

A worker knows nothing of what the others took: N workers together take up to N times a key's rate. What is bounded is what one key costs
each of them, without a word between them on the way of a request.
"""

from __future__ import annotations

import math

from everloop.serving.keys import Key
from everloop.serving.refused import RefusedError, later


class Rates:
    """What each key has left. A bucket holds what comes in a second, at least one request, and is full at first."""

    def __init__(self) -> None:
        self._left: dict[str, tuple[float, float]] = {}  # by key id: requests left, and when that was so

    def take(self, key: Key, now: float) -> None:
        """One request of this key at ``now`` (monotonic seconds). Raises RefusedError (429, with ``Retry-After``) where nothing is left.

        >>> from everloop.serving.keys import new_key
        >>> rates, (till, _) = Rates(), new_key("till", ["predict"], per_second=2)
        >>> rates.take(till, 0.0), rates.take(till, 0.1)
        (None, None)
        >>> rates.take(till, 0.2)
        Traceback (most recent call last):
        everloop.serving.refused.RefusedError: The key 'till' may ask this worker 2 times a second. Ask again in 0.3 s, or ask less often.
        """
        if key.per_second is None:
            return
        most = max(1.0, key.per_second)
        left, at = self._left.get(key.id, (most, now))
        left = min(most, left + max(0.0, now - at) * key.per_second)
        if left < 1.0:
            self._left[key.id] = (left, now)
            raise too_many(key, (1.0 - left) / key.per_second)
        self._left[key.id] = (left - 1.0, now)


def too_many(key: Key, wait: float) -> RefusedError:
    """The refusal of a key that has to wait this many seconds."""
    what = f"The key {key.name!r} may ask this worker {key.per_second:g} times a second. Ask again in {wait:.1f} s, or ask less often."
    return later("too_many", what, max(1, math.ceil(wait)))
