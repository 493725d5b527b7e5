"""A pipeline for other people's schedulers: one small file for each, which writes what a team would have written by hand.

In: a ``Pipeline`` (``project/pipeline.py``). Out: files that call the terminal. Nothing of a scheduler is imported here. ``carried.py``
says what each of them can be told, and refuses by name what it cannot; ``lines.py`` is the shell they share, ``texts.py`` YAML.
"""
