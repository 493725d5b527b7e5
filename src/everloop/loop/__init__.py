"""Loop: signals become decisions, decisions become runs. The ring is closed here and nowhere else.

``turn.py`` is the whole of it on one screen; ``wiring.py`` is the only place where the stages meet; ``house.py`` opens what they need.
"""
