"""The controller: one process that turns a house; its lease, its errands, what is due, its chores, and how a turn is ended."""
