"""Everloop keeps production models right. These are the words of a project file; everything else is reached by module."""
