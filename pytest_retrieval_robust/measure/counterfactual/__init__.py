"""Edited reports: whether a model prefers the report that is right to one that is not."""
