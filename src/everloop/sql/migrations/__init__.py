"""The revisions of a house, one file each in ``versions``; run by sql/migrate.py."""
