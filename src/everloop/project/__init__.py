"""What the user says: Source, Model, readings, conditions; and the sentences that read them aloud. Values only: no clock, no disk."""
