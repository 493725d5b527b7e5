"""Batch: a model's answers for many units at once, as a file; by the code that answers one."""
