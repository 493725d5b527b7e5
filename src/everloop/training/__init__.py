"""Training: a training set becomes a candidate, and candidate and champion meet on the same questions.

In: a table of questions with features and truths, and the user's own learner. Out: a Candidate, its bytes, a Contest. Reads no business
clock, opens no house; bytes leave through the ``save`` it is given.
"""

from everloop.training.admit import admit
from everloop.training.artefact import load
from everloop.training.baseline import baseline, load_baseline
from everloop.training.child import in_child
from everloop.training.golden import check_golden
from everloop.training.predictor import Answering, Predictor
from everloop.training.rehearse import Side, read_paired, rehearse, time_answers
from everloop.training.rivals import beside
from everloop.training.rows import Rows, holdout, learnable
from everloop.training.suspected import alone, shaken
from everloop.training.train import train

__all__ = [
    "Answering",
    "Predictor",
    "Rows",
    "Side",
    "admit",
    "alone",
    "baseline",
    "beside",
    "check_golden",
    "holdout",
    "in_child",
    "learnable",
    "load",
    "load_baseline",
    "read_paired",
    "rehearse",
    "rivals",
    "shaken",
    "time_answers",
    "train",
]
