"""Revisions, oldest first. A released one is never edited; a new one is a new file and a new line in migrate.REVISIONS."""
