"""Clouds: the files by which a house runs elsewhere, for people who keep such files already. In: what a project needs. Out: a folder.

What never differs lies here as it is, valid as it stands, in a folder for each place (``ray/``, ``aws_lambda/``, ``ecs/``,
``machine/``); what does is put in by one file of Python beside it. Nothing of a cloud is imported. Absent: clock, house, network.
"""
