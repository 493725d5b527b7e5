"""Training: a training set becomes a candidate, and candidate and champion meet on the same questions.

In: a table of questions with features and truths, and the user's own learner. Out: a Candidate, its bytes, a Contest. Reads no business clock,
opens no house; bytes leave through the ``save`` it is given.
"""
