"""Leaderboards: submissions side by side, as a page, JSON and CSV."""
