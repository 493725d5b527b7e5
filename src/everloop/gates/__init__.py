"""Gates: is a candidate better, fair and fast enough to take the champion's place? Reads no clock, touches no disk."""

from everloop.gates.fast import timings_needed
from everloop.gates.judge import judge, override

__all__ = ["judge", "override", "timings_needed"]
