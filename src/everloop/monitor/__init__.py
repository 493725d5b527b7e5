"""Monitor: compares answers with the world: drift, late truth, errors, latency. Reads no clock, touches no disk."""

from everloop.monitor.error import by_period, realised, where_worst
from everloop.monitor.profile import ANSWERS, Profile, answers_as_column, profile
from everloop.monitor.seen import Answered, Seen
from everloop.monitor.spec import Spec, describe
from everloop.monitor.watch import watch

__all__ = [
    "ANSWERS",
    "Answered",
    "Profile",
    "Seen",
    "Spec",
    "answers_as_column",
    "by_period",
    "describe",
    "profile",
    "realised",
    "watch",
    "where_worst",
]
