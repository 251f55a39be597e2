"""Limits for `robust.toml` from a saved run, which an unchanged model rarely fails."""
