"""The arithmetic all judging rests on: measures, intervals, two-sample tests, e-values. Arrays in, numbers out; no clock, no disk."""
