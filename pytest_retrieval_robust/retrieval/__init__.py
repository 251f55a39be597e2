"""The mathematics of ranks: exact ranks, metrics, intervals, curves."""
