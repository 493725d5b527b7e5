"""Runs in ville's own environment: values come in as JSON, its confidence sequences of them go out. Not imported by the tests."""

import json
import sys

import ville

said = json.load(sys.stdin)
answers = {}
for name, sequence in {
    "bounded": ville.EmpiricalBernsteinCS(),
    "asymptotic": ville.AsymptoticCS(t_opt=5000),
    "p99": ville.QuantileCS(0.99, t_opt=10_000, intersect=False),
}.items():
    found = sequence.fit(said[name])
    answers[name] = [[float(x) for x in side] for side in (found.lower_, found.upper_)]
json.dump(answers, sys.stdout)
