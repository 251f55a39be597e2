"""Verdicts from numbers. It knows no model and no torch."""
