"""Scripts that run in a tool's own environment, by path."""

collect_ignore = ["in_kfp.py"]
