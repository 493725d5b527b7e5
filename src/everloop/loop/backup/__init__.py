"""Backups: a running house as it was at one instant, proven, in a folder or on object storage; and a house made of one again.

``cut`` holds everything at one instant, ``take`` copies it in pieces (``manifest``, ``shelf``), ``proof`` sees that all of it is there,
``restore`` makes a house of it, ``forgotten`` forgets again whom it brings back, ``drill`` does all that in a folder that goes again, and
asks.
"""
