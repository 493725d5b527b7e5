"""Who works for a house: errands claimed and carried out, who leads, what is due, the chores, and how a turn is ended."""
