"""Attempts to break the package, counted: `python -m benchmarks.hostile`. See docs/hostile.md."""
