"""Runs in fairlearn's own environment: decisions and groups come in as JSON, its ratios go out. Not imported by the tests."""

import json
import sys

from fairlearn.metrics import MetricFrame, demographic_parity_ratio, selection_rate, true_positive_rate
from sklearn.metrics import accuracy_score, zero_one_loss

said = json.load(sys.stdin)
answers = {}
for name, (truth, yes, groups) in said.items():
    frames = {
        measure: MetricFrame(metrics=metric, y_true=truth, y_pred=yes, sensitive_features=groups)
        for measure, metric in {
            "yes": selection_rate,
            "recall": true_positive_rate,
            "error_rate": zero_one_loss,
            "accuracy": accuracy_score,
        }.items()
    }
    answers[name] = {measure: [float(frame.ratio()), frame.by_group.to_dict()] for measure, frame in frames.items()}
    answers[name]["parity"] = float(demographic_parity_ratio(truth, yes, sensitive_features=groups))
json.dump(answers, sys.stdout)
