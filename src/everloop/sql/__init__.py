"""Engines and migrations for the databases of a house: SQLite beside the project, Postgres by its URL. Knows no noun of its own."""
