"""The nouns that travel from stage to stage, in the order in which they flow; frozen. Standard library only.

Every record carries ``id``, ``made_at`` (UTC, business time) and ``made_from`` (the ids of its parents): lineage is a walk along
``made_from``. Records are small and go into the journal as JSON; what is large is a *body* in the blob store, named by its SHA-256.
A number that could not be worked out is ``None``, never NaN.
"""

from __future__ import annotations

from everloop.records.autonomy import Autonomy
from everloop.records.contest import Alone, Candidate, Contest, Listed, Opinion, Shaken, Verdict, Version
from everloop.records.data import Extent, Finding, Outcome, Received, Refused, Report, Snapshot, TrainingSet
from everloop.records.decision import HELD, Action, Approval, Decision
from everloop.records.handover import Handover
from everloop.records.incident import Alert, Incident, Symptom
from everloop.records.membership import Membership
from everloop.records.record import Cost, Record, identity
from everloop.records.redaction import Redaction
from everloop.records.shape import Kind, Shape
from everloop.records.signals import Cause, Confidence, Epoch, Followed, Guard, Lift, Part, Says, Severity, Signal, Signals, Trial
from everloop.records.traffic import MOST_CANDIDATES, Arm, Prediction, Stage, Traffic, candidate_arms
from everloop.records.withdrawal import Withdrawal

__all__ = [
    "HELD",
    "MOST_CANDIDATES",
    "Action",
    "Alert",
    "Alone",
    "Approval",
    "Arm",
    "Autonomy",
    "Candidate",
    "Cause",
    "Confidence",
    "Contest",
    "Cost",
    "Decision",
    "Epoch",
    "Extent",
    "Finding",
    "Followed",
    "Guard",
    "Handover",
    "Incident",
    "Kind",
    "Lift",
    "Listed",
    "Membership",
    "Opinion",
    "Outcome",
    "Part",
    "Prediction",
    "Received",
    "Record",
    "Redaction",
    "Refused",
    "Report",
    "Says",
    "Severity",
    "Shaken",
    "Shape",
    "Signal",
    "Signals",
    "Snapshot",
    "Stage",
    "Symptom",
    "Traffic",
    "TrainingSet",
    "Trial",
    "Verdict",
    "Version",
    "Withdrawal",
    "candidate_arms",
    "identity",
]
