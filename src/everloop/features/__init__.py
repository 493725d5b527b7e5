"""One definition, two readings: a feature as it was known then, and as it is now, equal to the last digit."""
