"""Edits of reports: the smallest changes that make a report wrong."""
