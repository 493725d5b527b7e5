"""Who is answered by whom: shadow, canary, A/B, bake, and the way back. Pure: records in, records out; no clock, no disk.

``begin`` sets a roll-out going, ``due`` says when its next step may come, ``step`` takes it, ``undo`` takes it back; ``arm_of`` says
which version answers a unit. ``hold``, ``release`` and ``set_share`` are moves of people alone.
"""

from everloop.rollout.assign import arm_of, chance, compared, kept
from everloop.rollout.move import begin, drop, due, first, hold, hold_out, joinable, release, require_released, set_share, step, undo
from everloop.rollout.plan import Step, steps

__all__ = [
    "Step",
    "arm_of",
    "begin",
    "chance",
    "compared",
    "drop",
    "due",
    "first",
    "hold",
    "hold_out",
    "joinable",
    "kept",
    "release",
    "require_released",
    "set_share",
    "step",
    "steps",
    "undo",
]
