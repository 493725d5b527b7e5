"""Serving processes: the supervisor, its workers, and what a worker knows, follows and is asked. Between the house and ``serving``."""
