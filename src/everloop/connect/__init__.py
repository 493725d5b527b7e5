"""The world outside, one file for each door to it. Nothing here is imported before it is needed."""
