"""Feast: its online request answered from a house (``online.py``), and a feature repository of a house's features (``repository.py``).

Nothing of Feast is imported here; what is written and replied is what Feast 0.67 reads and replies.
"""
