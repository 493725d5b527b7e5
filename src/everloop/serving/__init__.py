"""Serving: answers requests, and remembers every answer. In: questions with their features, predictors by version. Out: answers, in the log
first.

Opens no house and decides nothing: who answers whom is the traffic's, where answers end up is the caller's.
"""

from everloop.serving.answer import answer
from everloop.serving.answered import SCHEMA, AnswerRows, features_of, predictions, private_columns
from everloop.serving.log import AnswersLog, unsealed
from everloop.serving.seal import Sealed, seal

__all__ = ["SCHEMA", "AnswerRows", "AnswersLog", "Sealed", "answer", "features_of", "predictions", "private_columns", "seal", "unsealed"]
