"""Fuzzing of every parser, guided by coverage: `python -m benchmarks.fuzz`. See docs/fuzzing.md."""
