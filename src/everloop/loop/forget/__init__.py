"""Forgetting: what is known of one person goes from every place of a house, in every version there is; or everything of everybody.

``person`` finds what is theirs, ``plan`` is what a killed house goes on from, ``erase`` takes it out place by place, ``looked`` reads every
byte of the house folder for the key afterwards, ``known`` writes down what there is instead. Docs: docs/privacy.md.
"""

from everloop.loop.forget.erase import finish, forget
from everloop.loop.forget.everybody import empty
from everloop.loop.forget.known import known_of

__all__ = ["empty", "finish", "forget", "known_of"]
